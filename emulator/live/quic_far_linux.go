package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// quicIDSize is the size of the IDs by which servers tell connections, bytes.
const quicIDSize = 8

// farQUIC is the far end of QUIC connections: a cloud's.
type farQUIC struct {
	cl        *Cloud
	here      netip.AddrPort
	transport *quic.Transport
	listener  *quic.Listener

	mu    sync.Mutex
	peers map[netip.AddrPort]*quicClient // by the address that the server sees
}

// quicClient is a client as the server knows it.
type quicClient struct {
	flow  *truth.Flow
	roles *quicRoles
}

func (cl *Cloud) listenQUIC(at netip.AddrPort) error {
	conn, err := cl.c.NS.ListenUDP(at)
	if err != nil {
		return fmt.Errorf("serving QUIC at %s: %w", at, err)
	}
	f := &farQUIC{cl: cl, here: at, peers: make(map[netip.AddrPort]*quicClient)}
	socket := &datagramSocket{
		Conn:     conn,
		read:     func(b []byte) (int, net.Addr, error) { return conn.ReadFrom(b) },
		write:    func(b []byte, to net.Addr) (int, error) { return conn.WriteTo(b, to) },
		announce: f.announce,
	}
	f.transport = &quic.Transport{Conn: socket, ConnectionIDLength: quicIDSize, ConnContext: f.welcome}
	f.listener, err = f.transport.Listen(quicTLS(cl.c.Authority.serverConfig()), quicConfig(f.roles))
	if err != nil {
		return errors.Join(fmt.Errorf("serving QUIC at %s: %w", at, err), conn.Close())
	}
	cl.closers = append(cl.closers, f)
	cl.wg.Go(f.run)
	return nil
}

// Close implements io.Closer.
func (f *farQUIC) Close() error {
	return errors.Join(f.listener.Close(), f.transport.Close(), f.transport.Conn.Close())
}

// welcome finds out who a new connection belongs to: a translated port may have been another device's before.
func (f *farQUIC) welcome(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	seen := addrPortOf(info.RemoteAddr)
	lan, ok := f.cl.c.Peer(packet.ProtoUDP, seen)
	if !ok {
		return ctx, errors.New("nobody is behind the address")
	}
	flow := f.cl.c.Registry.Find(truth.KeyOf(packet.ProtoUDP, lan, f.here))
	if flow == nil {
		return ctx, errors.New("no flow is known")
	}
	c := &quicClient{flow: flow, roles: new(quicRoles)}
	f.mu.Lock()
	f.peers[seen] = c
	f.mu.Unlock()
	return context.WithValue(ctx, quicClientKey{}, c), nil
}

// quicClientKey finds a connection's quicClient in its context.
type quicClientKey struct{}

func (f *farQUIC) roles(ctx context.Context) *quicRoles {
	if c, ok := ctx.Value(quicClientKey{}).(*quicClient); ok {
		return c.roles
	}
	return new(quicRoles)
}

func (f *farQUIC) announce(b []byte, to net.Addr) bool {
	f.mu.Lock()
	c := f.peers[addrPortOf(to)]
	f.mu.Unlock()
	if c == nil {
		return false
	}
	c.flow.Datagram(packet.Down, b, c.flow.Opening().As(c.roles.take(len(b))))
	return true
}

func addrPortOf(a net.Addr) netip.AddrPort {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := u.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func (f *farQUIC) run() {
	for {
		conn, err := f.listener.Accept(f.cl.ctx)
		if err != nil {
			return
		}
		f.cl.wg.Go(func() {
			if err := f.serve(conn); err != nil {
				f.cl.c.Log.Debug("serving ended", "remote", conn.RemoteAddr(), "local", f.here, "error", err)
			}
		})
	}
}

// serve walks the exchange of a connection, until the device closes it.
func (f *farQUIC) serve(conn *quic.Conn) error {
	defer func() { // once it is over
		seen := addrPortOf(conn.RemoteAddr())
		f.mu.Lock()
		if c, ok := conn.Context().Value(quicClientKey{}).(*quicClient); ok && f.peers[seen] == c {
			delete(f.peers, seen)
		}
		f.mu.Unlock()
	}()
	defer func() { _ = conn.CloseWithError(0, "") }()
	stream, err := conn.AcceptStream(f.cl.ctx)
	if err != nil {
		return err
	}
	var token [tokenSize]byte
	if _, err := io.ReadFull(stream, token[:]); err != nil {
		return err
	}
	sess := f.cl.c.Sessions.find(token)
	if sess == nil {
		return errors.New("the token names no session")
	}
	end := Stream{
		Clock: f.cl.c.Clock, Conn: quicStream{stream, conn}, Dir: packet.Down, Noise: newNoise(uint64(token[1])<<8 | uint64(token[2])),
		Buffer: make([]byte, noiseSize),
	}
	if err := f.cl.walk(&end, <-sess.jobs, tokenSize); err != nil {
		return err
	}
	close(sess.finished)
	select {
	case <-conn.Context().Done():
	case <-f.cl.ctx.Done():
	}
	return nil
}
