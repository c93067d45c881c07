package scaleout_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cluster is a Slurm of one node on the loopback, all of whose files and ports are its own.
type cluster struct {
	dir string
	env []string // by which Slurm's commands find it
}

// slurmConf needs no privilege beyond root's, no cgroup and no database. The node says that it has four processors, so that
// the whole array runs at once.
const slurmConf = `ClusterName=glasshouse
SlurmctldHost=%[1]s(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=%[2]s/munge.sock
CryptoType=crypto/munge
SlurmctldPort=%[3]d
SlurmdPort=%[4]d
StateSaveLocation=%[2]s/state
SlurmdSpoolDir=%[2]s/spool
SlurmctldPidFile=%[2]s/slurmctld.pid
SlurmdPidFile=%[2]s/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
KillWait=1
NodeName=%[1]s NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=%[1]s Default=YES MaxTime=INFINITE State=UP
`

// startCluster starts munged, slurmctld and slurmd, and ends them with the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "Slurm's daemons are started as root")
	}
	paths := make(map[string]string)
	for _, name := range []string{"munged", "slurmctld", "slurmd", "sbatch", "scontrol", "scancel", "squeue"} {
		path, err := exec.LookPath(name)
		if err != nil {
			path, err = exec.LookPath(filepath.Join("/usr/sbin", name))
		}
		if err != nil {
			skip(t, "no "+name+" here: apt-get install slurmctld slurmd slurm-client munge")
		}
		paths[name] = path
	}
	dir, err := os.MkdirTemp("", "glasshouse-slurm") // not t.TempDir: munged wants its socket where all may look for it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &cluster{dir: dir}
	conf := filepath.Join(c.dir, "slurm.conf")
	c.env = []string{"SLURM_CONF=" + conf}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	ports := freePorts(t, 2)
	c.write(t, "slurm.conf", fmt.Appendf(nil, slurmConf, host, c.dir, ports[0], ports[1]))
	c.write(t, "munge.key", bytes.Repeat([]byte("a key that guards nothing"), 10))
	for _, dir := range []string{"state", "spool"} {
		if err := os.Mkdir(filepath.Join(c.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(c.dir, name) }
	c.daemon(t, paths["munged"], "--foreground", "--key-file="+at("munge.key"), "--socket="+at("munge.sock"),
		"--pid-file="+at("munged.pid"), "--seed-file="+at("munged.seed"))
	waitUntil(t, 10*time.Second, "munged's socket", func() bool { _, err := os.Stat(at("munge.sock")); return err == nil })
	c.daemon(t, paths["slurmctld"], "-D", "-i", "-f", conf)
	c.daemon(t, paths["slurmd"], "-D", "-f", conf)
	waitUntil(t, 30*time.Second, "an idle node", func() bool {
		out, err := try(t, 5*time.Second, c.env, "sinfo", "-h", "-o", "%T")
		return err == nil && strings.TrimSpace(out) == "idle"
	})
	t.Cleanup(func() { // before the daemons end: they end what the jobs started
		if _, err := try(t, 10*time.Second, c.env, "scancel", "--user=root"); err != nil {
			t.Error(err)
		}
		waitUntil(t, 20*time.Second, "the end of all jobs", func() bool { return len(c.jobs(t)) == 0 })
	})
	return c
}

func (c *cluster) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// daemon starts a program that stays in the foreground, and ends it with the test.
func (c *cluster) daemon(t *testing.T, path string, args ...string) {
	t.Helper()
	logs, err := os.Create(filepath.Join(c.dir, filepath.Base(path)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), c.env...), logs, logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // what it ended with matters to nobody
	t.Cleanup(func() {
		defer logs.Close()
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(15 * time.Second):
			t.Errorf("%s: still there 15 s after SIGTERM", path)
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			text, _ := os.ReadFile(logs.Name())
			t.Logf("%s:\n%s", filepath.Base(path), text)
		}
	})
}

// jobs returns state and reason of each job that is not over, by its number; tasks of an array are one each.
func (c *cluster) jobs(t *testing.T) map[string]string {
	t.Helper()
	jobs := make(map[string]string)
	for line := range strings.Lines(output(t, 10*time.Second, c.env, "squeue", "-h", "-r", "-o", "%i %T %r")) {
		id, state, _ := strings.Cut(strings.TrimSpace(line), " ")
		jobs[id] = state
	}
	return jobs
}

// shardProgram finds the process that makes a shard; 0 if there is none.
func shardProgram(program, shard string) int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !bytes.HasPrefix(cmdline, []byte(program+"\x00generate\x00")) || !bytes.Contains(cmdline, []byte("\x00--shard\x00"+shard+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil {
			return pid
		}
	}
	return 0
}

// freePorts returns TCP ports of the loopback that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// waitUntil waits for something, and fails the test if it does not come.
func waitUntil(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > within {
			t.Fatalf("%s did not come within %s", what, within)
		}
	}
}
