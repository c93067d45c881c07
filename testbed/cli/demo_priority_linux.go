package cli

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lowNice is the nice value of a process that trains beside live homes.
const lowNice = 5

// lowerPriority makes this process yield the processor to those that it has started, whose timers must fire on time. Linux keeps a nice
// value per thread, and a new thread has that of the thread which made it: passes are made until one finds no other thread. A process that
// may not do so goes on as it is.
func lowerPriority() {
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
			_ = unix.Setpriority(unix.PRIO_PROCESS, tid, lowNice) // the thread may have ended
		}
	}
}
