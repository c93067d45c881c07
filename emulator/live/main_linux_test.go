package live

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const (
	insideEnv  = "GLASSHOUSE_LIVE_INSIDE"  // this process is the re-executed one
	outsideEnv = "GLASSHOUSE_LIVE_OUTSIDE" // why it could not be made
)

// TestMain runs the tests as the program runs: in user, network and mount namespaces of their own, entered before a
// socket is opened, so that nothing here reaches the machine's network.
func TestMain(m *testing.M) {
	if os.Getenv(insideEnv) == "" {
		code, err := reexec()
		if err == nil {
			os.Exit(code)
		}
		_ = os.Setenv(outsideEnv, err.Error())
	} else if err := settle(); err != nil {
		_ = os.Setenv(outsideEnv, err.Error())
	}
	goleak.VerifyTestMain(m)
}

func reexec() (int, error) {
	runtime.LockOSThread() // Pdeathsig is the death of the thread that started the child
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("making the tests' namespaces: %w", err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	} else if err != nil {
		return 1, nil
	}
	return 0, nil
}

// settle gives the new namespaces a loopback and a /run of their own.
func settle() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	return unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m")
}

// needNamespaces skips a test that this machine cannot run. In CI that is a failure.
func needNamespaces(t *testing.T) {
	t.Helper()
	why := os.Getenv(outsideEnv)
	if why == "" {
		if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
			why = err.Error()
		} else {
			_ = f.Close()
		}
	}
	switch {
	case why == "":
	case os.Getenv("GLASSHOUSE_CI") != "":
		t.Fatal("no namespaces here: " + why)
	default:
		t.Skip("no namespaces here: " + why)
	}
}
