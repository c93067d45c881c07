package truth

import (
	"net"
	"sync"

	"glasshouse/emulator/packet"
)

// StreamConn announces every byte that is written to a TCP connection, under the tag that is current.
type StreamConn struct {
	net.Conn
	flow *Flow
	dir  int8

	mu  sync.Mutex
	tag packet.Tag
}

// NewStreamConn wraps c; dir is the direction of what is written: packet.Up at the device, packet.Down at the server.
func NewStreamConn(c net.Conn, f *Flow, dir int8, tag packet.Tag) *StreamConn {
	return &StreamConn{Conn: c, flow: f, dir: dir, tag: tag}
}

// SetTag sets the tag of the bytes written from now on.
func (c *StreamConn) SetTag(t packet.Tag) {
	c.mu.Lock()
	c.tag = t
	c.mu.Unlock()
}

// Write implements net.Conn.
func (c *StreamConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	tag := c.tag
	c.mu.Unlock()
	c.flow.Stream(c.dir, len(p), tag)
	return c.Conn.Write(p)
}

// DatagramConn announces every datagram that is written to a connected UDP socket.
type DatagramConn struct {
	net.Conn
	flow *Flow
	dir  int8

	mu  sync.Mutex
	tag packet.Tag
}

// NewDatagramConn wraps c; dir is the direction of what is written.
func NewDatagramConn(c net.Conn, f *Flow, dir int8, tag packet.Tag) *DatagramConn {
	return &DatagramConn{Conn: c, flow: f, dir: dir, tag: tag}
}

// SetTag sets the tag of the datagrams written from now on.
func (c *DatagramConn) SetTag(t packet.Tag) {
	c.mu.Lock()
	c.tag = t
	c.mu.Unlock()
}

// Write implements net.Conn.
func (c *DatagramConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	tag := c.tag
	c.mu.Unlock()
	c.flow.Datagram(c.dir, p, tag)
	return c.Conn.Write(p)
}
