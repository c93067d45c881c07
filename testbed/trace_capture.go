package testbed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"glasshouse/devices/learn"
	"glasshouse/testbed/dataset"
)

// TraceOptions say whose packets are read from a capture: those of a MAC address, or those of an IPv4 address.
type TraceOptions struct {
	MAC  [6]byte
	Addr netip.Addr // instead of MAC
}

// ErrNoDevice means that a capture holds no packet of the device.
var ErrNoDevice = errors.New("no IPv4 packet of this device is in the capture")

// ReadTrace reads what a pcap or pcapng file of Ethernet frames holds of one device. VLAN tags are looked through, padding is not
// counted, payloads may be cut. A frame that is no well-formed IPv4 packet is left out, and counted in Others.
func ReadTrace(path string, o TraceOptions) (*learn.Trace, error) {
	r, err := dataset.OpenCapture(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	t := newTracer(o)
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		t.frame(f.TsNs, f.Data, f.Length)
	}
	trace := t.end()
	if len(trace.Packets) == 0 {
		return nil, fmt.Errorf("%s: %w; it has %s", path, ErrNoDevice, t.stations())
	}
	return trace, nil
}

// tracer picks a device's packets from frames.
type tracer struct {
	o      TraceOptions
	t      *learn.Trace
	macs   map[[6]byte]int
	whole  int // packets with a payload that is there
	cut    int // and that is not
	macSet bool
	opened map[[3]uint16]int // of connections by ports and the remote address's last bytes: index of the SYN
}

// connectionKey tells a device's connections apart well enough to find the SYN before a ClientHello.
func connectionKey(p *learn.Packet) [3]uint16 {
	a := p.Remote.As4()
	return [3]uint16{p.LocalPort, p.RemotePort, binary.BigEndian.Uint16(a[2:])}
}

func newTracer(o TraceOptions) *tracer {
	t := &learn.Trace{MAC: o.MAC, Names: make(map[netip.Addr]string), Others: make(map[string]int)}
	return &tracer{o: o, t: t, macs: make(map[[6]byte]int), opened: make(map[[3]uint16]int)}
}

// stations lists the senders of a capture, the busiest first.
func (t *tracer) stations() string {
	var all [][6]byte
	for m := range t.macs {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b [6]byte) int {
		if t.macs[a] != t.macs[b] {
			return t.macs[b] - t.macs[a]
		}
		return bytes.Compare(a[:], b[:])
	})
	var s []string
	for _, m := range all[:min(len(all), 8)] {
		s = append(s, fmt.Sprintf("%x:%x:%x:%x:%x:%x", m[0:1], m[1:2], m[2:3], m[3:4], m[4:5], m[5:6]))
	}
	if len(s) == 0 {
		return "no frame"
	}
	return strings.Join(s, ", ")
}

// frame reads one frame. Nothing that is in it makes it panic.
func (t *tracer) frame(at int64, b []byte, length int) {
	if len(b) < 14 {
		t.t.Others["short"]++
		return
	}
	src, dst := [6]byte(b[6:12]), [6]byte(b[0:6])
	t.macs[src]++
	kind, off := binary.BigEndian.Uint16(b[12:]), 14
	for (kind == 0x8100 || kind == 0x88a8) && len(b) >= off+4 {
		kind = binary.BigEndian.Uint16(b[off+2:])
		off += 4
	}
	mine := t.o.Addr.IsValid() || src == t.o.MAC || dst == t.o.MAC
	if !mine {
		return
	}
	if kind != 0x0800 {
		t.t.Others[map[uint16]string{0x0806: "arp", 0x86dd: "ipv6"}[kind]]++
		return
	}
	t.ip(at, src, b[off:], length-off)
}

func (t *tracer) ip(at int64, mac [6]byte, b []byte, length int) {
	if len(b) < 20 || b[0]>>4 != 4 {
		t.t.Others["short"]++
		return
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < 20 || len(b) < head || total < head {
		t.t.Others["malformed"]++
		return
	}
	if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
		t.t.Others["fragment"]++
		return
	}
	if length > 0 && total > length {
		t.t.Others["malformed"]++
		return
	}
	from, to := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	p := learn.Packet{At: at, Length: 14 + total, Proto: b[9], TTL: b[8]}
	switch {
	case t.o.Addr.IsValid() && from == t.o.Addr, !t.o.Addr.IsValid() && mac == t.o.MAC:
		p.Up, p.Remote = true, to
		if t.o.Addr.IsValid() && !t.macSet {
			t.t.MAC, t.macSet = mac, true
		}
	case t.o.Addr.IsValid() && to != t.o.Addr:
		return
	default:
		p.Remote = from
	}
	rest := b[head:]
	if total-head < len(rest) {
		rest = rest[:total-head] // padding
	}
	if !t.transport(&p, rest, total-head) {
		t.t.Others["malformed"]++
		return
	}
	if p.Proto == 6 && p.Up && p.Flags&0x12 == 2 {
		p.Host = t.t.Names[p.Remote]
		t.opened[connectionKey(&p)] = len(t.t.Packets)
	}
	t.t.Packets = append(t.t.Packets, p)
}

