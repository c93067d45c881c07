package results_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed/reproduce/results"
)

// parts are three parts that count how often they are run.
func parts(runs map[string]int, fail map[string]error) []results.Part {
	var out []results.Part
	for _, name := range []string{"first", "second", "third"} {
		out = append(out, results.Part{
			Name: name, Title: "The " + name + " part", Measures: "What is measured.", Command: "glasshouse reproduce all --parts " + name,
			Options: map[string]int{"homes": 3}, Estimate: time.Minute,
			Run: func(ctx context.Context, dir string) (*results.Content, error) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				runs[name]++
				if err := os.WriteFile(filepath.Join(dir, "left"), nil, 0o644); err != nil {
					return nil, err
				}
				return &results.Content{Tables: []results.Table{{Columns: []string{"a", "b"}, Rows: [][]string{{name, "x|y"}}}}}, fail[name]
			},
		})
	}
	return out
}

func plan(dir string, p []results.Part) *results.Plan {
	return &results.Plan{
		Dir: dir, Parts: p, Command: "glasshouse reproduce all", Build: results.Build{Version: "1", Commit: "c0ffee", Go: "go1"},
		Catalogue: "abc", Machine: results.Machine{CPU: "a processor", Cores: 2}, Seed: 1, Now: time.Now,
		CPU: results.CPUTime, Tell: func(results.Progress) {},
	}
}

func text(t *testing.T, r *results.Results) string {
	t.Helper()
	var b strings.Builder
	if err := r.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestResume: a run that is stopped within a part loses that part alone; results of another state are not used.
func TestResume(t *testing.T) {
	dir, runs := t.TempDir(), map[string]int{}
	stopped, stop := context.WithCancel(t.Context())
	list := parts(runs, nil)
	second := list[1].Run
	list[1].Run = func(ctx context.Context, dir string) (*results.Content, error) {
		stop()
		return second(ctx, dir)
	}
	if _, err := plan(dir, list).Run(stopped); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r, err := plan(dir, parts(runs, nil)).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if runs["first"] != 1 || runs["second"] != 1 || runs["third"] != 1 {
		t.Errorf("after a stop: %v", runs)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "work", "*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if again, err := plan(dir, parts(runs, nil)).Run(t.Context()); err != nil || runs["first"] != 1 {
		t.Errorf("a second run: %v, %v", runs, err)
	} else if again.Made = r.Made; text(t, r) != text(t, again) {
		t.Errorf("a second run writes something else:\n%s\n%s", text(t, r), text(t, again))
	}
	for what, change := range map[string]func(*results.Plan){
		"another build":            func(p *results.Plan) { p.Build.Commit = "dead" },
		"another device catalogue": func(p *results.Plan) { p.Catalogue = "abd" },
		"seed 1":                   func(p *results.Plan) { p.Seed = 2 },
		"other options":            func(p *results.Plan) { p.Parts[0].Options = map[string]int{"homes": 4} },
	} {
		p := plan(dir, parts(map[string]int{}, nil))
		p.Only = []string{"third"}
		change(p)
		r, err := p.Run(t.Context())
		if err != nil || r.Sections[0].Content != nil || !strings.Contains(r.Sections[0].Missing, what) {
			t.Errorf("%s: %+v %v", what, r.Sections[0], err)
		}
	}
	runs = map[string]int{}
	p := plan(dir, parts(runs, nil))
	p.Build.Commit = "dead"
	if _, err := p.Run(t.Context()); err != nil || runs["first"] != 1 {
		t.Errorf("another build: %v %v", runs, err)
	}
}

// TestParts: one that fails, is missing something or is not valid leaves the others their results, and the file says why it has none.
func TestParts(t *testing.T) {
	runs, broken := map[string]int{}, errors.New("it broke")
	r, err := plan(t.TempDir(), parts(runs, map[string]error{"first": broken, "second": &results.MissingError{Reason: "Needs " +
		"X."}})).Run(t.Context())
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "first") || runs["third"] != 1 {
		t.Errorf("%v %v", err, runs)
	}
	if open := r.Open(); len(open) != 1 || open[0] != "first" {
		t.Errorf("open: %v", open)
	}
	got := text(t, r)
	for _, want := range []string{
		"No result. It failed: it broke", "No result. Needs X.", "| third | x\\|y |",
		"[The second part](#the-second-part): no result",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	dir := t.TempDir()
	invalid := map[string]error{"third": fmt.Errorf("live: %w", &results.InvalidError{Reason: "drops"})}
	if r, err = plan(dir, parts(runs, invalid)).Run(t.Context()); err != nil || !r.Sections[2].Invalid {
		t.Errorf("%+v %v", r.Sections[2], err)
	}
	if _, err = plan(dir, parts(runs, nil)).Run(t.Context()); err != nil || runs["third"] != 3 {
		t.Errorf("what was not valid is not run again: %v %v", runs, err)
	}
}

// TestCheck: a figure that was changed by hand is found, a file of an older state is told, and one that is neither is accepted.
func TestCheck(t *testing.T) {
	r, err := plan(t.TempDir(), parts(map[string]int{}, nil)).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := text(t, r)
	s, err := results.Check(good)
	if err != nil || s.Catalogue != "abc" || s.Commit != "c0ffee" || s.Quick {
		t.Fatalf("%+v %v", s, err)
	}
	if n := s.Notices(results.Build{Commit: "c0ffee"}, "abc"); len(n) > 0 {
		t.Errorf("%v", n)
	}
	if n := s.Notices(results.Build{Commit: "dead"}, "abd"); len(n) != 2 || !strings.Contains(n[0], "abd") || !strings.Contains(n[1], "dead") {
		t.Errorf("%v", n)
	}
	if _, err := results.Check(strings.ReplaceAll(good, "\n", "\r\n")); err != nil {
		t.Errorf("a checkout with CRLF: %v", err)
	}
	for _, bad := range []string{
		strings.Replace(good, "third |", "third, better |", 1), strings.Replace(good, "Seed | 1", "Seed | 2", 1), good + "more\n", "\n" + good,
	} {
		if bad == good {
			t.Fatal("nothing was changed")
		}
		if _, err := results.Check(bad); err == nil {
			t.Errorf("accepted:\n%s", bad)
		}
	}
	if _, err := results.Check("# Results\n"); !errors.Is(err, results.ErrNoSeal) {
		t.Error(err)
	}
}

func TestClaimDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	draw := func() uint64 { return 7 }
	one := uint64(1)
	for _, c := range []struct {
		seed *uint64
		want uint64
	}{{nil, 7}, {nil, 7}, {&one, 1}, {nil, 1}} {
		if got, err := results.ClaimDir(dir, c.seed, draw); err != nil || got != c.want {
			t.Errorf("%d %v, want %d", got, err, c.want)
		}
		draw = func() uint64 { return 8 }
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := results.ClaimDir(other, nil, draw); !errors.Is(err, results.ErrOther) {
		t.Error(err)
	}
}

func TestIdentify(t *testing.T) {
	for commit, identified := range map[string]bool{"": true, "c0ffee-dirty": true, "c0ffee": false} {
		b := results.Build{Commit: commit}
		if err := b.Identify(); err != nil || (b.Program != "") != identified {
			t.Errorf("%q: %q %v", commit, b.Program, err)
		}
	}
	if m := results.ThisMachine(); m.Cores < 1 || m.CPU == "" || m.Kernel == "" {
		t.Errorf("%+v", m)
	}
}
