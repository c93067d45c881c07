package virtual_test

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

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/merge"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/need"
	"glasshouse/testbed/testbedtest"
)

// A home whose packets nobody keeps is spared the bytes that nobody looks at. Its rows are those of a home with captures.
func TestVirtualRowsDoNotDependOnCaptures(t *testing.T) {
	for _, path := range []string{"noisy-napt", "noisy-vpn"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var want [2]string
			for _, kind := range []struct {
				captures string
				snaplen  int
			}{{dataset.CapturesAll, 0}, {dataset.CapturesAll, 128}, {dataset.CapturesWAN, 96}, {dataset.CapturesNone, 0}} {
				o := generate.Options{
					Scenario: testbedtest.Load(t, path), Seed: 8, Duration: 40 * time.Minute, Captures: kind.captures, Snaplen: kind.snaplen,
				}
				_, d := testbedtest.Generate(t, o)
				got := [2]string{d.Manifest.Files["home=000000/"+dataset.FilePackets], d.Manifest.Files["home=000000/"+dataset.FileEvents]}
				if got[0] == "" || got[1] == "" {
					t.Fatalf("%v", d.Manifest.Files)
				}
				if want[0] == "" {
					want = got
				}
				if got != want {
					t.Errorf("captures %s at %d: other rows", kind.captures, kind.snaplen)
				}
			}
		})
	}
}

// The same seed gives the same bytes: for any number of workers, any split into shards, and for a run that was stopped.
func TestVirtualBytesAreTheSeeds(t *testing.T) {
	for _, path := range []string{"noisy-napt", "noisy-vpn"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			o := generate.Options{Scenario: testbedtest.Load(t, path), Seed: 5, Homes: 4, Duration: 40 * time.Minute}
			one, _ := testbedtest.Generate(t, o)
			two := o
			two.Workers = 2
			if r, _ := testbedtest.Generate(t, two); r.Digest != one.Digest {
				t.Error("two workers, other bytes")
			}
			other := o
			other.Seed = 6
			if r, _ := testbedtest.Generate(t, other); r.Digest == one.Digest {
				t.Error("another seed, equal bytes")
			}
			var parts []string
			for i := range 3 {
				part := o
				part.Shard, part.Of, part.Out = i+1, 3, filepath.Join(t.TempDir(), "part")
				testbedtest.Generate(t, part)
				parts = append(parts, part.Out)
			}
			slices.Reverse(parts)
			merged := filepath.Join(t.TempDir(), "merged")
			if _, err := merge.Run(parts, merged, nil); err != nil {
				t.Fatal(err)
			}
			d, err := dataset.Open(merged)
			if err != nil {
				t.Fatal(err)
			}
			if d.Manifest.Digest() != one.Digest {
				t.Error("three shards merged, other bytes")
			}
			stopped := o
			stopped.Out = filepath.Join(t.TempDir(), "stopped")
			ctx, cancel := context.WithCancel(t.Context())
			stopped.Workers, stopped.Shard, stopped.Of, stopped.Captures = 1, 1, 1, dataset.CapturesAll
			stopped.Progress = func(p generate.Progress) {
				if p.Homes >= 2 {
					cancel()
				}
			}
			if _, err := generate.Homes(ctx, stopped); !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped: %v", err)
			}
			stopped.Progress = nil
			r, _ := testbedtest.Generate(t, stopped)
			if r.Digest != one.Digest || r.Resumed < 2 {
				t.Errorf("stopped and gone on with: %d homes were there, equal bytes: %v", r.Resumed, r.Digest == one.Digest)
			}
			again, err := generate.Homes(t.Context(), stopped)
			if err != nil || !again.Already || again.Digest != one.Digest {
				t.Errorf("started once more: %+v, %v", again, err)
			}
		})
	}
}

// The same bytes also from a program that was built otherwise.
func TestVirtualBytesOfOtherBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program three times")
	}
	t.Parallel()
	dir := t.TempDir()
	digests := map[string]string{}
	for name, env := range map[string][]string{"plain": {"CGO_ENABLED=0"}, "v3": {"CGO_ENABLED=0", "GOAMD64=v3"}, "race": {"CGO_ENABLED=1"}} {
		bin := filepath.Join(dir, name)
		args := []string{"build", "-o", bin}
		if name == "race" {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, "glasshouse")...)
		build.Env = append(os.Environ(), env...)
		if out, err := build.CombinedOutput(); err != nil {
			if name == "race" {
				need.Skip(t, "cgo is needed for the race detector: "+strings.TrimSpace(string(out)))
			}
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		run := exec.Command(bin, "generate", "noisy-vpn", "--homes", "2", "--duration", "30m", "--seed", "4", "-o", filepath.Join(dir, name+".set"))
		var out bytes.Buffer
		run.Stdout = &out
		if err := run.Run(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		digests[name] = lines[len(lines)-1]
	}
	if digests["plain"] != digests["v3"] || digests["plain"] != digests["race"] || !strings.HasPrefix(digests["plain"], "digest ") {
		t.Errorf("%v", digests)
	}
}
