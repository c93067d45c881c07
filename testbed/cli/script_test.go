package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"glasshouse/testbed/cli"
	"glasshouse/testbed/live"
	"glasshouse/testbed/live/doctor"
)

func TestMain(m *testing.M) {
	if handled, code := live.Child(); handled {
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){
		"glasshouse": func() {
			ctx, stop := cli.StopOnSignals(context.Background())
			code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Condition: func(cond string) (bool, error) {
			if cond == "live" {
				r := doctor.Examine()
				if !r.Live && os.Getenv("GLASSHOUSE_CI") != "" {
					t.Errorf("no live home here: %s", r.FirstFix())
				}
				return r.Live && !testing.Short(), nil
			}
			return cond == "root" && os.Getuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"isjson":  isJSON,
			"waitfor": waitFor,
		},
	})
}

// exits runs a program and wants an exit code: exits CODE PROGRAM ARG...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s: exit %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// isJSON wants a file, or stdout, to be JSON that has the keys: isjson FILE KEY...
func isJSON(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	m, _ := v.(map[string]any)
	for _, key := range args[1:] {
		if _, ok := m[key]; !ok {
			ts.Fatalf("%s: no key %q", args[0], key)
		}
	}
}

// waitFor waits until a file is there: waitfor FILE.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	for range 200 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s did not come", args[0])
}
