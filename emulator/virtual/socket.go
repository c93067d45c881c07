package virtual

import (
	"errors"

	"glasshouse/devices/profile"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/datagram"
)

// socket is a device's end of a datagram flow with one remote end.
type socket struct {
	h      *Host
	key    socketKey
	to     udp
	id     uint16 // IP id of its next datagram
	flow   datagram.Flow
	on     func(payload []byte) // of plain sockets: DNS, NTP, echo
	closed bool
}

func (h *Host) socket(remote uint32, rport uint16) *socket {
	for {
		k := socketKey{remote, h.port(), rport, packet.ProtoUDP}
		if h.sockets[k] == nil {
			s := &socket{h: h, key: k, to: udp{h.addr, remote, k.port, rport}, id: uint16(h.stack.draws.Uint64())}
			s.flow = h.n.datagrams.NewFlow(h.unit, s, h.stack.draws.Uint64())
			h.sockets[k] = s
			return s
		}
	}
}

// Close lets go of the socket. It implements quic.Socket, as Send and SendNoise do.
func (s *socket) Close() {
	s.closed = true
	delete(s.h.sockets, s.key)
}

// Send sends a payload that is spelled out.
func (s *socket) Send(payload []byte, l packet.Lineage) {
	s.h.stack.datagram(s.to, s.id, payload, l)
	s.id++
}

// SendNoise sends a payload of noise; it implements datagram.Sender, too.
func (s *socket) SendNoise(head []byte, size int, place uint64, l packet.Lineage) {
	if s.closed {
		return
	}
	s.h.stack.noisy(s.to, s.id, payload{head, size, place}, l)
	s.id++
}

func (s *socket) receive(b []byte) {
	if s.on != nil {
		s.on(b)
		return
	}
	if d, i := s.h.n.datagrams.Find(b); d != nil && !d.Up(i) {
		d.Arrived(i)
	}
}

// server is the end of a datagram flow to which a device sends: a server's on the internet, or the phone's on the LAN.
type server struct {
	n    *Net
	host *Host // the phone; nil on the internet
	from udp   // of what it sends
}

// SendNoise implements datagram.Sender.
func (s *server) SendNoise(head []byte, size int, place uint64, l packet.Lineage) {
	st := &s.n.cloud.stack
	if s.host != nil {
		l.Unit = s.host.unit
		st = &s.host.stack
	}
	st.noisy(s.from, uint16(s.n.late.Uint64()), payload{head, size, place}, l)
}

// serveDatagram takes a datagram at the end to which a device sends.
func (n *Net) serveDatagram(b []byte, at server) {
	d, i := n.datagrams.Find(b)
	if d == nil || !d.Up(i) {
		return
	}
	if !d.Answered() {
		s := at // it outlives the datagram
		d.Answer(&s, s.host == nil)
	}
	d.Arrived(i)
}

var errNoPhone = errors.New("there is no phone on the LAN")

// openUDP opens a datagram socket to a service.
func (h *Host) openUDP(s *profile.Service, t packet.Tag, done func(*socket, error)) {
	switch {
	case s.Transport != profile.TransportLAN:
		h.resolve(s.Host, t.As(packet.RoleData), false, func(addr uint32, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			done(h.socket(addr, s.Port), nil)
		})
	case s.Host != profile.HostPeer:
		done(h.socket(h.n.broadcast(), s.Port), nil)
	case !h.n.c.HasPeer || h.n.c.Peer.Index == h.spec.Index:
		done(nil, errNoPhone)
	default:
		done(h.socket(u32(h.n.c.Peer.Addr), s.Port), nil)
	}
}