// transport reads what is above IP: size bytes, of which b were kept.
func (t *tracer) transport(p *learn.Packet, b []byte, size int) bool {
	ports := func() {
		p.LocalPort, p.RemotePort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		if !p.Up {
			p.LocalPort, p.RemotePort = p.RemotePort, p.LocalPort
		}
	}
	switch p.Proto {
	case 6:
		if len(b) < 20 {
			return false
		}
		ports()
		head := int(b[12]>>4) * 4
		if head < 20 || head > size {
			return false
		}
		p.Flags, p.Seq, p.Payload = b[13], binary.BigEndian.Uint32(b[4:]), size-head
		options(p, b[20:min(head, len(b))], head)
		if p.Payload > 0 {
			t.payload(p, b[min(head, len(b)):])
		}
	case 17:
		if len(b) < 8 || size < 8 {
			return false
		}
		ports()
		p.Payload = size - 8
		t.datagram(p, b[8:])
	case 1:
		if len(b) < 8 || size < 8 {
			return false
		}
		p.Echo, p.Payload = b[0] == 8, size-8
	}
	return true
}

// options reads MSS and time stamps.
func options(p *learn.Packet, b []byte, head int) {
	for len(b) >= 2 && b[0] != 0 {
		if b[0] == 1 {
			b = b[1:]
			continue
		}
		n := int(b[1])
		if n < 2 || n > len(b) {
			break
		}
		switch {
		case b[0] == 2 && n == 4:
			p.MSS = binary.BigEndian.Uint16(b[2:])
		case b[0] == 8 && n == 10:
			p.Stamps = true
		}
		b = b[n:]
	}
	if p.Flags&2 == 0 && head == 32 && !p.Stamps && len(b) < 12 {
		p.Stamps = len(b) == 0 // cut: twelve bytes of options on data are time stamps, or a SACK of one block
	}
}

// payload looks at the first bytes of what is said on a connection.
func (t *tracer) payload(p *learn.Packet, b []byte) {
	if len(b) < min(p.Payload, 6) {
		t.cut++
		return
	}
	t.whole++
	if len(b) < 6 {
		return
	}
	switch {
	case b[0] == 22 && b[1] == 3 && p.Up && b[5] == 1:
		p.App = learn.AppTLS12
		if name := clientHello(b); name != "" {
			if i, ok := t.opened[connectionKey(p)]; ok {
				t.t.Packets[i].Host = name
			}
			if t.t.Names[p.Remote] == "" {
				t.t.Names[p.Remote] = name
			}
		}
	case b[0] == 22 && b[1] == 3 && !p.Up && b[5] == 2:
		p.App = learn.AppTLS12
		if bytes.Contains(b, []byte{0, 43, 0, 2, 3, 4}) { // supported_versions: TLS 1.3 (RFC 8446, section 4.2.1)
			p.App = learn.AppTLS13
		}
	case p.Up && (bytes.HasPrefix(b, []byte("GET ")) || bytes.HasPrefix(b, []byte("POST ")) || bytes.HasPrefix(b, []byte("PUT "))):
		p.App = learn.AppHTTP
	}
}

// datagram looks into DNS and NTP.
func (t *tracer) datagram(p *learn.Packet, b []byte) {
	switch {
	case p.RemotePort == 123 && p.Up:
		t.t.Times = append(t.t.Times, p.At)
	case p.RemotePort == 53:
		m := new(dns.Msg)
		whole := len(b) >= p.Payload && m.Unpack(b) == nil
		if p.Up {
			l := learn.Lookup{At: p.At}
			if whole && len(m.Question) > 0 {
				l.Host = strings.ToLower(strings.TrimSuffix(m.Question[0].Name, "."))
			}
			t.t.Lookups = append(t.t.Lookups, l)
			return
		}
		if !whole || len(m.Question) == 0 {
			return
		}
		host := strings.ToLower(strings.TrimSuffix(m.Question[0].Name, "."))
		for _, rr := range m.Answer {
			if a, ok := rr.(*dns.A); ok {
				if addr, ok := netip.AddrFromSlice(a.A.To4()); ok {
					t.t.Names[addr] = host
				}
			}
		}
	}
}

// clientHello returns the server's name in a ClientHello; "" where it has none, or is cut before it.
func clientHello(b []byte) string {
	skip := func(n int) bool {
		if n < 0 || len(b) < n {
			b = nil
			return false
		}
		b = b[n:]
		return true
	}
	if !skip(5+4+2+32) || len(b) < 1 || !skip(1+int(b[0])) || len(b) < 2 || !skip(2+int(binary.BigEndian.Uint16(b))) ||
		len(b) < 1 || !skip(1+int(b[0])) || !skip(2) {
		return ""
	}
	for len(b) >= 4 {
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if !skip(4) || n > len(b) {
			return ""
		}
		if kind == 0 && n >= 5 {
			if k := int(binary.BigEndian.Uint16(b[3:])); k+5 <= n {
				return strings.ToLower(string(b[5 : 5+k]))
			}
			return ""
		}
		skip(n)
	}
	return ""
}

func (t *tracer) end() *learn.Trace {
	slices.SortStableFunc(t.t.Packets, func(a, b learn.Packet) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	t.t.Cut = t.cut > t.whole
	return t.t
}
