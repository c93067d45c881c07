//go:build !linux

package shell

import (
	"context"
	"errors"
)

// LabInfo is a lab that runs now.
type LabInfo struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// Labs lists the labs that run now: none here.
func Labs() ([]LabInfo, error) { return nil, nil }

// Run needs a lab.
func Run(context.Context, string, string, []string) (int, error) {
	return 0, errors.New("live homes need Linux")
}
