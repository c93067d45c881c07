package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"

	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// quicIDSize is the size of the IDs by which servers tell connections, bytes.
const quicIDSize = 8

// quicServer is the far end of QUIC connections: a cloud's.
type quicServer struct {
	cl        *Servers
	here      netip.AddrPort
	transport *quic.Transport
	listener  *quic.Listener

	mu    sync.Mutex
	peers map[netip.AddrPort]*quicClient // by the address that the server sees
}

// quicClient is a client as the server knows it.
type quicClient struct {
	flow  *truth.Flow
	roles *transport.QUICRoles
}

func (cl *Servers) listenQUIC(at netip.AddrPort) error {
	conn, err := cl.c.NS.ListenUDP(at)
	if err != nil {
		return fmt.Errorf("serving QUIC at %s: %w", at, err)
	}
	f := &quicServer{cl: cl, here: at, peers: make(map[netip.AddrPort]*quicClient)}
	socket := &transport.QUICSocket{
		Conn:     conn,
		Read:     func(b []byte) (int, net.Addr, error) { return conn.ReadFrom(b) },
		Write:    func(b []byte, to net.Addr) (int, error) { return conn.WriteTo(b, to) },
		Announce: f.announce,
	}
	f.transport = &quic.Transport{Conn: socket, ConnectionIDLength: quicIDSize, ConnContext: f.welcome}
	f.listener, err = f.transport.Listen(transport.QUICTLS(cl.c.Authority.ServerConfig()), transport.QUICConfig(f.roles))
	if err != nil {
		return errors.Join(fmt.Errorf("serving QUIC at %s: %w", at, err), conn.Close())
	}
	cl.closers = append(cl.closers, f)
	cl.wg.Go(f.run)
	return nil
}

// Close implements io.Closer.
func (f *quicServer) Close() error {
	return errors.Join(f.listener.Close(), f.transport.Close(), f.transport.Conn.Close())
}

// welcome finds out who a new connection belongs to: a translated port may have been another device's before.
func (f *quicServer) welcome(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	seen := addrPortOf(info.RemoteAddr)
	lan, ok := f.cl.c.Peer(packet.ProtoUDP, seen)
	if !ok {
		return ctx, errors.New("nobody is behind the address")
	}
	flow := f.cl.c.Registry.Find(truth.KeyOf(packet.ProtoUDP, lan, f.here))
	if flow == nil {
		return ctx, errors.New("no flow is known")
	}
	c := &quicClient{flow: flow, roles: new(transport.QUICRoles)}
	f.mu.Lock()
	f.peers[seen] = c
	f.mu.Unlock()
	return context.WithValue(ctx, quicClientKey{}, c), nil
}

// quicClientKey finds a connection's quicClient in its context.
type quicClientKey struct{}

func (f *quicServer) roles(ctx context.Context) *transport.QUICRoles {
	if c, ok := ctx.Value(quicClientKey{}).(*quicClient); ok {
		return c.roles
	}
	return new(transport.QUICRoles)
}

func (f *quicServer) announce(b []byte, to net.Addr) bool {
	f.mu.Lock()
	c := f.peers[addrPortOf(to)]
	f.mu.Unlock()
	if c == nil {
		return false
	}
	c.flow.Datagram(packet.Down, b, c.flow.Opening().As(c.roles.Take(len(b))))
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

func (f *quicServer) run() {
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
func (f *quicServer) serve(conn *quic.Conn) error {
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
	var token [exchange.TokenSize]byte
	if _, err := io.ReadFull(stream, token[:]); err != nil {
		return err
	}
	sess := f.cl.c.Sessions.Find(token)
	if sess == nil {
		return errors.New("the token names no session")
	}
	end := exchange.Stream{
		Clock: f.cl.c.Clock, Conn: transport.QUICStream{Stream: stream, Conn: conn}, Dir: packet.Down,
		Noise:  exchange.NewNoise(uint64(token[1])<<8 | uint64(token[2])),
		Buffer: make([]byte, exchange.MaxWrite),
	}
	if err := f.cl.walk(&end, <-sess.Jobs, exchange.TokenSize); err != nil {
		return err
	}
	close(sess.Finished)
	select {
	case <-conn.Context().Done():
	case <-f.cl.ctx.Done():
	}
	return nil
}
