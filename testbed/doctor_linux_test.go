package testbed

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each way in which the device fails has the one thing to change.
func TestTunFix(t *testing.T) {
	for _, c := range []struct {
		err  error
		root bool
		want string
	}{
		{&os.PathError{Op: "open", Path: "/dev/net/tun", Err: unix.ENOENT}, true, "modprobe tun"},
		{unix.ENODEV, true, "modprobe tun"},
		{unix.EACCES, false, "chmod 666 /dev/net/tun"},
		{unix.EPERM, true, "--device /dev/net/tun"},
		{unix.ENOTTY, false, "mknod -m 666"},
		{unix.EIO, false, "input/output error"},
	} {
		if got := tunFix(c.err, c.root); !strings.Contains(got, c.want) {
			t.Errorf("%v, root %t: %q lacks %q", c.err, c.root, got, c.want)
		}
	}
}

func TestDoctorNamesAFix(t *testing.T) {
	r := Doctor()
	if len(r.Checks) < 8 {
		t.Errorf("%d checks", len(r.Checks))
	}
	for _, c := range r.Checks {
		if c.Name == "" || (c.Fix == "") != c.OK {
			t.Errorf("%+v: a check has a name, and a fix exactly where it failed", c)
		}
	}
}
