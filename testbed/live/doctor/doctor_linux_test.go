package doctor

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each way in which the device fails has the one thing to change.
func TestTunFix(t *testing.T) {
	for _, c := range []struct {
		err  error
		mode fs.FileMode
		want string
	}{
		{&os.PathError{Op: "open", Path: "/dev/net/tun", Err: unix.ENOENT}, 0, "modprobe tun"},
		{unix.ENODEV, 0o666, "modprobe tun"},
		{unix.EACCES, 0o600, "chmod 666 /dev/net/tun   (its mode is 0600: EACCES for ordinary users"},
		{unix.EACCES, 0o660, "its mode is 0660"},
		{unix.EACCES, 0o666, "mounted nodev"},
		{unix.EPERM, 0o666, "--device /dev/net/tun"},
		{unix.ENOTTY, 0o644, "mknod -m 666"},
		{unix.EIO, 0o666, "input/output error"},
	} {
		if got := tunFix(c.err, c.mode); !strings.Contains(got, c.want) {
			t.Errorf("%v, mode %04o: %q lacks %q", c.err, c.mode, got, c.want)
		}
	}
}

func TestDoctorNamesAFix(t *testing.T) {
	r := Examine()
	if len(r.Checks) < 8 {
		t.Errorf("%d checks", len(r.Checks))
	}
	for _, c := range r.Checks {
		if c.Name == "" || (c.Fix == "") != c.OK {
			t.Errorf("%+v: a check has a name, and a fix exactly where it failed", c)
		}
	}
}
