//go:build !linux

package doctor

import "runtime"

// Examine looks at the machine.
func Examine() Report {
	return Report{Checks: []Check{{
		Name: "Linux", Fix: "live homes need Linux: its network namespaces and TUN interfaces; this is " + runtime.GOOS,
	}}}
}
