package live

import (
	"net"

	"golang.org/x/sys/unix"
)

// apart is a TCP connection on which each write leaves in segments of its own: the kernel does not join it with the next, however
// many wait (MSG_EOR).
type apart struct{ *net.TCPConn }

var _ net.Conn = apart{}

// socket is a connection as the device's stack writes to it.
func (h *Host) socket(c net.Conn) net.Conn {
	if raw, ok := c.(*net.TCPConn); ok && h.c.Specimen.Profile.Stack.Apart {
		return apart{raw}
	}
	return c
}

// Write implements net.Conn.
func (c apart) Write(p []byte) (n int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	for n < len(p) && err == nil {
		var k int
		var failed error
		err = raw.Write(func(fd uintptr) bool {
			k, failed = unix.SendmsgN(int(fd), p[n:], nil, nil, unix.MSG_EOR|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			return failed != unix.EAGAIN
		})
		if err == nil && failed != nil && failed != unix.EINTR {
			err = &net.OpError{Op: "write", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: failed}
		}
		n += max(k, 0)
	}
	return n, err
}
