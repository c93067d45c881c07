//go:build unix

package program

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	script := filepath.Join(t.TempDir(), "my model.py")
	if err := os.WriteFile(script, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text, name string
		args       []string
		wrong      string
	}{
		{"sh", "sh", []string{"sh"}, ""},
		{`sh -c 'exit 1; x' --rate=0.1`, "sh", []string{"sh", "-c", "exit 1; x", "--rate=0.1"}, ""},
		{`a.b-2=sh "` + script + `"`, "a.b-2", []string{"sh", script}, ""},
		{`sh "` + script + `"`, "", nil, "invalid name"},
		{"a=", "", nil, "it names no program"},
		{"  ", "", nil, "it names no program"},
		{"sh 'x", "", nil, "cannot be run"},
		{"sh x > y", "", nil, "not run by a shell"},
		{"/no/such/program", "", nil, "cannot be run"},
	} {
		got, err := Parse(c.text)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q: %v, %v", c.text, got, err)
			}
			continue
		}
		if err != nil || got.Name != c.name || !slices.Equal(got.Args, c.args) {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
}

func TestAKeyIsOfWordsAndFiles(t *testing.T) {
	script := filepath.Join(t.TempDir(), "my.py")
	seen := make(map[string]bool)
	for _, c := range []struct {
		content string
		more    []string
		known   bool
	}{{"1", nil, false}, {"2", nil, false}, {"1", nil, true}, {"1", []string{"--fast"}, false}} {
		if err := os.WriteFile(script, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		command := Command{Args: append([]string{"sh", script}, c.more...)}
		key, err := command.Key()
		if err != nil || seen[key] != c.known {
			t.Errorf("%+v: %v, %v", c, key, err)
		}
		seen[key] = true
		if files, err := command.Files(); err != nil || len(files) != 2 || files[1].Path != script || len(files[0].SHA256) != 64 {
			t.Errorf("%v, %v", files, err)
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	guesses := filepath.Join(dir, "guesses")
	sh := func(script string) *Command { return &Command{Name: "x", Args: []string{"sh", "-c", script, "sh"}} }
	run := func(ctx context.Context, c *Command, limit time.Duration) error {
		_ = os.Remove(guesses)
		return c.Run(ctx, "learn", "unseen", guesses, limit)
	}
	if err := run(t.Context(), sh(`echo "$1 $2" >"$3"`), time.Minute); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(guesses); err != nil || string(b) != "learn unseen\n" {
		t.Errorf("%q, %v", b, err)
	}
	// a command that leaves a child with its output open
	if err := run(t.Context(), sh(`sleep 300 & echo 1 >"$3"`), time.Minute); err != nil {
		t.Error(err)
	}
	err := run(t.Context(), sh(`seq 1 100; echo last >&2; exit 3`), time.Minute)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.What != "exit status 3" || len(e.Tail) != tailLines || e.Tail[tailLines-1] != "last" || e.Tail[0] != "90" {
		t.Errorf("%#v", err)
	}
	if err := run(t.Context(), sh(`trap "" TERM; sleep 300`), time.Second); err == nil || !strings.Contains(err.Error(), "took longer than 1s") {
		t.Errorf("%v", err)
	}
	why := errors.New("the user went home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := run(ctx, sh("sleep 300"), time.Minute); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}
