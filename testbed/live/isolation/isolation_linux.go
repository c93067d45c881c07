// Package isolation asks Linux for the namespaces that a live lab lives in, and finds out whether it grants them. A process that is
// started with them is cut off from the host's network; nothing of the host is changed.
package isolation

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Attributes asks for the namespaces of a lab. Nobody changes who they are: root keeps all the ids that it has, so that tools
// which give up root for a user of their own still can; anybody else keeps the one that they are, and is handed the
// capabilities over what is inside.
func Attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGTERM,
		Setpgid:     true, // Ctrl-C reaches the parent alone, which stops the lab in order
	}
	if os.Getuid() == 0 {
		if n := mapped("/proc/self/uid_map"); n > 0 {
			a.UidMappings[0].Size = n
		}
		if n := mapped("/proc/self/gid_map"); n > 0 {
			// Where this process may not drop groups itself, as below `unshare -r`, nothing that it starts may.
			may, err := os.ReadFile("/proc/self/setgroups")
			a.GidMappings[0].Size, a.GidMappingsEnableSetgroups = n, err == nil && string(bytes.TrimSpace(may)) == "allow"
		}
		return a
	}
	a.AmbientCaps = []uintptr{
		unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SYS_PTRACE,
	}
	return a
}

// mapped returns how many ids from 0 on this process's user namespace knows, if its map is one line from 0.
func mapped(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	var inside, outside, n int
	if _, err := fmt.Sscan(string(b), &inside, &outside, &n); err != nil || inside != 0 {
		return 0
	}
	return n
}

// probeName is argv[0] of a child that shows that it can be made, and ends.
const probeName = "glasshouse: probe"

// Probe makes the namespaces that a lab needs, for a child that ends at once, and returns what the child says where it fails.
func Probe(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{probeName}
	cmd.SysProcAttr = Attributes()
	return cmd.CombinedOutput()
}

// IsProbe tells whether this process is the child of Probe: it must end at once, with exit code 0.
func IsProbe() bool { return os.Args[0] == probeName }
