package cli

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStopOnSignals: a signal ends the context, and says which it was.
func TestStopOnSignals(t *testing.T) {
	for signal, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130, syscall.SIGQUIT: 131} {
		ctx, stop := StopOnSignals(t.Context())
		if err := syscall.Kill(syscall.Getpid(), signal); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("%v does not end the context", signal)
		}
		if code, ok := stopped(ctx); !ok || code != want {
			t.Errorf("%v: exit %d, %t; want %d", signal, code, ok, want)
		}
		stop()
	}
	ctx, stop := StopOnSignals(t.Context())
	stop()
	if code, ok := stopped(ctx); ok {
		t.Errorf("no signal: exit %d", code)
	}
}

// TestStopped: every command that works for long ends with the signal's exit code, and says what was kept.
func TestStopped(t *testing.T) {
	t.Chdir(t.TempDir())
	main := func(ctx context.Context, line string) (int, string) {
		var errs bytes.Buffer
		code := Main(ctx, strings.Fields(line), strings.NewReader(""), &bytes.Buffer{}, &errs)
		return code, errs.String()
	}
	for _, line := range []string{
		"generate noisy-napt --homes 2 --duration 2m --time-scale 60 --seed 3 --only-wan -o homes", "train homes --seed 1 -o napt.model",
	} {
		if code, errs := main(t.Context(), line); code != 0 {
			t.Fatalf("%s: exit %d: %s", line, code, errs)
		}
	}
	for line, want := range map[string]string{
		"generate noisy-napt --homes 500 --duration 7d --seed 3 --no-pcap -o many": "the same command resumes from there",
		"train homes -o none.model":                                  "no model was written",
		"evaluate homes -m forest":                                   "stopped by the signal",
		"score napt.model homes --allow-seen":                        "stopped by the signal",
		"observe homes/home=000000/wan.pcapng --model napt.model":    "stopped by the signal",
		"dataset info homes":                                         "",
		"dataset verify homes":                                       "nothing was changed",
		"dataset export homes --csv -o out.csv":                      "the output is incomplete",
		"sweep noisy-napt --vary phones=0..2 --homes 2 -o sweep":     "the same command resumes from there",
		"reproduce homemole --quick --seed 1 -o homemole":            "stopped by the signal",
		"reproduce table1 --rows echo-dot --seed 1":                  "stopped by the signal",
		"run noisy-napt --world virtual --duration 1d --seed 1 -o r": "",
	} {
		t.Run(line, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			if strings.HasPrefix(line, "generate") || strings.HasPrefix(line, "run") {
				time.AfterFunc(300*time.Millisecond, func() { cancel(&signalError{syscall.SIGINT}) })
			} else {
				cancel(&signalError{syscall.SIGINT})
			}
			code, errs := main(ctx, line)
			if code != 130 || !strings.Contains(errs, want) || strings.Contains(errs, context.Canceled.Error()) {
				t.Errorf("exit %d, want 130: %s", code, errs)
			}
		})
	}
}
