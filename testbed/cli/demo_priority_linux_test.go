package cli

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

const priorityChild = "GLASSHOUSE_TEST_PRIORITY"

// All threads yield, and those that are made later do, too. Tried in a process of its own: this one's live homes are not to be slow.
func TestLowerPriorityIsOfAllThreads(t *testing.T) {
	if os.Getenv(priorityChild) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLowerPriorityIsOfAllThreads$")
		cmd.Env = append(os.Environ(), priorityChild+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	locked := func(n int) {
		ready, leave := make(chan struct{}), make(chan struct{})
		for range n {
			go func() {
				runtime.LockOSThread()
				ready <- struct{}{}
				<-leave
			}()
		}
		for range n {
			<-ready
		}
		t.Cleanup(func() { close(leave) })
	}
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := max(raw-lowerBy, 1) // the system call gives 20 less the nice value, which is 19 at most
	locked(4)
	lowerPriority()
	locked(8)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tasks) < 12 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		if got, err := unix.Getpriority(unix.PRIO_PROCESS, tid); err != nil || got != want {
			t.Errorf("thread %d has nice value %d, want %d, %v", tid, 20-got, 20-want, err)
		}
	}
}
