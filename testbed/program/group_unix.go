//go:build unix

package program

import (
	"os"
	"os/exec"
	"syscall"
)

// group gives a command a process group of its own, which gets SIGTERM when its context ends. Where the kernel supports it, the command
// is also killed with its caller. release must be called after the command has ended.
func group(cmd *exec.Cmd) (release func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	release = dieWithCaller(cmd)
	cmd.Cancel = func() error {
		if syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) != nil {
			return os.ErrProcessDone
		}
		return nil
	}
	return release
}

// endGroup kills the rest of the group of a command that has ended. The group's number is not reused while a member is left.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
