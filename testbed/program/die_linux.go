package program

import (
	"os/exec"
	"runtime"
	"syscall"
)

// dieWithCaller lets a command be killed when the thread that starts it dies, which is kept until release. What it has started itself
// is not.
func dieWithCaller(cmd *exec.Cmd) (release func()) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
