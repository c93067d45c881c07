package transport

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// SetCongestionControl makes a socket use CUBIC, Linux's own default, whatever the machine's administrator has chosen: a home would
// send otherwise on every machine. It is asked for socket by socket, since a namespace may not choose for itself.
func SetCongestionControl(c syscall.RawConn) (err error) {
	if e := c.Control(func(fd uintptr) {
		if err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic"); err != nil { // not built in
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
		}
	}); e != nil {
		return e
	}
	return err
}
