package cli

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lowerBy is added to the nice value of a process that trains beside live homes.
const lowerBy = 5

// lowerPriority makes this process yield the processor to those that it has started, whose timers must fire on time. Linux keeps a nice
// value per thread, and a new thread has that of the thread which made it: passes are made until one finds no other thread. A process
// without the permission continues unchanged.
func lowerPriority() {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // the system call gives 20 less the nice value
	if err != nil {
		return
	}
	nice := min(20-raw+lowerBy, 19) // a value set with nice(1) is kept
	done := make(map[int]bool)
	for found := true; found; {
		found = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil || done[tid] {
				continue
			}
			done[tid], found = true, true
			_ = unix.Setpriority(unix.PRIO_PROCESS, tid, nice) // the thread may have ended
		}
	}
}
