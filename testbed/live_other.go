//go:build !linux

package testbed

import (
	"context"
	"errors"
	"runtime"
)

// ErrCannotIsolate means that the kernel refused the namespaces; doctor says which setting to change.
var ErrCannotIsolate = errors.New("live homes need Linux")

// Child reports that this process is no lab: there are none here.
func Child() (handled bool, code int) { return false, 0 }

func startChild(context.Context, order, string, func(message)) error { return ErrCannotIsolate }

// LabInfo is a lab that runs now.
type LabInfo struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// Labs lists the labs that run now: none here.
func Labs() ([]LabInfo, error) { return nil, nil }

// Shell needs a lab.
func Shell(context.Context, string, string, []string) (int, error) { return 0, ErrCannotIsolate }

// Doctor looks at the machine.
func Doctor() DoctorReport {
	return DoctorReport{Checks: []DoctorCheck{{
		Name: "Linux", Fix: "live homes need Linux: its network namespaces and TUN interfaces; this is " + runtime.GOOS,
	}}}
}
