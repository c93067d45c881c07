package transport

import (
	"errors"
	"net"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"
)

// QUICStream is a stream as walkers know connections.
type QUICStream struct {
	*quic.Stream
	Conn *quic.Conn
}

// LocalAddr implements net.Conn.
func (s QUICStream) LocalAddr() net.Addr { return s.Conn.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s QUICStream) RemoteAddr() net.Addr { return s.Conn.RemoteAddr() }

// QUICSocket is a UDP socket that quic-go takes for a plain one: it sends one datagram at a time, without segmentation
// offload, and each is announced before it is sent.
type QUICSocket struct {
	Conn     *net.UDPConn
	Read     func(b []byte) (int, net.Addr, error)
	Write    func(b []byte, to net.Addr) (int, error)
	Announce func(b []byte, to net.Addr) bool // false: nobody is there
}

var _ net.PacketConn = (*QUICSocket)(nil)

// ReadFrom implements net.PacketConn.
func (d *QUICSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.Read(b)
		if !errors.Is(err, unix.ECONNREFUSED) { // an ICMP error reached the socket
			return n, from, err
		}
	}
}

// WriteTo implements net.PacketConn.
func (d *QUICSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	if !d.Announce(b, to) {
		return len(b), nil
	}
	n, err := d.Write(b, to)
	if errors.Is(err, unix.ECONNREFUSED) {
		return len(b), nil
	}
	return n, err
}

// Close implements net.PacketConn.
func (d *QUICSocket) Close() error { return d.Conn.Close() }

// LocalAddr implements net.PacketConn.
func (d *QUICSocket) LocalAddr() net.Addr { return d.Conn.LocalAddr() }

// SetDeadline implements net.PacketConn.
func (d *QUICSocket) SetDeadline(t time.Time) error { return d.Conn.SetDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (d *QUICSocket) SetReadDeadline(t time.Time) error { return d.Conn.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn.
func (d *QUICSocket) SetWriteDeadline(t time.Time) error { return d.Conn.SetWriteDeadline(t) }

// SetReadBuffer and SetWriteBuffer let quic-go ask for room.
func (d *QUICSocket) SetReadBuffer(n int) error { return d.Conn.SetReadBuffer(n) }

// SetWriteBuffer implements net.PacketConn.
func (d *QUICSocket) SetWriteBuffer(n int) error { return d.Conn.SetWriteBuffer(n) }
