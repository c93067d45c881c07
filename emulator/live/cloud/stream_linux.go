package cloud

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
)

// Config says what the internet of a home serves.
type Config struct {
	NS        *netns.Namespace
	Streams   []uint16         // TCP ports, on every address: TLS, HTTP and plain streams are told apart by their first byte
	Datagrams []netip.AddrPort // UDP services
	QUIC      []netip.AddrPort
	Names     map[string]netip.Addr
	DNS, NTP  netip.Addr
	Registry  *truth.Registry
	Sessions  *exchange.Sessions
	Authority *transport.Authority
	Clock     exchange.Clock
	// Peer tells who in the home is behind the address that a server sees.
	Peer func(proto uint8, seen netip.AddrPort) (lan netip.AddrPort, ok bool)
	Log  *slog.Logger
}

// Servers is the servers of a home's internet.
type Servers struct {
	c       Config
	ctx     context.Context
	cancel  context.CancelFunc
	closers []io.Closer
	wg      sync.WaitGroup
}

// New starts the servers. They run until Close.
func New(c Config) (*Servers, error) {
	cl := &Servers{c: c}
	cl.ctx, cl.cancel = context.WithCancel(context.Background())
	for _, port := range c.Streams {
		if err := cl.listenStreams(port); err != nil {
			_ = cl.Close()
			return nil, err
		}
	}
	for _, at := range c.Datagrams {
		if err := cl.listenDatagrams(at); err != nil {
			_ = cl.Close()
			return nil, err
		}
	}
	for _, at := range c.QUIC {
		if err := cl.listenQUIC(at); err != nil {
			_ = cl.Close()
			return nil, err
		}
	}
	if err := cl.plain(); err != nil {
		_ = cl.Close()
		return nil, err
	}
	return cl, nil
}

// Close ends the servers and waits for them.
func (cl *Servers) Close() error {
	cl.cancel()
	for _, c := range cl.closers {
		_ = c.Close()
	}
	cl.wg.Wait()
	return nil
}

func (cl *Servers) listenStreams(port uint16) error {
	lc := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error { return transport.SetCongestionControl(c) }}
	lc.SetMultipathTCP(false)
	var ln net.Listener
	err := cl.c.NS.Do(func() (err error) {
		ln, err = lc.Listen(cl.ctx, "tcp4", ":"+strconv.Itoa(int(port)))
		return err
	})
	if err != nil {
		return fmt.Errorf("serving TCP port %d: %w", port, err)
	}
	cl.closers = append(cl.closers, ln)
	cl.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			cl.wg.Go(func() {
				defer conn.Close()
				if err := cl.serve(conn); err != nil && !errors.Is(err, io.EOF) {
					cl.c.Log.Debug("serving ended", "remote", conn.RemoteAddr(), "local", conn.LocalAddr(), "error", err)
				}
			})
		}
	})
	return nil
}

// prefixed is a connection of which some bytes were read already.
type prefixed struct {
	net.Conn
	r *bufio.Reader
}

func (p *prefixed) Read(b []byte) (int, error) { return p.r.Read(b) }

