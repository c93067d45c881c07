// Package cli is the command line: a file for each command. Results go to stdout, progress and logs to stderr.
//
// Flags come over GLASSHOUSE_* variables, which come over a configuration file; viper merges them and nothing else.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/devices/strictyaml"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2 // bad usage or input
	exitInvalid = 3 // the run is not valid
)

// codeError carries an exit code. silent errors have been reported already.
type codeError struct {
	code   int
	err    error
	silent bool
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// usage marks an error as a usage or input error.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &codeError{code: exitUsage, err: err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		if kept, ok := abandons(root, args); ok {
			err = fmt.Errorf("%w; %s", context.Canceled, kept)
		} else {
			err = <-ended
		}
	}
	signalled, was := stopped(ctx)
	switch {
	case err == nil && was:
		return signalled
	case err == nil:
		return exitOK
	}
	code := exitFailed
	var ce *codeError
	switch {
	case errors.As(err, &ce):
		code = ce.code
	case isInput(err):
		code = exitUsage
	}
	if was {
		code = signalled
	}
	if ce == nil || !ce.silent {
		text := strings.TrimSpace(err.Error())
		if was {
			text = strings.ReplaceAll(text, context.Canceled.Error(), context.Cause(ctx).Error())
		}
		fmt.Fprintln(stderr, "glasshouse:", text)
	}
	return code
}

// isInput reports whether an error is a usage or input error.
func isInput(err error) bool {
	if ce, ok := errors.AsType[*codeError](err); ok {
		return ce.code == exitUsage
	}
	_, config := errors.AsType[strictyaml.ConfigErrors](err)
	return config || errors.Is(err, fs.ErrNotExist)
}

func newRoot() *cobra.Command {
	var verbose bool
	var config string
	root := &cobra.Command{
		Use:   "glasshouse",
		Short: "A smart home with no hardware, observed at its WAN",
		Long: `Glasshouse runs a smart home of emulated devices behind a real NAPT or a WireGuard tunnel, watches its WAN,
labels every packet with the device that sent it, and scores the labels against exact ground truth. No root, no Docker.

Exit codes: 0 ok, 1 failed, 2 bad usage or input, 3 the run is not valid; 130 after Ctrl-C, 143 after SIGTERM. A command that is stopped
cleans up and reports what was kept.`,
		Example: `  glasshouse demo
  glasshouse run noisy-napt --duration 5m --seed 7 -o home7
  glasshouse train home7 -m forest -o home.model
  glasshouse score home.model home8`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelDebug
			}
			slog.SetDefault(slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})))
			return configure(cmd, config)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return showCommands(cmd, args)
		},
		Args: cobra.ArbitraryArgs,
	}
	root.PersistentFlags().BoolVarP(&verbose, "verbose", "v", false, "log debug messages")
	root.PersistentFlags().StringVar(&config, "config", "", "configuration `FILE` (default glasshouse.yaml, if there is one)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w%s; see %s --help", err, meantFlag(cmd, err), cmd.CommandPath())
	})
	root.CompletionOptions.DisableDefaultCmd = true // newCompletion is ours
	root.SetHelpCommand(newHelp())
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	root.SetHelpFunc(showHelp)
	root.AddCommand(newDemo(), newRun(), newGenerate(), newTrain(), newScore(), newModels(), newObserve(), newEvaluate(), newReproduce(), newSweep(), newDevices(), newScenarios(), newDataset(), newDoctor(), newShell(), newVersion(), newCompletion())
	for _, c := range root.Commands() {
		classify(c)
	}
	return root
}

// classify turns errors about arguments into usage errors, in a command and all its subcommands.
func classify(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef("%w; see %s --help", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		classify(sub)
	}
}

// group returns a command that only has subcommands: an unknown one is an error.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: showCommands}
	c.AddCommand(subs...)
	return c
}

// newHelp is cobra's help command, but an unknown topic is a usage error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about a command",
		Example: "  glasshouse help run\n  glasshouse help dataset verify",
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			switch {
			case err != nil:
				return usage(err)
			case len(rest) > 0:
				return showCommands(of, rest)
			}
			return of.Help()
		},
	}
}

// showCommands runs a command that only has subcommands: it shows the help, or suggests the closest name.
func showCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	return usagef("unknown command %q for %q; %s", args[0], cmd.CommandPath(), strictyaml.Suggest(args[0], known, fmt.Sprintf("%q lists them", cmd.CommandPath()+" --help")))
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
