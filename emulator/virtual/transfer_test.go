package virtual

import (
	"testing"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
)

// A long transfer on a path that loses packets ends well: a window that has closed, while a gap was open and its successors waited,
// opens again, and where the word of it is lost the sender asks.
func TestLongTransfersUnderLoss(t *testing.T) {
	for seed := range uint64(30) {
		for _, loss := range []int{5, 20} {
			for _, dir := range []int8{profile.Up, profile.Down} {
				l := newLAN(t, seed, loss, "one")
				l.check = false
				a := activity(1e9, "raw", true, script.Message{Dir: profile.Up, Size: 100}, script.Message{Dir: dir, Size: 3 << 20})
				outcome := ""
				l.net.Host(0).Perform(&a, 0, func(o string, _ int64) { outcome = o })
				l.clock.Run(int64(5 * time.Minute))
				if outcome != "ok" {
					t.Errorf("seed %d, %d of 1000 lost, direction %d: outcome %q", seed, loss, dir, outcome)
				}
			}
		}
	}
}
