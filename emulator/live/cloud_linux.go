package live

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

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
)

// CloudConfig says what the internet of a home serves.
type CloudConfig struct {
	NS        *Namespace
	Streams   []uint16         // TCP ports, on every address: TLS, HTTP and plain streams are told apart by their first byte
	Datagrams []netip.AddrPort // UDP services
	QUIC      []netip.AddrPort
	Names     map[string]netip.Addr
	DNS, NTP  netip.Addr
	Registry  *truth.Registry
	Sessions  *Sessions
	Authority *Authority
	Clock     clockwork
	// Peer tells who in the home is behind the address that a server sees.
	Peer func(proto uint8, seen netip.AddrPort) (lan netip.AddrPort, ok bool)
	Log  *slog.Logger
}

// Cloud is the servers of a home's internet.
type Cloud struct {
	c       CloudConfig
	ctx     context.Context
	cancel  context.CancelFunc
	closers []io.Closer
	wg      sync.WaitGroup
}

// NewCloud starts the servers. They run until Close.
func NewCloud(c CloudConfig) (*Cloud, error) {
	cl := &Cloud{c: c}
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
func (cl *Cloud) Close() error {
	cl.cancel()
	for _, c := range cl.closers {
		_ = c.Close()
	}
	cl.wg.Wait()
	return nil
}

func (cl *Cloud) listenStreams(port uint16) error {
	lc := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error { return usualCongestion(c) }}
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
func (cl *Cloud) serve(raw net.Conn) error {
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
	greeting := cl.c.Sessions.greeting(flow.Key())
	if greeting != nil && !greeting.secure {
		_ = raw.SetDeadline(time.Time{})
		return cl.speakFirst(announced, announced, greeting)
	}
	head, err := r.Peek(1)
	if err != nil {
		return err
	}
	switch {
	case head[0] == 0x16:
		sec := tls.Server(far, cl.c.Authority.serverConfig())
		if err := sec.HandshakeContext(cl.ctx); err != nil {
			return err
		}
		defer func() {
			announced.SetTag(flow.Opening().As(packet.RoleClose))
			_ = sec.Close()
		}()
		_ = raw.SetDeadline(time.Time{})
		if sec.ConnectionState().NegotiatedProtocol == protoH2 {
			return cl.serveHTTP2(sec, far)
		}
		if greeting != nil {
			return cl.speakFirst(sec, announced, greeting)
		}
		return cl.greet(sec, announced)
	case head[0] == mqttConnect:
		token, size, err := readConnect(announced)
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
	return cl.greet(announced, announced)
}

// greet reads the session's token at the head of a connection.
func (cl *Cloud) greet(conn net.Conn, announced *truth.StreamConn) error {
	var token [tokenSize]byte
	if _, err := io.ReadFull(conn, token[:]); err != nil {
		return err
	}
	return cl.converse(conn, announced, token, tokenSize)
}

// converse walks the jobs that the device hands over. read is how many bytes of the first message were read already.
func (cl *Cloud) converse(conn net.Conn, announced *truth.StreamConn, token [tokenSize]byte, read int) error {
	sess := cl.c.Sessions.find(token)
	if sess == nil {
		return errors.New("the token names no session")
	}
	return cl.talk(conn, announced, sess, newNoise(uint64(token[1])<<8|uint64(token[2])), read)
}

// speakFirst walks the jobs of a connection on which this end says the first message.
func (cl *Cloud) speakFirst(conn net.Conn, announced *truth.StreamConn, g *greeting) error {
	select {
	case sess := <-g.session:
		return cl.talk(conn, announced, sess, newNoise(g.seed), 0)
	case <-time.After(policy.StreamTimeout):
		return errors.New("the device said nothing of its session")
	case <-cl.ctx.Done():
		return nil
	}
}

// talk walks the jobs of a session.
func (cl *Cloud) talk(conn net.Conn, announced *truth.StreamConn, sess *session, n *noise, read int) error {
	buf := make([]byte, noiseSize)
	end := Stream{Clock: cl.c.Clock, Conn: conn, Dir: packet.Down, Noise: n, Buffer: buf}
	if sess.mqtt {
		n.SpeakMQTT(false, sess.subscribes, "")
	}
	for first := true; ; first = false {
		select {
		case j := <-sess.jobs:
			if first && len(j.messages) > 0 && j.messages[0].Dir == packet.Down { // not before it knew that somebody is there
				j = newJob(j.messages, max(j.start, cl.c.Clock.Now()), j.tag)
			}
			announced.SetTag(j.tag)
			if err := cl.walk(&end, j, read); err != nil {
				return err
			}
			read = 0
		case <-sess.closed: // the device is about to say so
			_ = conn.SetReadDeadline(time.Now().Add(policy.StreamTimeout))
			_, err := conn.Read(buf)
			return err
		case <-cl.ctx.Done():
			return nil
		}
	}
}

// walk walks a job at the server. read bytes of its first message were read already.
func (cl *Cloud) walk(end *Stream, j *job, read int) error {
	if read == 0 {
		return end.Walk(cl.ctx, j)
	}
	if err := discard(end.Conn, j.messages[0].Size-read, policy.StreamTimeout, end.Buffer); err != nil {
		return err
	}
	return end.Walk(cl.ctx, newJob(j.messages[1:], cl.c.Clock.Now(), j.tag))
}
