package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"glasshouse/testbed/live/isolation"
)

// Examine looks at the machine. It changes nothing.
func Examine() Report {
	r := Report{Checks: []Check{
		{Name: "Linux", OK: true},
		sysctlCheck("kernel.unprivileged_userns_clone", "1", "user namespaces are allowed"),
		userNamespaces(),
		sysctlCheck("kernel.apparmor_restrict_unprivileged_userns", "0", "AppArmor lets programs use user namespaces"),
		namespaces(),
		tunDevice(),
	}}
	r.Live = true
	for i, c := range r.Checks { // what is added below makes a run slow or short, not impossible
		// The settings matter only where making namespaces does fail: root is free of most of them.
		if isolated := r.Checks[4].OK; isolated && (i == 1 || i == 2 || i == 3) {
			r.Checks[i].OK, r.Checks[i].Fix = true, ""
			continue
		}
		r.Live = r.Live && c.OK
	}
	r.Checks = append(r.Checks, cores(), disk("."))
	return r
}

func readSysctl(key string) (string, bool) {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(key, ".", "/"))
	return string(bytes.TrimSpace(b)), err == nil
}

func sysctlCheck(key, want, name string) Check {
	v, ok := readSysctl(key)
	c := Check{Name: fmt.Sprintf("%s (%s)", name, key), OK: !ok || v == want}
	if !c.OK {
		c.Fix = fmt.Sprintf("sudo sysctl -w %s=%s", key, want)
	}
	return c
}

func userNamespaces() Check {
	v, ok := readSysctl("user.max_user_namespaces")
	c := Check{Name: "there may be user namespaces (user.max_user_namespaces)", OK: !ok || v != "0"}
	if !c.OK {
		c.Fix = "sudo sysctl -w user.max_user_namespaces=10000"
	}
	return c
}

// namespaces makes the namespaces that a lab needs, in a child that ends at once.
func namespaces() Check {
	c := Check{Name: "user, network and mount namespaces can be made"}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := isolation.Probe(ctx)
	if c.OK = err == nil; !c.OK {
		c.Fix = fmt.Sprintf(
			"see the settings above, or run outside of the container   (the kernel or the container refuses: %v%s)", err, trimmed(out))
	}
	return c
}

func trimmed(b []byte) string {
	if b = bytes.TrimSpace(b); len(b) > 0 {
		return ": " + string(b)
	}
	return ""
}

// tunDevice opens the device and asks it what it can do: a file of that name is not enough.
func tunDevice() Check {
	c := Check{Name: "/dev/net/tun can be opened"}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.IoctlGetUint32(fd, unix.TUNGETFEATURES)
		_ = unix.Close(fd)
	}
	if c.OK = err == nil; !c.OK {
		var mode fs.FileMode
		if i, err := os.Stat("/dev/net/tun"); err == nil {
			mode = i.Mode().Perm()
		}
		c.Fix = tunFix(err, mode)
	}
	return c
}

// tunFix says what to change, by how opening the device failed and its file's mode. A mode that keeps a user out is EACCES, and so
// is a file system mounted with nodev; a device that a container's cgroup withholds is EPERM.
func tunFix(err error, mode fs.FileMode) string {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return "sudo modprobe tun   (in a container, start it with --device /dev/net/tun)"
	case errors.Is(err, unix.EACCES) && mode&0o006 != 0o006:
		return fmt.Sprintf("sudo chmod 666 /dev/net/tun   (its mode is %04o: EACCES for ordinary users; udev sets 0666)", mode)
	case errors.Is(err, unix.EACCES):
		return "in a container, start it with --device /dev/net/tun   (EACCES although the mode allows it: /dev is mounted nodev)"
	case errors.Is(err, fs.ErrPermission):
		return "in a container, start it with --device /dev/net/tun   (EPERM: the container withholds the device, also from root)"
	case errors.Is(err, unix.ENOTTY):
		return "sudo rm /dev/net/tun && sudo modprobe tun && sudo mknod -m 666 /dev/net/tun c 10 200   (what is there is no TUN device)"
	}
	return err.Error()
}

// minDisk is what a demo writes four times over.
const minDisk = 1 << 30

func cores() Check {
	c := Check{Name: "two processors or more", OK: runtime.NumCPU() >= 2}
	if !c.OK {
		c.Fix = "give this machine another processor: with one, homes that run side by side may be late, and their runs not valid"
	}
	return c
}

// disk looks at the file system of a directory.
func disk(dir string) Check {
	c := Check{Name: "1 GB free where datasets go (the working directory)"}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		c.Fix = fmt.Sprintf("the working directory cannot be looked at (%v): run from another", err)
		return c
	}
	free := s.Bavail * uint64(s.Bsize)
	if c.OK = free >= minDisk; !c.OK {
		c.Fix = fmt.Sprintf("%d MB are free: write elsewhere, with -o DIR", free>>20)
	}
	return c
}
