package live

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"golang.org/x/crypto/curve25519"
	"golang.zx2c4.com/wireguard/ipc"

	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel"
	"glasshouse/gateway/tunnel/outer"
	"glasshouse/testbed/homenet"
	"glasshouse/testbed/wan"
)

// buildTunnel makes both ends of the WireGuard tunnel: the client on the gateway, the server in the internet, which is up
// before the client may speak.
func (l *lab) buildTunnel(context.Context) error {
	if !l.tunnelled() {
		return nil
	}
	serverKey, serverPub, err := keyPair()
	if err != nil {
		return err
	}
	clientKey, clientPub, err := keyPair()
	if err != nil {
		return err
	}
	h := l.home
	vpn0, err := l.tunnelDevice(l.inet, "vpn0", homenet.TunnelServer())
	if err != nil {
		return err
	}
	for _, p := range []netip.Prefix{h.LAN, netip.PrefixFrom(homenet.TunnelClient(), 32)} {
		if err := l.inet.AddRoute("vpn0", p, netip.Addr{}); err != nil {
			return err
		}
	}
	far := wan.NewFarTUN(vpn0, l.path, &l.pool, h.FarDelays())
	l.onClose(far)
	l.far = far
	server, err := tunnel.New(tunnel.Config{
		Name: "vpn0", TUN: far, MTU: homenet.TunnelMTU, PrivateKey: serverKey, PeerPublicKey: clientPub, ListenPort: homenet.TunnelPort,
		AllowedIPs: []netip.Prefix{h.LAN, netip.PrefixFrom(homenet.TunnelClient(), 32)},
		Listen:     listenIn(l.inet, h.VPNServer), Logf: tunnelLog("server"),
		Sealing: l.trace.SealingDown,
		Sealed:  func(k outer.Key, x packet.Lineage) { l.trace.SealedAt(packet.Down, k, x) },
	})
	if err != nil {
		return err
	}
	l.onClose(server)
	tun0, err := l.tunnelDevice(l.gw, "tun0", homenet.TunnelClient())
	if err != nil {
		return err
	}
	l.onClose(tun0)
	if err := l.gw.AddRoute("tun0", netip.MustParsePrefix("0.0.0.0/0"), netip.Addr{}); err != nil {
		return err
	}
	client, err := tunnel.New(tunnel.Config{
		Name: "tun0", TUN: tun0, MTU: homenet.TunnelMTU, PrivateKey: clientKey, PeerPublicKey: serverPub,
		Endpoint: netip.AddrPortFrom(h.VPNServer, homenet.TunnelPort), AllowedIPs: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")},
		Listen: listenIn(l.gw, h.WANAddr), Logf: tunnelLog("client"),
		Sealing: l.trace.Sealing,
		Sealed:  func(k outer.Key, x packet.Lineage) { l.trace.SealedAt(packet.Up, k, x) },
		Opened:  l.opened,
	})
	if err != nil {
		return err
	}
	l.onClose(client)
	for name, t := range map[string]*tunnel.Tunnel{"tun0": client, "vpn0": server} {
		if err := l.serveUAPI(name, t); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) tunnelDevice(ns *netns.Namespace, name string, addr netip.Addr) (*netns.Interface, error) {
	tun, err := ns.AddTUN(name, homenet.TunnelMTU)
	if err != nil {
		return nil, err
	}
	return tun, ns.AddAddr(name, netip.PrefixFrom(addr, 32))
}

// serveUAPI makes the control socket that `wg show` reads.
func (l *lab) serveUAPI(name string, t *tunnel.Tunnel) error {
	file, err := ipc.UAPIOpen(name)
	if err != nil {
		return fmt.Errorf("opening %s's control socket: %w", name, err)
	}
	ln, err := ipc.UAPIListen(name, file)
	if err != nil {
		return fmt.Errorf("listening on %s's control socket: %w", name, err)
	}
	l.onClose(ln)
	l.readers.Go(func() { t.ServeUAPI(ln) })
	return nil
}

func listenIn(ns *netns.Namespace, at netip.Addr) func(port uint16) (*net.UDPConn, error) {
	return func(port uint16) (conn *net.UDPConn, err error) {
		err = ns.Do(func() error {
			conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: at.AsSlice(), Port: int(port)})
			return err
		})
		return conn, err
	}
}

func tunnelLog(end string) func(string, ...any) {
	return func(format string, args ...any) { slog.Debug(fmt.Sprintf(format, args...), "tunnel", end) }
}

// keyPair draws a WireGuard key pair. Keys are never drawn from the run's seed.
func keyPair() (private, public [32]byte, err error) {
	if _, err := rand.Read(private[:]); err != nil {
		return private, public, err
	}
	private[0] &= 248
	private[31] = private[31]&127 | 64
	pub, err := curve25519.X25519(private[:], curve25519.Basepoint)
	copy(public[:], pub)
	return private, public, err
}
