//go:build !unix

package results

import "time"

// CPUTime is not known here.
func CPUTime() time.Duration { return 0 }
