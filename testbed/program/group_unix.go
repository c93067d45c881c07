//go:build unix

package program

import (
	"os"
	"os/exec"
	"syscall"
)

// group gives a command a process group of its own, which is asked to end when its context does. Where the kernel can, the command
// itself also ends when its caller is killed; release is to be called once it has ended.
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

// endGroup ends what is left of the group of a command that has ended itself. As long as there is anything left, its number is no
// other's.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