// serve speaks to one client: it finds the flow, secures the connection if the client wants it, and walks.
func (cl *Servers) serve(raw net.Conn) error {
	defer context.AfterFunc(cl.ctx, func() { _ = raw.Close() })()
	if err := raw.SetDeadline(time.Now().Add(policy.StreamTimeout)); err != nil { // for the first bytes and the handshake
		return err
	}
	seen, here := raw.RemoteAddr().(*net.TCPAddr).AddrPort(), raw.LocalAddr().(*net.TCPAddr).AddrPort()
	lan, ok := cl.c.Peer(packet.ProtoTCP, seen)
	if !ok {
		return errors.New("nobody is behind the address")
	}
	flow := cl.c.Registry.Find(truth.KeyOf(packet.ProtoTCP, lan, here))
	if flow == nil {
		return errors.New("no flow is known")
	}
	r := bufio.NewReaderSize(raw, 1<<16)
	announced := truth.NewStreamConn(&prefixed{raw, r}, flow, packet.Down, flow.Opening())
	far := &parting{StreamConn: announced, opening: flow.Opening()}
	greeting := cl.c.Sessions.Greeting(flow.Key())
	if greeting != nil && !greeting.Secure {
		_ = raw.SetDeadline(time.Time{})
		return cl.speakFirst(announced, announced, greeting)
	}
	head, err := r.Peek(1)
	if err != nil {
		return err
	}
	switch {
	case head[0] == 0x16:
		sec := tls.Server(far, cl.c.Authority.ServerConfig())
		if err := sec.HandshakeContext(cl.ctx); err != nil {
			return err
		}
		defer func() {
			announced.SetTag(flow.Opening().As(packet.RoleClose))
			_ = sec.Close()
		}()
		_ = raw.SetDeadline(time.Time{})
		if sec.ConnectionState().NegotiatedProtocol == transport.ProtocolHTTP2 {
			return cl.serveHTTP2(sec, far)
		}
		if greeting != nil {
			return cl.speakFirst(sec, announced, greeting)
		}
		return cl.Greet(sec, announced)
	case head[0] == transport.MQTTConnect:
		token, size, err := transport.ReadMQTTConnect(announced)
		if err != nil {
			return err
		}
		_ = raw.SetDeadline(time.Time{})
		return cl.converse(announced, announced, token, size)
	case head[0] < 0x80:
		_ = raw.SetDeadline(time.Time{})
		return cl.serveHTTP(bufio.NewReader(announced), announced)
	}
	_ = raw.SetDeadline(time.Time{})
	return cl.Greet(announced, announced)
}

// Greet reads the session's token at the head of a connection.
func (cl *Servers) Greet(conn net.Conn, announced *truth.StreamConn) error {
	var token [exchange.TokenSize]byte
	if _, err := io.ReadFull(conn, token[:]); err != nil {
		return err
	}
	return cl.converse(conn, announced, token, exchange.TokenSize)
}

// converse walks the jobs that the device hands over. read is how many bytes of the first message were read already.
func (cl *Servers) converse(conn net.Conn, announced *truth.StreamConn, token [exchange.TokenSize]byte, read int) error {
	sess := cl.c.Sessions.Find(token)
	if sess == nil {
		return errors.New("the token names no session")
	}
	return cl.talk(conn, announced, sess, exchange.NewNoise(uint64(token[1])<<8|uint64(token[2])), read)
}

// speakFirst walks the jobs of a connection on which this end says the first message.
func (cl *Servers) speakFirst(conn net.Conn, announced *truth.StreamConn, g *exchange.Greeting) error {
	select {
	case sess := <-g.Session:
		return cl.talk(conn, announced, sess, exchange.NewNoise(g.Seed), 0)
	case <-time.After(policy.StreamTimeout):
		return errors.New("the device said nothing of its session")
	case <-cl.ctx.Done():
		return nil
	}
}

// talk walks the jobs of a session.
func (cl *Servers) talk(conn net.Conn, announced *truth.StreamConn, sess *exchange.Session, n *exchange.Noise, read int) error {
	buf := make([]byte, exchange.MaxWrite)
	end := exchange.Stream{Clock: cl.c.Clock, Conn: conn, Dir: packet.Down, Noise: n, Buffer: buf}
	if sess.MQTT {
		n.SpeakMQTT(false, sess.Subscribes, "")
	}
	for first := true; ; first = false {
		select {
		case j := <-sess.Jobs:
			if first && len(j.Messages) > 0 && j.Messages[0].Dir == packet.Down { // not before it knew that somebody is there
				j = exchange.NewJob(j.Messages, max(j.Start, cl.c.Clock.Now()), j.Tag)
			}
			announced.SetTag(j.Tag)
			if err := cl.walk(&end, j, read); err != nil {
				return err
			}
			read = 0
		case <-sess.Closed: // the device is about to say so
			_ = conn.SetReadDeadline(time.Now().Add(policy.StreamTimeout))
			_, err := conn.Read(buf)
			return err
		case <-cl.ctx.Done():
			return nil
		}
	}
}

// walk walks a job at the server. read bytes of its first message were read already.
func (cl *Servers) walk(end *exchange.Stream, j *exchange.Job, read int) error {
	if read == 0 {
		return end.Walk(cl.ctx, j)
	}
	if err := exchange.Discard(end.Conn, j.Messages[0].Size-read, policy.StreamTimeout, end.Buffer); err != nil {
		return err
	}
	return end.Walk(cl.ctx, exchange.NewJob(j.Messages[1:], cl.c.Clock.Now(), j.Tag))
}
