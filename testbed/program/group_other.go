//go:build !unix

package program

import "os/exec"

// group leaves a command as it is: when its context ends it is ended, alone.
func group(*exec.Cmd) (release func()) { return func() {} }

func endGroup(*exec.Cmd) {}
