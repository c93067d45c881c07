package realdata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"glasshouse/testbed/dataset"
)

// crossing is a packet that crosses the home's gateway.
type crossing struct {
	at     int64 // ns: UTC as captured, then from the home's start
	up     bool
	unit   int    // index of its capture
	ip     []byte // as much of it as was kept, without padding
	length int    // bytes of the IP packet
}

// remote is the address on the other side, and local the device's port; ok is false where there is none.
func (p *crossing) ends() (proto uint8, local uint16, remote netip.AddrPort, ok bool) {
	b := p.ip
	head := int(b[0]&15) * 4
	far, from, to := b[12:16], head+2, head
	if p.up {
		far, from, to = b[16:20], head, head+2
	}
	proto = b[9]
	addr := netip.AddrFrom4([4]byte(far))
	switch {
	case binary.BigEndian.Uint16(b[6:])&0x1fff != 0: // a later fragment
		return proto, 0, netip.AddrPortFrom(addr, 0), false
	case (proto == protoTCP || proto == protoUDP) && len(b) >= head+4:
		return proto, binary.BigEndian.Uint16(b[from:]), netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[to:])), true
	case proto == protoICMP && len(b) >= head+6 && (b[head] == 8 || b[head] == 0): // echo: its identifier (RFC 5508)
		return proto, binary.BigEndian.Uint16(b[head+4:]), netip.AddrPortFrom(addr, 0), true
	}
	return proto, 0, netip.AddrPortFrom(addr, 0), false
}

const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
)

// read gives the packets of a capture's device that cross the gateway, in the file's order, and the time of its first frame.
func read(c *Capture, unit int) (out []crossing, first int64, err error) {
	r, err := dataset.OpenCapture(c.File)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = r.Close() }()
	for n := 0; ; n++ {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		if n == 0 {
			first = f.TsNs
		}
		if p, ok := c.crosses(f.Data, f.Length); ok {
			p.at, p.unit = f.TsNs, unit
			p.ip = append([]byte(nil), p.ip...)
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, 0, fmt.Errorf("%s: %w of %s", c.File, ErrNothing, c.Profile.Device)
	}
	return out, first, nil
}

// ErrNothing means that a capture has no packet that would leave the home.
var ErrNothing = errors.New("no IPv4 packet that crosses the gateway is in the capture")

// crosses tells whether a frame of length bytes is the device's, and goes to the internet or comes from it. VLAN tags are looked through,
// padding is not counted, payloads may be cut. Nothing that is in the frame makes it panic.
func (c *Capture) crosses(b []byte, length int) (p crossing, ok bool) {
	if len(b) < 14 {
		return p, false
	}
	dst, src := [6]byte(b[:6]), [6]byte(b[6:12])
	kind, off := binary.BigEndian.Uint16(b[12:]), 14
	for (kind == 0x8100 || kind == 0x88a8) && len(b) >= off+4 {
		kind = binary.BigEndian.Uint16(b[off+2:])
		off += 4
	}
	if kind != 0x0800 || len(b) < off+20 {
		return p, false
	}
	ip, size := b[off:], length-off
	head, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0]>>4 != 4 || head < 20 || len(ip) < head || total < head || total > size {
		return p, false
	}
	from, to := netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	switch {
	case c.Addr.IsValid() && from == c.Addr, !c.Addr.IsValid() && src == c.MAC:
		p.up = true
	case c.Addr.IsValid() && to == c.Addr, !c.Addr.IsValid() && dst == c.MAC:
	default:
		return p, false
	}
	far := from
	if p.up {
		far = to
	}
	if !public(far) {
		return p, false
	}
	p.ip, p.length = ip[:min(len(ip), total)], total
	return p, true
}

// public tells whether an address is on the other side of a home's gateway: neither private nor for many, nor nobody's.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && a.As4()[0] != 0 && a.As4()[0] < 240
}
