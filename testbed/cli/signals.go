package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// signalError is the cause of a context that a signal has ended.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return fmt.Sprintf("stopped by the signal %q", e.signal) }

// Is makes the cause be what a context that was cancelled says of itself: some who end return the one, some the other.
func (e *signalError) Is(target error) bool { return target == context.Canceled }

// exitSignal is what a shell adds to a signal's number to make the exit code of a program that it ended: 130 after Ctrl-C, 143 after SIGTERM.
const exitSignal = 128

// stopped returns the exit code of a command whose context a signal has ended.
func stopped(ctx context.Context) (code int, ok bool) {
	if e, ok := errors.AsType[*signalError](context.Cause(ctx)); ok {
		return exitSignal + int(e.signal), true
	}
	return 0, false
}

// abandoned marks a command that needs no clean-up: a signal ends it at once, and kept describes what it leaves.
func abandoned(cmd *cobra.Command, kept string) *cobra.Command {
	cmd.Annotations = map[string]string{abandon: kept}
	return cmd
}

const abandon = "abandon"

// abandons reports whether the command of a command line can be ended at once, and what it leaves behind.
func abandons(root *cobra.Command, args []string) (kept string, ok bool) {
	cmd, _, err := root.Find(args)
	if err != nil {
		return "", false
	}
	kept, ok = cmd.Annotations[abandon]
	return kept, ok
}

// StopOnSignals is a context that ends with the first signal that asks a program to stop: Ctrl-C, Ctrl-\, a closed terminal, SIGTERM. The
// command then cleans up. A closed terminal is ignored under nohup.
func StopOnSignals(parent context.Context) (context.Context, context.CancelFunc) {
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		stops = append(stops, syscall.SIGHUP)
	}
	ctx, cancel := context.WithCancelCause(parent)
	came := make(chan os.Signal, 1)
	signal.Notify(came, stops...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-came:
			if number, ok := s.(syscall.Signal); ok {
				cancel(&signalError{number})
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(came)
		cancel(nil)
		<-ended
	}
}
