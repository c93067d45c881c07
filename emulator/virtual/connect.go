package virtual

import (
	"slices"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/session"
)

// connection says how a host connects to a service.
type connection struct {
	service *profile.Service
	tag     packet.Tag
	role    packet.Role // RoleTCPHandshake, or RoleReconnect for a connection that is opened again
	lost    func()      // told once, after it was opened: it broke
}

// connect resolves and connects.
func (h *Host) connect(x connection, done func(*session.Session, error)) {
	h.resolve(x.service.Host, x.tag.As(roleOr(x.role, packet.RoleData)), false, func(addr uint32, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		var c *session.Session
		c = h.session(x.service, x.tag.As(roleOr(x.role, packet.RoleTLSHandshake)), func(err error) { done(c, err) }, x.lost)
		key := h.key(addr, x.service.Port)
		h.n.cloud.pending[key] = c
		c.Connect(h.stack.tcp, key)
	})
}

// session makes a session of the device with a service.
func (h *Host) session(s *profile.Service, open packet.Tag, opened func(error), lost func()) *session.Session {
	return session.New(session.Config{
		Clock: h.n.clock, Latency: h.n.latency, Draws: h.stack.draws.PCG, Service: s, Chain: h.n.chains[s.Host], Unit: h.unit, Open: open,
		Opened: opened, Lost: lost,
	})
}

func roleOr(role, usual packet.Role) packet.Role {
	if role == packet.RoleReconnect {
		return role
	}
	return usual
}

// called is a dialogue that the household's phone opens with the device, over TCP on the LAN. In the session the phone is the
// client, so that the script's directions, which are the device's, are turned round.
func (h *Host) called(s *profile.Service, x *script.Exchange, t packet.Tag, done func(error)) {
	if !h.n.c.HasPeer || h.n.c.Peer.Index == h.spec.Index {
		done(errNoPhone)
		return
	}
	messages := slices.Clone(x.Messages)
	for i := range messages {
		messages[i].Dir = -messages[i].Dir
	}
	phone := h.n.hosts[h.n.c.Peer.Index]
	phone.whenOnline(func() {
		var c *session.Session
		c = phone.session(s, t.As(packet.RoleTCPHandshake), func(err error) {
			if err != nil {
				done(err)
				return
			}
			c.Perform(&session.Job{Messages: messages, Start: h.n.clock.Now(), Tag: t, Done: done}) // it takes leave when the device does
		}, func() {})
		key := phone.key(h.addr, s.Port)
		h.n.calls[key.Reverse()] = c
		c.Connect(phone.stack.tcp, key)
	})
}
