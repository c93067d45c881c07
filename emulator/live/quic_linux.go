package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

// quicStream is a stream as walkers know connections.
type quicStream struct {
	*quic.Stream
	conn *quic.Conn
}

func (s quicStream) LocalAddr() net.Addr  { return s.conn.LocalAddr() }
func (s quicStream) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// datagramSocket is a UDP socket that quic-go takes for a plain one: it sends one datagram at a time, without segmentation
// offload, and each is announced before it is sent.
type datagramSocket struct {
	conn     *net.UDPConn
	read     func(b []byte) (int, net.Addr, error)
	write    func(b []byte, to net.Addr) (int, error)
	announce func(b []byte, to net.Addr) bool // false: nobody is there
}

var _ net.PacketConn = (*datagramSocket)(nil)

func (d *datagramSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.read(b)
		if !errors.Is(err, errRefused) { // an ICMP error reached the socket
			return n, from, err
		}
	}
}

func (d *datagramSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	if !d.announce(b, to) {
		return len(b), nil
	}
	n, err := d.write(b, to)
	if errors.Is(err, errRefused) {
		return len(b), nil
	}
	return n, err
}

func (d *datagramSocket) Close() error                       { return d.conn.Close() }
func (d *datagramSocket) LocalAddr() net.Addr                { return d.conn.LocalAddr() }
func (d *datagramSocket) SetDeadline(t time.Time) error      { return d.conn.SetDeadline(t) }
func (d *datagramSocket) SetReadDeadline(t time.Time) error  { return d.conn.SetReadDeadline(t) }
func (d *datagramSocket) SetWriteDeadline(t time.Time) error { return d.conn.SetWriteDeadline(t) }

// SetReadBuffer and SetWriteBuffer let quic-go ask for room.
func (d *datagramSocket) SetReadBuffer(n int) error  { return d.conn.SetReadBuffer(n) }
func (d *datagramSocket) SetWriteBuffer(n int) error { return d.conn.SetWriteBuffer(n) }

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
	roles := new(quicRoles)
	udp, to := raw.(*net.UDPConn), net.UDPAddrFromAddrPort(far)
	socket := &datagramSocket{
		conn:  udp,
		read:  func(b []byte) (int, net.Addr, error) { n, err := udp.Read(b); return n, to, err },
		write: func(b []byte, _ net.Addr) (int, error) { return udp.Write(b) },
		announce: func(b []byte, _ net.Addr) bool {
			flow.Datagram(packet.Up, b, tag.As(roles.take(len(b))))
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
	conn, err := quic.Dial(ctx, socket, to, quicTLS(h.c.Authority.clientConfig(s.Host, tlsVersion(profile.TransportTLS13))),
		quicConfig(func(context.Context) *quicRoles { return roles }))
	if err != nil {
		return fmt.Errorf("reaching %s: %w", s.Name, err)
	}
	defer func() { _ = conn.CloseWithError(0, "") }()
	stream, err := conn.OpenStream()
	if err != nil {
		return fmt.Errorf("opening a stream to %s: %w", s.Name, err)
	}
	sess, token, err := h.c.Sessions.open()
	if err != nil {
		return err
	}
	defer h.c.Sessions.forget(token)
	defer sess.close()
	j := newJob(x.Messages, h.c.Clock.Now(), tag)
	near := &named{Conn: quicStream{stream, conn}, token: token, offer: func() { sess.jobs <- j }}
	if err := walkStream(ctx, h.c.Clock, near, packet.Up, j, newNoise(h.draw()), make([]byte, noiseSize)); err != nil {
		return err
	}
	return sess.await(ctx)
}

// await returns when the far end has done its part, too: a connection that is closed forgets what is on its way.
func (s *session) await(ctx context.Context) error {
	t := time.NewTimer(policy.StreamTimeout)
	defer t.Stop()
	select {
	case <-s.finished:
		return nil
	case <-t.C:
		return errors.New("the far end has not heard all")
	case <-ctx.Done():
		return ctx.Err()
	}
}
