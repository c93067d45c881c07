package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Doctor looks at the machine. It changes nothing.
func Doctor() DoctorReport {
	r := DoctorReport{Checks: []DoctorCheck{
		{Name: "Linux", OK: true},
		sysctlCheck("kernel.unprivileged_userns_clone", "1", "user namespaces are allowed"),
		userNamespaces(),
		sysctlCheck("kernel.apparmor_restrict_unprivileged_userns", "0", "AppArmor lets programs use user namespaces"),
		isolation(),
		tunDevice(),
	}}
	r.Live = true
	for i, c := range r.Checks {
		// The settings matter only where making namespaces does fail: root is free of most of them.
		if isolated := r.Checks[4].OK; isolated && (i == 1 || i == 2 || i == 3) {
			r.Checks[i].OK, r.Checks[i].Fix = true, ""
			continue
		}
		r.Live = r.Live && c.OK
	}
	return r
}

func readSysctl(key string) (string, bool) {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(key, ".", "/"))
	return string(bytes.TrimSpace(b)), err == nil
}

func sysctlCheck(key, want, name string) DoctorCheck {
	v, ok := readSysctl(key)
	c := DoctorCheck{Name: fmt.Sprintf("%s (%s)", name, key), OK: !ok || v == want}
	if !c.OK {
		c.Fix = fmt.Sprintf("sudo sysctl -w %s=%s", key, want)
	}
	return c
}

func userNamespaces() DoctorCheck {
	v, ok := readSysctl("user.max_user_namespaces")
	c := DoctorCheck{Name: "there may be user namespaces (user.max_user_namespaces)", OK: !ok || v != "0"}
	if !c.OK {
		c.Fix = "sudo sysctl -w user.max_user_namespaces=10000"
	}
	return c
}

// isolation makes the namespaces that a lab needs, in a child that ends at once.
func isolation() DoctorCheck {
	c := DoctorCheck{Name: "user, network and mount namespaces can be made"}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), probeEnv+"="+childVersion)
	cmd.SysProcAttr = isolate()
	out, err := cmd.CombinedOutput()
	if c.OK = err == nil; !c.OK {
		c.Fix = fmt.Sprintf("the kernel, or the container around this program, refuses (%v%s); see the settings above, or run outside of the container", err, trimmed(out))
	}
	return c
}

func trimmed(b []byte) string {
	if b = bytes.TrimSpace(b); len(b) > 0 {
		return ": " + string(b)
	}
	return ""
}

// isolate asks for the namespaces of a lab. Nobody changes who they are: root keeps all the ids that it has, so that tools
// which give up root for a user of their own still can; anybody else keeps the one that they are, and is handed the
// capabilities over what is inside.
func isolate() *syscall.SysProcAttr {
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
			a.GidMappings[0].Size, a.GidMappingsEnableSetgroups = n, true
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

func tunDevice() DoctorCheck {
	c := DoctorCheck{Name: "/dev/net/tun can be opened"}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if c.OK = err == nil; c.OK {
		_ = unix.Close(fd)
		return c
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Fix = "sudo modprobe tun   (in a container, start it with --device /dev/net/tun)"
	case errors.Is(err, fs.ErrPermission):
		c.Fix = "sudo chmod 666 /dev/net/tun   (its mode keeps ordinary users out; most distributions ship it so)"
	default:
		c.Fix = err.Error()
	}
	return c
}
