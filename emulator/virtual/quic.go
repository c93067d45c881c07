package virtual

import (
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/quic"
	"glasshouse/emulator/wire/secure"
)

var (
	_ quic.Socket = (*socket)(nil)
	_ quic.Socket = (*quicServer)(nil)
)

// quicServer is a server's end of a QUIC connection: the address and ports that it answers from and to.
type quicServer struct {
	c       *cloud
	conn    *quic.Conn
	ids     [2]secure.QUICID // under which the cloud knows it
	answers udp
}

// quic performs an exchange on a connection of its own.
func (h *Host) quic(s *profile.Service, x *script.Exchange, t packet.Tag, done func(error)) {
	h.resolve(s.Host, t.As(packet.RoleData), false, func(addr uint32, err error) {
		if err != nil {
			done(err)
			return
		}
		q, err := secure.NewQUIC(h.stack.draws)
		if err != nil {
			done(err)
			return
		}
		first, own := q.IDs()
		client, server := h.socket(addr, s.Port), &quicServer{c: h.n.cloud, ids: [2]secure.QUICID{first, own}}
		server.conn = quic.New(quic.Config{
			Clock: h.n.clock, Latency: h.n.latency, Noise: h.n.c.Noise, Draws: h.stack.draws.PCG, Wire: q, Host: s.Host, Chain: h.n.chains[s.Host],
			Unit: h.unit, Tag: t, Messages: x.Messages, Client: client, Server: server, Done: done, Unknown: func() { h.n.Faults.Unknown++ },
		})
		client.on = server.conn.ToClient
		h.n.cloud.quic[first], h.n.cloud.quic[own] = server, server
		server.conn.Connect()
	})
}

// receiveQUIC takes a datagram for a connection; false where there is none. answers is where its answers go.
func (c *cloud) receiveQUIC(b []byte, answers udp, l packet.Lineage) bool {
	id, _, ok := secure.ParseQUIC(b)
	if !ok {
		return false
	}
	s := c.quic[id]
	if s == nil {
		return false
	}
	if s.conn.Unit() != l.Unit {
		c.n.Faults.Misdelivered++
	}
	s.answers = answers
	s.conn.ToServer(b)
	return true
}

// Send implements quic.Socket.
func (s *quicServer) Send(b []byte, l packet.Lineage) {
	s.c.stack.datagram(s.answers, uint16(s.c.stack.draws.Uint64()), b, l)
}

// SendNoise implements quic.Socket.
func (s *quicServer) SendNoise(head []byte, size int, place uint64, l packet.Lineage) {
	s.c.stack.noisy(s.answers, uint16(s.c.stack.draws.Uint64()), payload{head, size, place}, l)
}

// Close implements quic.Socket: the cloud forgets the connection.
func (s *quicServer) Close() {
	for _, id := range s.ids {
		delete(s.c.quic, id)
	}
}
