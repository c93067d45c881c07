package shell

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dirs lists the directories that a lab makes, in a /run of its own, for those who enter it.
func Dirs() []string { return []string{controlDir, ownDir} }

// Where a shell's own files are put together, in a tmpfs that only its mount namespace has.
const ownDir = "/run/glasshouse"

const (
	resolvConf  = "/etc/resolv.conf"
	controlDir  = "/run/wireguard"
	controlExt  = ".sock"
	mostSymlink = 40 // as the kernel follows at most (path_resolution(7))
)

// ownMounts gives the calling thread a mount namespace in which files are those of the network namespace that it is in:
// /etc/resolv.conf names that namespace's resolver, /sys shows its interfaces, and /run/wireguard has the control sockets of its
// own tunnels. The thread must be locked and must end with its goroutine, for it cannot go back. What the kernel refuses, as a
// container's masked /sys, is returned as warnings: the shell works without it.
func ownMounts(resolver netip.Addr) (warnings []error, err error) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("making the shell's mount namespace: %w", err)
	}
	if err := unix.Mount("tmpfs", ownDir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=64k"); err != nil {
		return nil, fmt.Errorf("mounting the shell's own files: %w", err)
	}
	if err := ownControls(); err != nil {
		return nil, fmt.Errorf("the tunnel's control sockets: %w", err)
	}
	if err := ownResolver(resolver); err != nil {
		warnings = append(warnings, fmt.Errorf("%s is the host's: %w", resolvConf, err))
	}
	if err := ownSys(); err != nil {
		warnings = append(warnings, fmt.Errorf("/sys shows another namespace's interfaces: %w", err))
	}
	return warnings, nil
}

// ownControls leaves of WireGuard's control sockets those whose interface is in the thread's network namespace.
func ownControls() error {
	own := filepath.Join(ownDir, "wireguard")
	if err := os.Mkdir(own, 0o755); err != nil {
		return err
	}
	sockets, err := filepath.Glob(filepath.Join(controlDir, "*"+controlExt))
	if err != nil {
		return err
	}
	for _, s := range sockets {
		if _, err := net.InterfaceByName(strings.TrimSuffix(filepath.Base(s), controlExt)); err != nil {
			continue
		}
		at := filepath.Join(own, filepath.Base(s))
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			return err
		}
		if err := unix.Mount(s, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("binding %s: %w", s, err)
		}
	}
	return unix.Mount(own, controlDir, "", unix.MS_BIND|unix.MS_REC, "")
}

// ownResolver puts the namespace's resolver in the place of the host's /etc/resolv.conf.
func ownResolver(resolver netip.Addr) error {
	own := filepath.Join(ownDir, "resolv.conf")
	if err := os.WriteFile(own, []byte("nameserver "+resolver.String()+"\n"), 0o644); err != nil {
		return err
	}
	at, err := resolvedPath(resolvConf)
	if err != nil {
		return err
	}
	// With systemd-resolved it is a symbolic link into /run, which is the lab's own and has no such file yet.
	if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(at, "/run/") {
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, nil, 0o644); err != nil {
			return err
		}
	}
	if err := unix.Mount(own, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting over %s: %w", at, err)
	}
	return nil
}

// resolvedPath follows the symbolic links of a path's last element and directory, also where they lead to nothing.
func resolvedPath(path string) (string, error) {
	for range mostSymlink {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, filepath.Base(path))
		to, err := os.Readlink(path)
		if err != nil { // no link, or nothing at all
			return path, nil
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}

// ownSys mounts a sysfs of the thread's network namespace. In a user namespace the kernel takes only mounts that reveal no more
// than the present one, so one that is read-only stays so.
func ownSys() error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	err := unix.Mount("sysfs", "/sys", "sysfs", flags, "")
	if errors.Is(err, unix.EPERM) {
		err = unix.Mount("sysfs", "/sys", "sysfs", flags|unix.MS_RDONLY, "")
	}
	return err
}
