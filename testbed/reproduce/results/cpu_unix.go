//go:build unix

package results

import (
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime is the processor time of this process and of its children that have ended.
func CPUTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}
