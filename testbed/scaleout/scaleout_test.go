package scaleout_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// skip skips a test that this machine cannot run; in CI that is a failure.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("GLASSHOUSE_CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// buildProgram builds the program that the jobs run.
func buildProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "glasshouse")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "glasshouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// output runs a program within a time and returns what it printed to stdout.
func output(t *testing.T, within time.Duration, env []string, name string, args ...string) string {
	t.Helper()
	out, err := try(t, within, env, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is output for a program that may fail; the error has what it printed to stderr.
func try(t *testing.T, within time.Duration, env []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), within)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), errors.Join(errors.New(name+" "+strings.Join(args, " ")), err, errors.New(stderr.String()))
	}
	return stdout.String(), nil
}

// TestSubmitUsage wants the submit script to refuse what cannot run, before Slurm is asked.
func TestSubmitUsage(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		skip(t, "no bash here")
	}
	whole := []string{"--scenario", "noisy-napt", "--homes", "8", "--shards", "4", "--output", filepath.Join(t.TempDir(), "out")}
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"nothing", "--scenario is missing", nil},
		{"no shards", "--shards is missing", []string{"--scenario", "noisy-napt", "--homes", "8"}},
		{"more shards than homes", "no more than the 8 homes", append(slices.Clip(whole), "--shards", "9")},
		{"homes are no number", "--homes many: a number", append(slices.Clip(whole), "--homes", "many")},
		{"no such option", "--fast: no such option", append(slices.Clip(whole), "--fast")},
		{"no value", "--seed needs a value", append(slices.Clip(whole), "--seed")},
		{"no program", "--binary: not found", append(slices.Clip(whole), "--binary", "/no/such/program")},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := try(t, 10*time.Second, nil, "bash", append([]string{"slurm/submit.sh"}, c.args...)...)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want exit 2 and %q", err, c.want)
			}
		})
	}
	if _, err := os.Stat(whole[len(whole)-1]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused command touched its output directory: %v", err)
	}
}
