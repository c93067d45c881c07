package live

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

// quic performs an exchange on one stream of a connection of its own.
func (h *Host) quic(ctx context.Context, s *profile.Service, x *script.Exchange, tag packet.Tag) error {
	addr, err := h.resolve(ctx, s.Host, tag.As(packet.RoleData), false)
	if err != nil {
		return err
	}
	far := netip.AddrPortFrom(addr, s.Port)
	raw, flow, err := h.dial(ctx, packet.ProtoUDP, far, tag.As(packet.RoleTLSHandshake), false)
	if err != nil {
		return err
	}
	roles := new(transport.QUICRoles)
	udp, to := raw.(*net.UDPConn), net.UDPAddrFromAddrPort(far)
	socket := &transport.QUICSocket{
		Conn:  udp,
		Read:  func(b []byte) (int, net.Addr, error) { n, err := udp.Read(b); return n, to, err },
		Write: func(b []byte, _ net.Addr) (int, error) { return udp.Write(b) },
		Announce: func(b []byte, _ net.Addr) bool {
			flow.Datagram(packet.Up, b, tag.As(roles.Take(len(b))))
			return true
		},
	}
	defer h.wg.Go(func() {
		t := time.NewTimer(policy.QUICLinger)
		defer t.Stop()
		select {
		case <-t.C:
		case <-h.ctx.Done():
		}
		_ = udp.Close()
		h.c.Registry.Close(flow, h.c.Clock.Now())
	})
	conn, err := quic.Dial(ctx, socket, to, transport.QUICTLS(h.c.Authority.ClientConfig(s.Host, tlsVersion(profile.TransportTLS13))),
		transport.QUICConfig(func(context.Context) *transport.QUICRoles { return roles }))
	if err != nil {
		return fmt.Errorf("reaching %s: %w", s.Name, err)
	}
	defer func() { _ = conn.CloseWithError(0, "") }()
	stream, err := conn.OpenStream()
	if err != nil {
		return fmt.Errorf("opening a stream to %s: %w", s.Name, err)
	}
	sess, token, err := h.c.Sessions.Open()
	if err != nil {
		return err
	}
	defer h.c.Sessions.Forget(token)
	defer sess.Close()
	j := exchange.NewJob(x.Messages, h.c.Clock.Now(), tag)
	near := &named{Conn: transport.QUICStream{Stream: stream, Conn: conn}, token: token, offer: func() { sess.Jobs <- j }}
	walk := exchange.Stream{
		Clock: h.c.Clock, Conn: near, Dir: packet.Up, Noise: exchange.NewNoise(h.draw()), Buffer: make([]byte, exchange.MaxWrite),
	}
	if err := walk.Walk(ctx, j); err != nil {
		return err
	}
	return sess.Await(ctx)
}
