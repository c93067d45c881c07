package virtual

import (
	"errors"

	"github.com/miekg/dns"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

const (
	dhcpServer = 67
	dhcpClient = 68
)

var (
	errNoName   = errors.New("no address in the answer")
	errNoAnswer = errors.New("no answer")
)

// ask sends a question on a socket of its own until it is answered, and gives the answer; nil if none came.
func (h *Host) ask(remote uint32, port uint16, question []byte, t packet.Tag, tries int, done func(answer []byte)) {
	s := h.socket(remote, port)
	over := false
	s.on = func(b []byte) {
		if over {
			return
		}
		over = true
		answer := append([]byte(nil), b...)
		h.n.clock.At(h.n.clock.Now()+h.n.latency.Wake()+h.n.latency.OpenSocket(), func() {
			s.Close()
			done(answer)
		})
	}
	var try func(left int)
	try = func(left int) {
		switch {
		case over:
		case left == 0:
			over = true
			s.Close()
			done(nil)
		default:
			s.Send(question, t.Lineage(h.unit))
			h.n.clock.At(h.n.clock.Now()+int64(policy.ResolveTimeout), func() { try(left - 1) })
		}
	}
	try(tries)
}

// resolve looks a host up, unless the answer is still fresh; force asks all the same.
func (h *Host) resolve(host string, t packet.Tag, force bool, done func(addr uint32, err error)) {
	if c, ok := h.names[host]; ok && !force && h.n.clock.Now() < c.expires {
		done(c.addr, nil)
		return
	}
	id := uint16(h.stack.draws.Uint64())
	h.ask(u32(h.n.c.DNS), wire.PortDNS, wire.AppendDNSQuery(nil, id, host), t, policy.ResolveTries, func(b []byte) {
		if b == nil {
			done(0, errNoAnswer)
			return
		}
		a, ttl, ok := parseAnswer(b, id)
		if !ok {
			done(0, errNoName)
			return
		}
		h.names[host] = cachedName{a, h.n.clock.Now() + int64(ttl)*1e9}
		done(a, nil)
	})
}

// parseAnswer reads the first address of a DNS answer.
func parseAnswer(b []byte, id uint16) (addr, ttl uint32, ok bool) {
	m := new(dns.Msg)
	if m.Unpack(b) != nil || m.Id != id {
		return 0, 0, false
	}
	for _, rr := range m.Answer {
		if a, is := rr.(*dns.A); is && len(a.A.To4()) == 4 {
			return be32(a.A.To4()), a.Hdr.Ttl, true
		}
	}
	return 0, 0, false
}

// timeSync asks the time once.
func (h *Host) timeSync(t packet.Tag, done func(error)) {
	h.ask(u32(h.n.c.NTP), wire.PortNTP, wire.AppendNTPQuery(nil, h.stack.draws), t, 1, func(b []byte) {
		if b == nil {
			done(errNoAnswer)
			return
		}
		done(nil)
	})
}

// ping sends an echo request for each message up, and waits for each answer.
func (h *Host) ping(s *profile.Service, x *script.Exchange, t packet.Tag, done func(error)) {
	h.resolve(s.Host, t, false, func(addr uint32, err error) {
		if err != nil {
			done(err)
			return
		}
		h.echoID++
		p := &pinger{h: h, to: addr, id: h.echoID, tag: t, messages: x.Messages, done: done}
		p.socket = &socket{h: h, key: socketKey{addr, p.id, 0, packet.ProtoICMP}, id: uint16(h.stack.draws.Uint64()), on: p.answered}
		h.sockets[p.socket.key] = p.socket
		p.next()
	})
}

// pinger is one run of echo requests.
type pinger struct {
	h        *Host
	to       uint32
	id       uint16
	tag      packet.Tag
	messages []script.Message
	seq      int
	waits    bool
	answers  int
	socket   *socket
	done     func(error)
}

func (p *pinger) next() {
	for p.seq < len(p.messages) && p.messages[p.seq].Dir != packet.Up {
		p.seq++
	}
	if p.seq == len(p.messages) {
		p.socket.Close()
		if p.answers == 0 {
			p.done(errNoAnswer)
			return
		}
		p.done(nil)
		return
	}
	m := &p.messages[p.seq]
	p.seq++
	n := p.h.n
	if m.Wait == 0 {
		p.request(m.Size)
		return
	}
	n.clock.At(n.clock.Now()+m.Wait+n.latency.Sleep(), func() { p.request(m.Size) })
}

// request sends one echo request (RFC 792).
func (p *pinger) request(size int) {
	n := p.h.n
	size = min(size, 1400)
	b := n.ip.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+packet.IPv4Size+packet.ICMPSize+size]
	m := packet.ICMP(b[packet.IPv4Size:])
	copy(m.Payload(), n.ip.Noise.Window(p.h.stack.draws.Uint64(), size))
	m.EncodeEcho(packet.ICMPEcho, p.id, uint16(p.seq))
	packet.IPv4(b).Encode(&packet.IPv4Fields{
		TotalLength: len(b), Protocol: packet.ProtoICMP, TTL: p.h.stack.ttl, ID: p.socket.id,
		Source: p.h.addr, Destination: p.to, DontFragment: true,
	})
	p.socket.id++
	p.waits = true
	at := p.seq
	p.h.stack.send(b, p.tag.Lineage(p.h.unit))
	n.clock.At(n.clock.Now()+int64(policy.DatagramTimeout), func() {
		if p.waits && p.seq == at {
			p.waits = false
			p.next()
		}
	})
}

func (p *pinger) answered(m []byte) {
	if p.waits && int(packet.ICMP(m).SequenceNumber()) == p.seq {
		p.waits = false
		p.answers++
		p.h.n.clock.At(p.h.n.clock.Now()+p.h.n.latency.Wake(), p.next)
	}
}
