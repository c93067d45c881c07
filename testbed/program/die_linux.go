package program

import (
	"os/exec"
	"runtime"
	"syscall"
)

// dieWithCaller makes the kernel kill a command when the thread that starts it dies; the thread is kept until release. The command's own
// children are not killed.
func dieWithCaller(cmd *exec.Cmd) (release func()) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
