package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Error is the failure of a program, with the last lines of its output.
type Error struct {
	Command string
	What    string
	Tail    []string
}

func (e *Error) Error() string {
	text := e.Command + ": " + e.What
	if len(e.Tail) > 0 {
		text += "; its last lines:\n  " + strings.Join(e.Tail, "\n  ")
	}
	return text
}

const (
	tailLines, tailBytes = 12, 8 << 10
	grace                = 2 * time.Second // between SIGTERM and SIGKILL
)

// Run runs a command with three more arguments: the training file, the test file, and the predictions file, which it must write. The
// program and its children are ended after limit, or when ctx ends. Its output is kept for errors only. A failure is an *Error.
func (c *Command) Run(ctx context.Context, learn, unseen, guesses string, limit time.Duration) error {
	bad := func(tail []string, format string, args ...any) error {
		return &Error{c.String(), fmt.Sprintf(format, args...), tail}
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said := &tail{}
	cmd := exec.CommandContext(limited, c.Args[0], append(c.Args[1:len(c.Args):len(c.Args)], learn, unseen, guesses)...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = grace
	release := group(cmd)
	defer release()
	if err := cmd.Start(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return bad(nil, "%v", err)
	}
	err := cmd.Wait()
	endGroup(cmd) // and its remaining children
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case limited.Err() != nil && err != nil:
		return bad(said.lines(), "took longer than %s", limit)
	case exited:
		return bad(said.lines(), "%v", exit)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay): // ErrWaitDelay: a child kept the output open
		return bad(said.lines(), "%v", err)
	}
	if _, err := os.Stat(guesses); err != nil {
		return bad(said.lines(), "wrote no predictions: the last argument is the file to write them to")
	}
	return nil
}

// tail keeps the last lines written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if over := len(t.b) - tailBytes; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(b), nil
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for line := range bytes.Lines(t.b) {
		if line = bytes.TrimRight(line, "\r\n \t"); len(line) > 0 {
			out = append(out, strings.ToValidUTF8(string(line), "?"))
		}
	}
	return out[max(len(out)-tailLines, 0):]
}
