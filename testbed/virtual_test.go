package testbed_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
)

// generate lives homes in the virtual world and checks what holds for every run: it is valid, all is attributed, it verifies.
func generate(t *testing.T, o testbed.GenerateOptions) (*testbed.GenerateResult, *dataset.Dataset) {
	t.Helper()
	if o.Out == "" {
		o.Out = filepath.Join(t.TempDir(), "set")
	}
	o.Homes, o.Workers, o.Shard, o.Of = max(o.Homes, 1), max(o.Workers, 1), max(o.Shard, 1), max(o.Of, 1)
	if o.Captures == "" {
		o.Captures = dataset.CapturesAll
	}
	res, err := testbed.Generate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Valid || len(res.Reasons) > 0 {
		t.Fatalf("%+v", res)
	}
	v, err := dataset.Verify(o.Out, false)
	if err != nil {
		t.Fatal(err)
	}
	if !v.OK || v.Checked != res.Packets {
		t.Fatalf("%d packets; %+v", res.Packets, v)
	}
	d, err := dataset.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	c := d.Manifest.Counts
	dropped := int64(0)
	for _, n := range c.Drops {
		if n < 0 {
			t.Errorf("a negative count of drops: %+v", c.Drops)
		}
		dropped += n
	}
	if c.LAN != c.WAN-c.WithoutLAN+c.Local+dropped {
		t.Errorf("the counts do not balance: %+v", c)
	}
	if d.Manifest.Fidelity.Unattributed != 0 || d.Manifest.Fidelity.Late != 0 {
		t.Errorf("%+v", d.Manifest.Fidelity)
	}
	return res, d
}

// The same seed gives the same bytes: for any number of workers, any split into shards, and for a run that was stopped.
func TestVirtualBytesAreTheSeeds(t *testing.T) {
	for _, path := range []string{"noisy-napt", "noisy-vpn"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			o := testbed.GenerateOptions{Scenario: load(t, path), Seed: 5, Homes: 4, Duration: 40 * time.Minute}
			one, _ := generate(t, o)
			two := o
			two.Workers = 2
			if r, _ := generate(t, two); r.Digest != one.Digest {
				t.Error("two workers, other bytes")
			}
			other := o
			other.Seed = 6
			if r, _ := generate(t, other); r.Digest == one.Digest {
				t.Error("another seed, equal bytes")
			}
			var parts []string
			for i := range 3 {
				part := o
				part.Shard, part.Of, part.Out = i+1, 3, filepath.Join(t.TempDir(), "part")
				generate(t, part)
				parts = append(parts, part.Out)
			}
			slices.Reverse(parts)
			merged := filepath.Join(t.TempDir(), "merged")
			if _, err := dataset.Merge(parts, merged, nil); err != nil {
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
			stopped.Progress = func(p testbed.GenerateProgress) {
				if p.Homes >= 2 {
					cancel()
				}
			}
			if _, err := testbed.Generate(ctx, stopped); !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped: %v", err)
			}
			stopped.Progress = nil
			r, _ := generate(t, stopped)
			if r.Digest != one.Digest || r.Resumed < 2 {
				t.Errorf("stopped and gone on with: %d homes were there, equal bytes: %v", r.Resumed, r.Digest == one.Digest)
			}
			again, err := testbed.Generate(t.Context(), stopped)
			if err != nil || !again.Complete || again.Digest != one.Digest {
				t.Errorf("started once more: %+v, %v", again, err)
			}
		})
	}
}

