package virtual

import (
	"slices"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
)

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
		var c *session
		c = newSession(phone, s, h.addr, t.As(packet.RoleTCPHandshake), func(err error) {
			if err != nil {
				done(err)
				return
			}
			c.perform(&job{messages: messages, start: h.n.clock.Now(), tag: t, done: done}) // it takes leave when the device does
		}, func() {})
	})
}
