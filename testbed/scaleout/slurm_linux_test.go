package scaleout_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"glasshouse/testbed/dataset"
)

// TestSlurm makes a data set on a real Slurm, in shards of which one is killed: what comes out is what one process makes.
func TestSlurm(t *testing.T) {
	c := startCluster(t)
	run := &slurmRun{cluster: c, program: buildProgram(t)}
	t.Cleanup(func() {
		if pid := shardProgram(run.program, "2/4"); pid != 0 {
			t.Errorf("process %d is left behind", pid)
		}
	})
	var want struct {
		Digest  string
		Packets int64
	}
	whole := output(t, time.Minute, nil, run.program, append(generateFlags(), "-o", filepath.Join(t.TempDir(), "whole"),
		"--workers", strconv.Itoa(runtime.NumCPU()), "--json")...)
	if err := json.Unmarshal([]byte(whole), &want); err != nil {
		t.Fatal(err)
	}

	t.Run("programs stopped", func(t *testing.T) { // shard 2 by a kill, shard 3 as when its time limit comes near
		out := filepath.Join(t.TempDir(), "run")
		array, merge := run.submit(t, out)
		run.untilHalf(t, out, 2)
		pid := shardProgram(run.program, "2/4")
		if pid == 0 || syscall.Kill(pid, syscall.SIGKILL) != nil {
			t.Fatalf("shard 2 was over before it could be killed:\n%s", logOf(out, "shard-2"))
		}
		run.untilHalf(t, out, 3)
		output(t, 10*time.Second, c.env, "scancel", "--signal=USR1", "--batch", array+"_3")
		for _, task := range []string{array + "_2", array + "_3"} {
			waitUntil(t, 20*time.Second, "a stopped task in the queue", func() bool { return c.jobs(t)[task] == "PENDING BeginTime" })
			if state := c.jobs(t)[merge]; state != "PENDING Dependency" {
				t.Errorf("while a shard is missing, the merge is %q", state)
			}
			// Slurm lets a requeued task wait for two minutes. Some seconds do: a start within the second of the end is refused.
			output(t, 10*time.Second, c.env, "scontrol", "update", "JobId="+task, "StartTime=now+3")
		}
		run.finished(t, out, want.Digest, want.Packets)
		run.wentOn(t, out, "shard-2")
		run.wentOn(t, out, "shard-3")
	})

	t.Run("task killed and submitted again", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "run")
		array, merge := run.submit(t, out)
		run.untilHalf(t, out, 2)
		output(t, 10*time.Second, c.env, "scancel", "--signal=KILL", "--full", array+"_2")
		waitUntil(t, 20*time.Second, "the end of a merge that cannot be", func() bool { _, ok := c.jobs(t)[merge]; return !ok })
		if _, err := os.Stat(filepath.Join(out, "dataset")); err == nil {
			t.Fatal("there is a merged data set, though a shard was killed")
		}
		waitUntil(t, 20*time.Second, "the end of the other tasks", func() bool { return len(c.jobs(t)) == 0 })
		run.submit(t, out)
		run.finished(t, out, want.Digest, want.Packets)
		run.wentOn(t, out, "shard-2")
		if n := strings.Count(logOf(out, "shard-1"), `"already": true`); n != 1 {
			t.Errorf("shard 1 was whole, and found to be so %d times", n)
		}
	})
}

// slurmRun is a run of 16 homes in four shards.
type slurmRun struct {
	*cluster
	program string
}

// generateFlags are what makes the run. A home takes long enough to be met alive, and no longer.
func generateFlags() []string {
	return []string{"generate", "noisy-napt", "--homes", "16", "--duration", "2h", "--seed", "5", "--no-pcap"}
}

func (r *slurmRun) submit(t *testing.T, out string) (array, merge string) {
	t.Helper()
	printed := output(t, 20*time.Second, r.env, "slurm/submit.sh", "--scenario", "noisy-napt", "--homes", "16", "--duration", "2h",
		"--seed", "5", "--shards", "4", "--output", out, "--binary", r.program, "--", "--no-pcap")
	f := strings.Fields(printed)
	if len(f) != 6 || !slices.Equal([]string{f[0], f[2], f[4], f[5]}, []string{"shards", "merge", "seed", "5"}) {
		t.Fatalf("submit.sh printed %q", printed)
	}
	return f[1], f[3]
}

// untilHalf waits until a shard has a whole home; three are still to come.
func (r *slurmRun) untilHalf(t *testing.T, out string, shard int) {
	t.Helper()
	journal := filepath.Join(out, "shard-"+strconv.Itoa(shard), "homes.journal")
	waitUntil(t, 30*time.Second, "a whole home", func() bool {
		text, err := os.ReadFile(journal)
		return err == nil && bytes.Count(text, []byte("\n")) > 0
	})
}

// finished waits for the merged data set and holds it to the one of a single process.
func (r *slurmRun) finished(t *testing.T, out, digest string, packets int64) {
	t.Helper()
	set := filepath.Join(out, "dataset")
	waitUntil(t, 45*time.Second, "the merged data set", func() bool { _, err := os.Stat(set); return err == nil })
	waitUntil(t, 20*time.Second, "the end of the merge", func() bool { return len(r.jobs(t)) == 0 })
	d, err := dataset.Open(set)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Manifest.Digest(); got != digest || d.Manifest.Counts.WAN != packets || len(d.Manifest.Homes) != 16 {
		t.Errorf("merged: digest %s of %d packets and %d homes; one process made %s of %d and 16",
			got, d.Manifest.Counts.WAN, len(d.Manifest.Homes), digest, packets)
	}
	var v struct {
		OK       bool
		Problems []string
	}
	if err := json.Unmarshal([]byte(output(t, time.Minute, nil, r.program, "dataset", "verify", set, "--json")), &v); err != nil || !v.OK || len(v.Problems) > 0 {
		t.Errorf("dataset verify: %+v %v", v, err)
	}
	if left, _ := filepath.Glob(filepath.Join(out, ".dataset-*")); len(left) > 0 {
		t.Errorf("the merge left %v", left)
	}
}

// wentOn wants a shard's last start to have gone on from the homes that were whole.
func (r *slurmRun) wentOn(t *testing.T, out, shard string) {
	t.Helper()
	log := logOf(out, shard)
	_, last, _ := strings.Cut(log[strings.LastIndex(log, "\n{")+1:], `"resumed": `)
	if resumed, err := strconv.Atoi(strings.Fields(last + " ?")[0]); err != nil || resumed < 1 || resumed > 3 {
		t.Errorf("%s went on from %d homes (%v), want 1 to 3 of its 4:\n%s", shard, resumed, err, log)
	}
}

// logOf returns what a job printed.
func logOf(out, job string) string {
	text, err := os.ReadFile(filepath.Join(out, "logs", job+".log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
