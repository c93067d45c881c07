//go:build !unix

package program

import "os/exec"

// group leaves a command unchanged: when its context ends, only the command itself is ended.
func group(*exec.Cmd) (release func()) { return func() {} }

func endGroup(*exec.Cmd) {}
