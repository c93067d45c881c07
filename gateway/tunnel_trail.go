package gateway

import (
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/tun"

	"glasshouse/emulator/packet"
)

// trail follows packets through wireguard-go by the address of their buffer's first byte. An entry is made when the engine
// fills a buffer and taken when it hands the same buffer out; a packet that the engine drops leaves an entry behind, which
// the buffer's next use overwrites, so the maps are bounded by the engine's pool.
type trail struct {
	c       *TunnelConfig
	mu      sync.Mutex
	sealing map[*byte]packet.Lineage
	opening map[*byte]OuterKey
}

func (t *trail) read(buf, inner []byte) {
	if t.c.Sealing == nil {
		return
	}
	l := t.c.Sealing(inner)
	t.mu.Lock()
	t.sealing[&buf[0]] = l
	t.mu.Unlock()
}

// send is called with each outer message before it goes out.
func (t *trail) send(outer []byte) {
	if t.c.Sealed == nil {
		return
	}
	kind, key := ParseOuter(outer)
	if kind != OuterData {
		return // a keepalive or handshake carries nothing, even where its buffer once did
	}
	t.mu.Lock()
	l, ok := t.sealing[&outer[0]]
	delete(t.sealing, &outer[0])
	t.mu.Unlock()
	if !ok {
		l = packet.Unattributed()
	}
	t.c.Sealed(key, l)
}

func (t *trail) receive(buf []byte, n int) {
	if t.c.Opened == nil {
		return
	}
	if kind, key := ParseOuter(buf[:n]); kind == OuterData {
		t.mu.Lock()
		t.opening[&buf[0]] = key
		t.mu.Unlock()
	}
}

func (t *trail) write(buf, inner []byte) {
	if t.c.Opened == nil {
		return
	}
	t.mu.Lock()
	key, ok := t.opening[&buf[0]]
	delete(t.opening, &buf[0])
	t.mu.Unlock()
	if ok {
		t.c.Opened(key, inner)
	}
}

// tunDevice gives wireguard-go a TUN that hands over one wire-sized packet at a time.
type tunDevice struct {
	name string
	rw   interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
		Close() error
	}
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
	if err != nil {
		return 0, os.ErrClosed
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
	receive := func(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
		n, from, err := c.ReadFromUDPAddrPort(bufs[0])
		if err != nil {
			return 0, net.ErrClosed
		}
		b.trail.receive(bufs[0], n)
		sizes[0] = n
		eps[0] = endpoint(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
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
	for _, p := range bufs {
		b.trail.send(p)
		if _, err := c.WriteToUDPAddrPort(p, netip.AddrPort(ep.(endpoint))); err != nil {
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
