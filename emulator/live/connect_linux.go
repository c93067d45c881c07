package live

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"glasshouse/devices/profile"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
)

const errAddrInUse = unix.EADDRINUSE

// connection is a device's end of one TCP connection: connected, secured, and named to the far end.
type connection struct {
	host  *Host
	raw   *net.TCPConn
	tcp   *truth.StreamConn
	conn  net.Conn // tcp, or TLS over it
	flow  *truth.Flow
	sess  *exchange.Session
	token [exchange.TokenSize]byte
	named bool // the token has been sent
	noise *exchange.Noise
	buf   []byte
	stop  func() bool
}

// connect resolves, dials and secures. role is RoleTCPHandshake, or RoleReconnect for a connection that is opened again.
func (h *Host) connect(ctx context.Context, s *profile.Service, tag packet.Tag, role packet.Role) (*connection, error) {
	addr, err := h.resolve(ctx, s.Host, tag.As(roleOr(role, packet.RoleData)), false)
	if err != nil {
		return nil, err
	}
	opening := tag.As(roleOr(role, packet.RoleTLSHandshake))
	greets := s.Lasting && s.Greets()
	before := func(truth.Key) {}
	if greets {
		seed := h.draw()
		before = func(k truth.Key) { h.c.Sessions.Greet(k, tlsVersion(s.Transport) != 0, seed) }
	}
	dialled, flow, err := h.dialAnd(ctx, target{
		proto: packet.ProtoTCP, remote: netip.AddrPortFrom(addr, s.Port), tag: opening, before: before,
	})
	if err != nil {
		return nil, err
	}
	raw := dialled.(*net.TCPConn)
	c := &connection{host: h, raw: raw, flow: flow, noise: exchange.NewNoise(h.draw()), buf: make([]byte, exchange.MaxWrite)}
	c.tcp = truth.NewStreamConn(h.socket(raw), flow, packet.Up, opening)
	c.conn = c.tcp
	c.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	if v := tlsVersion(s.Transport); v != 0 {
		config := h.c.Authority.ClientConfig(s.Host, v)
		if s.Transport == profile.TransportH2 {
			config.NextProtos = []string{transport.ProtocolHTTP2}
		}
		sec := tls.Client(c.tcp, config)
		if err := raw.SetDeadline(time.Now().Add(policy.StreamTimeout)); err != nil {
			c.drop()
			return nil, err
		}
		if err := sec.HandshakeContext(ctx); err != nil {
			c.drop()
			return nil, fmt.Errorf("securing %s: %w", s.Name, err)
		}
		_ = raw.SetDeadline(time.Time{})
		c.conn = sec
	}
	c.tcp.SetTag(tag.As(roleOr(role, packet.RoleData)))
	if c.sess, c.token, err = h.c.Sessions.Open(); err != nil {
		c.drop()
		return nil, err
	}
	if greets { // whose connection it is is known without a token
		c.named = true
		h.c.Sessions.Greeting(flow.Key()).Session <- c.sess
	}
	if s.Transport == profile.TransportMQTT {
		c.sess.MQTT = true
		c.sess.Subscribes = s.Login.Down > profile.MQTTConnack
		c.noise.SpeakMQTT(true, c.sess.Subscribes, transport.MQTTName(c.token))
	}
	return c, nil
}

func roleOr(role, usual packet.Role) packet.Role {
	if role == packet.RoleReconnect {
		return role
	}
	return usual
}

func tlsVersion(t profile.Transport) uint16 {
	switch t {
	case profile.TransportTLS12:
		return tls.VersionTLS12
	case profile.TransportTLS13, profile.TransportH2:
		return tls.VersionTLS13
	default:
		return 0
	}
}

// walk does a job on the connection. The first message of a connection's life is this end's and begins with the token.
func (c *connection) walk(ctx context.Context, j *exchange.Job) error {
	c.tcp.SetTag(j.Tag)
	if !c.named {
		if len(j.Messages) == 0 || j.Messages[0].Dir != profile.Up || j.Messages[0].Size < exchange.TokenSize {
			return fmt.Errorf("a connection must begin with a message up of %d bytes or more", exchange.TokenSize)
		}
		c.named = true
		if c.noise.MQTT() { // the token is the client's name
			c.sess.Jobs <- j
			return c.end(c.conn).Walk(ctx, j)
		}
		return c.end(&named{Conn: c.conn, token: c.token, offer: func() { c.sess.Jobs <- j }}).Walk(ctx, j)
	}
	select {
	case c.sess.Jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.end(c.conn).Walk(ctx, j)
}

// end is the device's end of the stream.
func (c *connection) end(conn net.Conn) *exchange.Stream {
	return &exchange.Stream{Clock: c.host.c.Clock, Conn: conn, Dir: packet.Up, Noise: c.noise, Buffer: c.buf}
}

// named puts the session's token at the head of the first bytes written.
type named struct {
	net.Conn
	token [exchange.TokenSize]byte
	offer func()
	done  bool
}

func (n *named) Write(p []byte) (int, error) {
	if !n.done {
		n.done = true
		copy(p, n.token[:])
		n.offer()
	}
	return n.Conn.Write(p)
}

// watch tells, while the device has nothing to say, that the far end has closed the connection or that it broke. The far
// end never speaks first, so whatever can be read means the same. rest ends the watch; it must be called, before walk.
func (c *connection) watch() (broken <-chan struct{}, rest func()) {
	lost, over := make(chan struct{}), make(chan struct{})
	_ = c.raw.SetReadDeadline(time.Time{})
	go func() {
		defer close(over)
		socket, err := c.raw.SyscallConn()
		if err == nil {
			err = socket.Read(func(fd uintptr) bool {
				_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
				return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
			})
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			close(lost)
		}
	}()
	return lost, func() {
		_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // long ago: the read above returns
		<-over
		_ = c.raw.SetReadDeadline(time.Time{})
	}
}

// takeLeave closes a connection that the far end has closed. What it said last is read first: a socket that is closed
// with bytes unread would answer with a reset.
func (c *connection) takeLeave() {
	_ = c.raw.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = c.conn.Read(c.buf)
	c.Close()
}

// Close ends the connection in order.
func (c *connection) Close() {
	c.sess.Close() // the far end's goodbye is one, too
	c.tcp.SetTag(c.flow.Opening().As(packet.RoleClose))
	_ = c.conn.Close()
	c.finish()
}

// drop ends a connection that is not in order.
func (c *connection) drop() {
	_ = c.tcp.Close()
	c.finish()
}

func (c *connection) finish() {
	c.stop()
	if c.sess != nil {
		c.sess.Close()
		c.host.c.Sessions.Forget(c.token)
	}
	c.host.c.Sessions.Ungreet(c.flow.Key())
	c.host.c.Registry.Close(c.flow, c.host.c.Clock.Now())
}
