package live

import (
	"errors"
	"net"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"
)

// quicStream is a stream as walkers know connections.
type quicStream struct {
	*quic.Stream
	conn *quic.Conn
}

func (s quicStream) LocalAddr() net.Addr  { return s.conn.LocalAddr() }
func (s quicStream) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// datagramSocket is a UDP socket that quic-go takes for a plain one: it sends one datagram at a time, without segmentation
// offload, and each is announced before it is sent.
type datagramSocket struct {
	Conn     *net.UDPConn
	read     func(b []byte) (int, net.Addr, error)
	write    func(b []byte, to net.Addr) (int, error)
	announce func(b []byte, to net.Addr) bool // false: nobody is there
}

var _ net.PacketConn = (*datagramSocket)(nil)

func (d *datagramSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.read(b)
		if !errors.Is(err, unix.ECONNREFUSED) { // an ICMP error reached the socket
			return n, from, err
		}
	}
}

func (d *datagramSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	if !d.announce(b, to) {
		return len(b), nil
	}
	n, err := d.write(b, to)
	if errors.Is(err, unix.ECONNREFUSED) {
		return len(b), nil
	}
	return n, err
}

func (d *datagramSocket) Close() error                       { return d.Conn.Close() }
func (d *datagramSocket) LocalAddr() net.Addr                { return d.Conn.LocalAddr() }
func (d *datagramSocket) SetDeadline(t time.Time) error      { return d.Conn.SetDeadline(t) }
func (d *datagramSocket) SetReadDeadline(t time.Time) error  { return d.Conn.SetReadDeadline(t) }
func (d *datagramSocket) SetWriteDeadline(t time.Time) error { return d.Conn.SetWriteDeadline(t) }

// SetReadBuffer and SetWriteBuffer let quic-go ask for room.
func (d *datagramSocket) SetReadBuffer(n int) error  { return d.Conn.SetReadBuffer(n) }
func (d *datagramSocket) SetWriteBuffer(n int) error { return d.Conn.SetWriteBuffer(n) }
