package tunnel

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/tun"
)

// tunDevice gives wireguard-go a TUN that hands over one wire-sized packet at a time.
type tunDevice struct {
	name   string
	rw     io.ReadWriteCloser
	mtu    int
	events chan tun.Event
	trail  *trail
	once   sync.Once
}

var _ tun.Device = (*tunDevice)(nil)

func (d *tunDevice) File() *os.File           { return nil }
func (d *tunDevice) MTU() (int, error)        { return d.mtu, nil }
func (d *tunDevice) Name() (string, error)    { return d.name, nil }
func (d *tunDevice) Events() <-chan tun.Event { return d.events }
func (d *tunDevice) BatchSize() int           { return 1 }

func (d *tunDevice) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	n, err := d.rw.Read(bufs[0][offset:])
	switch {
	case errors.Is(err, io.EOF):
		return 0, os.ErrClosed
	case err != nil:
		return 0, err
	case n == 0:
		return 0, nil
	}
	sizes[0] = n
	d.trail.read(bufs[0], bufs[0][offset:offset+n])
	return 1, nil
}

func (d *tunDevice) Write(bufs [][]byte, offset int) (int, error) {
	for i, b := range bufs {
		d.trail.write(b, b[offset:])
		if _, err := d.rw.Write(b[offset:]); err != nil {
			return i, err
		}
	}
	return len(bufs), nil
}

func (d *tunDevice) Close() error {
	var err error
	d.once.Do(func() {
		err = d.rw.Close()
		close(d.events)
	})
	return err
}

// bind is wireguard-go's outer socket: one datagram a Send, no segmentation offload.
type bind struct {
	listen func(port uint16) (*net.UDPConn, error)
	trail  *trail

	mu   sync.Mutex
	conn *net.UDPConn
}

var _ conn.Bind = (*bind)(nil)

func (b *bind) Open(port uint16) ([]conn.ReceiveFunc, uint16, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil {
		return nil, 0, conn.ErrBindAlreadyOpen
	}
	c, err := b.listen(port)
	if err != nil {
		return nil, 0, err
	}
	b.conn = c
	var last netip.AddrPort // the sender is nearly always the same: its endpoint is made once
	var lastEndpoint conn.Endpoint
	receive := func(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
		n, from, err := c.ReadFromUDPAddrPort(bufs[0])
		if err != nil {
			return 0, err // wraps net.ErrClosed after Close
		}
		if from != last || lastEndpoint == nil {
			last, lastEndpoint = from, endpoint(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		}
		b.trail.receive(bufs[0], n)
		sizes[0], eps[0] = n, lastEndpoint
		return 1, nil
	}
	return []conn.ReceiveFunc{receive}, uint16(c.LocalAddr().(*net.UDPAddr).Port), nil
}

func (b *bind) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil {
		return nil
	}
	err := b.conn.Close()
	b.conn = nil
	return err
}

func (b *bind) Send(bufs [][]byte, ep conn.Endpoint) error {
	b.mu.Lock()
	c := b.conn
	b.mu.Unlock()
	if c == nil {
		return net.ErrClosed
	}
	to, ok := ep.(endpoint)
	if !ok {
		return conn.ErrWrongEndpointType
	}
	for _, p := range bufs {
		b.trail.send(p)
		if _, err := c.WriteToUDPAddrPort(p, netip.AddrPort(to)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bind) SetMark(uint32) error { return nil }
func (b *bind) BatchSize() int       { return 1 }

func (b *bind) ParseEndpoint(s string) (conn.Endpoint, error) {
	ap, err := netip.ParseAddrPort(s)
	return endpoint(ap), err
}

// endpoint is a peer's outer address.
type endpoint netip.AddrPort

var _ conn.Endpoint = endpoint{}

func (e endpoint) ClearSrc()           {}
func (e endpoint) SrcToString() string { return "" }
func (e endpoint) DstToString() string { return netip.AddrPort(e).String() }
func (e endpoint) DstToBytes() []byte {
	b, _ := netip.AddrPort(e).MarshalBinary()
	return b
}
func (e endpoint) DstIP() netip.Addr { return netip.AddrPort(e).Addr() }
func (e endpoint) SrcIP() netip.Addr { return netip.Addr{} }
