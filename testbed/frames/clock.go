package frames

import (
	"fmt"
	"time"
)

// Clock watches the times of a capture for what its clock did. The zero value is ready.
type Clock struct {
	last, worst   int64
	steps         int64
	stale, recent int64 // frames of before and after the year 2000
	begun         bool
}

// jitter is how far frames of several interfaces, or of two threads of a capturing program, are out of order without anything being wrong, ns.
const jitter = 10e6

// firstCredible is before any capture whose clock was set: clocks that were not begin in 1970, or with their firmware.
var firstCredible = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

func (c *Clock) see(at int64) {
	if c.begun && at < c.last-jitter {
		c.steps++
		c.worst = max(c.worst, c.last-at)
	}
	if at < firstCredible {
		c.stale++
	} else {
		c.recent++
	}
	c.last, c.begun = at, true
}

// Steps is how often a frame is earlier than the one before it, by more than jitter.
func (c *Clock) Steps() int64 { return c.steps }

// Notes say what is odd about the times.
func (c *Clock) Notes() []string {
	var notes []string
	if c.steps > 0 {
		notes = append(notes, fmt.Sprintf("times go back %d times, by %s at most: the frames are not in the order of time, or the clock was set",
			c.steps, time.Duration(c.worst).Round(time.Millisecond)))
	}
	switch {
	case c.stale > 0 && c.recent > 0:
		notes = append(notes, fmt.Sprintf("%d frames are of before the year 2000 and %d are not: the clock was set while the capture ran", c.stale, c.recent))
	case c.stale > 0:
		notes = append(notes, fmt.Sprintf("the times are of %d: the clock of what captured was not set", time.Unix(0, c.last).UTC().Year()))
	}
	return notes
}