// What captures are kept changes nothing else.
func TestVirtualCapturesChangeNoLabel(t *testing.T) {
	t.Parallel()
	o := testbed.GenerateOptions{Scenario: load(t, "noisy-vpn"), Seed: 8, Duration: time.Hour}
	_, all := generate(t, o)
	for _, kind := range []testbed.GenerateOptions{
		{Captures: dataset.CapturesNone}, {Captures: dataset.CapturesWAN, Snaplen: 96}, {Captures: dataset.CapturesAll, Snaplen: 128},
	} {
		x := o
		x.Captures, x.Snaplen = kind.Captures, kind.Snaplen
		_, d := generate(t, x)
		for _, file := range []string{dataset.FilePackets, dataset.FileEvents} {
			path := dataset.HomeDir(0) + "/" + file
			if all.Manifest.Files[path] != d.Manifest.Files[path] {
				t.Errorf("%s, %d bytes: %s differs", x.Captures, x.Snaplen, file)
			}
		}
	}
}

// Hours in both paths dissect cleanly, and tshark's analysis of TCP finds no retransmission that truth does not know. The long
// form is a day.
func TestVirtualDissects(t *testing.T) {
	duration := 2 * time.Hour
	if long() {
		duration = 24 * time.Hour
	}
	for _, path := range []string{"noisy-napt", "noisy-vpn"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			_, d := generate(t, testbed.GenerateOptions{Scenario: load(t, path), Seed: 2, Duration: duration})
			rows := rowsOf(t, d)
			again := func(frame int64) bool {
				r := &rows[frame-1]
				return r.Role == "retransmission" || r.Role == "reconnect" || r.TCPFlags&3 != 0 // a SYN or a FIN keeps its role
			}
			for _, file := range []string{dataset.FileWAN, dataset.FileLAN} {
				seen := dissect(t, d, file, func(f dissected) {
					switch {
					case f.badSum:
						t.Errorf("%s: frame %d has a wrong checksum", file, f.number)
					case f.malformed && (f.again || f.reordered):
						// sent again among others: tshark 4.0's reassembly finds the bytes twice
						if file == dataset.FileWAN && !again(f.number) {
							t.Errorf("frame %d comes twice to tshark, and truth does not know", f.number)
						}
					case f.malformed:
						t.Errorf("%s: frame %d is malformed", file, f.number)
					case f.again && file == dataset.FileWAN && !again(f.number):
						t.Errorf("frame %d is a retransmission to tshark, and %+v in truth", f.number, rows[f.number-1])
					}
				})
				want := []string{"tls", "dns", "ntp", "http"}
				if path == "noisy-vpn" && file == dataset.FileWAN {
					want = []string{"wg"}
					if seen["wg"] != len(rows) {
						t.Errorf("%d of %d frames are WireGuard's", seen["wg"], len(rows))
					}
				}
				for _, proto := range want {
					if seen[proto] == 0 {
						t.Errorf("%s: no %s is recognised", file, proto)
					}
				}
			}
		})
	}
}

// dissected is what tshark says of a frame.
type dissected struct {
	number                              int64
	malformed, badSum, again, reordered bool
}

// dissect has tshark look at all frames of a capture, and counts the protocols that it recognises.
func dissect(t *testing.T, d *dataset.Dataset, file string, each func(dissected)) map[string]int {
	t.Helper()
	seen := make(map[string]int)
	for _, line := range tshark(t, d, file, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-T", "fields", "-E", "occurrence=f", "-e", "frame.number", "-e", "frame.protocols", "-e", "_ws.malformed",
		"-e", "ip.checksum.status", "-e", "tcp.checksum.status", "-e", "udp.checksum.status", "-e", "icmp.checksum.status",
		"-e", "tcp.analysis.retransmission", "-e", "tcp.analysis.fast_retransmission", "-e", "tcp.analysis.out_of_order") {
		f := strings.Split(line, "\t")
		n, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil || len(f) != 10 {
			t.Fatalf("tshark says %q", line)
		}
		for proto := range strings.SplitSeq(f[1], ":") {
			seen[proto]++
		}
		each(dissected{
			number: n, malformed: f[2] != "" || strings.Contains(f[1], "_ws.malformed"), badSum: slices.Contains(f[3:7], "0"),
			again: f[7] != "" || f[8] != "", reordered: f[9] != "",
		})
	}
	return seen
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
				skip(t, "cgo is needed for the race detector: "+strings.TrimSpace(string(out)))
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
