package station

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"glasshouse/devices/learn"
	"glasshouse/testbed/frames"
)

// transport reads what is above IP.
func (t *tracer) transport(p *learn.Packet, f *frames.Frame) bool {
	b, size := f.IP[min(f.Above, len(f.IP)):], f.Length-f.Above
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
		if f.More {
			p.Payload = max(int(binary.BigEndian.Uint16(b[4:]))-8, p.Payload)
		}
		t.datagram(p, b[8:])
	case frames.ProtoICMP, frames.ProtoICMPv6:
		if len(b) < 8 || size < 8 {
			return false
		}
		p.Echo, p.Payload = b[0] == 8 && !f.Is6() || b[0] == 128 && f.Is6(), size-8
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
			if i, ok := t.opened[keyOf(p)]; ok {
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
			var addr netip.Addr
			switch a := rr.(type) {
			case *dns.A:
				addr, _ = netip.AddrFromSlice(a.A.To4())
			case *dns.AAAA:
				addr, _ = netip.AddrFromSlice(a.AAAA.To16())
			}
			if addr.IsValid() {
				t.t.Names[addr] = host
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
