//go:build !linux

package testbed

import "runtime"

// Doctor looks at the machine.
func Doctor() DoctorReport {
	return DoctorReport{Checks: []DoctorCheck{{
		Name: "Linux", Fix: "live homes need Linux: its network namespaces and TUN interfaces; this is " + runtime.GOOS,
	}}}
}
