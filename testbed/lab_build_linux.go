package testbed

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"glasshouse/devices"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/live"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
	"glasshouse/gateway"
)

// Script time 0 lies this far ahead when the interfaces are up: the devices get their leases before it.
const settleTime = 2 * time.Second

const (
	mtuPlain  = 1500
	mtuTunnel = 1420 // wireguard's usual: 1500 less 80 bytes for an outer IPv6 header
)

// build makes the namespaces, interfaces, servers and hosts, and starts what moves packets between them.
func (l *lab) build(ctx context.Context) error {
	if err := l.clocks(); err != nil {
		return err
	}
	for _, step := range []struct {
		doing string
		f     func(context.Context) error
	}{
		{"building the gateway", l.buildGateway},
		{"building the internet", l.buildInternet},
		{"opening the tunnel", l.buildTunnel},
		{"building the devices", l.buildHosts},
	} {
		if err := step.f(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.doing, err)
		}
	}
	return nil
}

func (l *lab) clocks() (err error) {
	for _, w := range []**clock.Wall{&l.wall, &l.air, &l.path} {
		if *w, err = clock.NewWall(l.start); err != nil {
			return fmt.Errorf("starting the clock: %w", err)
		}
		l.onClose(*w)
	}
	return nil
}

func (l *lab) namespace(name string) (*live.Namespace, error) {
	ns, err := live.NewNamespace(name)
	if err != nil {
		return nil, err
	}
	l.onClose(ns)
	l.spaces[name] = ns
	return ns, ns.Bind(filepath.Join("/run/netns", name))
}

func (l *lab) tunnelled() bool { return l.sc.Path == "vpn" }

func (l *lab) lanMTU() int {
	if l.tunnelled() {
		return mtuTunnel
	}
	return mtuPlain
}

// buildGateway makes the home router: a Linux kernel that forwards between wlan0 and eth0, and the program on both sides of it.
func (l *lab) buildGateway(ctx context.Context) error {
	h := l.home
	gw, err := l.namespace("gateway")
	if err != nil {
		return err
	}
	l.gw = gw
	for _, s := range [][2]string{
		{"net.ipv4.ip_forward", "1"},
		{"net.ipv4.conf.all.rp_filter", "0"},
		{"net.ipv4.conf.default.rp_filter", "0"},
		{"net.ipv4.conf.all.send_redirects", "0"},
		{"net.ipv4.conf.default.send_redirects", "0"},
	} {
		if err := gw.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	wlan0, err := gw.AddTAP("wlan0", h.GatewayMAC, mtuPlain)
	if err != nil {
		return err
	}
	l.onClose(wlan0)
	eth0, err := gw.AddTUN("eth0", mtuPlain)
	if err != nil {
		return err
	}
	l.onClose(eth0)
	if err := gw.AddAddr("wlan0", netip.PrefixFrom(h.GatewayLAN, h.LAN.Bits())); err != nil {
		return err
	}
	if err := gw.AddAddr("eth0", netip.PrefixFrom(h.WANAddr, 32)); err != nil {
		return err
	}
	route := netip.MustParsePrefix("0.0.0.0/0")
	if l.tunnelled() { // nothing but the tunnel itself has a way out: it fails closed
		route = netip.PrefixFrom(h.VPNServer, 32)
	}
	if err := gw.AddRoute("eth0", route, netip.Addr{}); err != nil {
		return err
	}

	w := &wan{
		clock: l.path, pool: &l.pool, rows: l.rows, flows: l.flows,
		addr: h.WANAddr, lan: h.LAN, tunnel: l.tunnelled(), far: h.FarDelays(),
		hopUp: truth.NewHop(nil), hopDown: truth.NewHop(nil),
		sealedUp: gateway.NewLineageMap(), sealedDown: gateway.NewLineageMap(), tapped: gateway.NewLineageMap(),
	}
	l.impair(w)
	w.toEth0 = l.sink(eth0)
	w.lines()
	l.wan = w
	l.onClose(closeFunc(w.close))

	toWlan0 := l.sink(wlan0)
	l.ap = gateway.NewAccessPoint(gateway.AccessPointConfig{
		Clock: l.air, GatewayMAC: h.GatewayMAC, Stations: l.stations(), Medium: gateway.Medium(h.Medium()), Seed: h.Seed, Pool: &l.pool,
		Capture: l.capture, ToGateway: func(p packet.Packet) { l.toGateway(p, toWlan0) },
		Downlink: func(x packet.Lineage, lost bool) { l.rows.complete(x.Row, x, lost) },
	})
	l.onClose(closeFunc(l.ap.Close))
	l.read(wlan0, l.fromGateway)
	l.read(eth0, w.FromEth0)
	dhcp, err := live.ServeDHCP(gw, "wlan0", live.DHCPConfig{
		Server: h.GatewayLAN, Prefix: h.LAN, Leases: h.Leases(), Router: h.GatewayLAN, DNS: h.DNS, MTU: l.lanMTU(),
		Lease: leaseTime,
	})
	if err != nil {
		return err
	}
	l.onClose(dhcp)
	return nil
}

// leaseTime is OpenWrt's default.
const leaseTime = 12 * time.Hour

// impair sets the WAN up as the home has it.
func (l *lab) impair(w *wan) {
	link, seed := l.home.WAN, l.home.Seed
	if !l.tunnelled() {
		w.napt = gateway.NewNAPT(gateway.NewTable(gateway.TableConfig{WAN: l.home.WANAddr}))
	}
	w.upQueue, w.downQueue = gateway.NewQueue(link.UpRate, link.Queue), gateway.NewQueue(link.DownRate, link.Queue)
	loss := float64(link.Loss) / 1e6
	w.upPath = gateway.NewPath(link.Delay, link.Jitter, loss, seed, 1)
	w.downPath = gateway.NewPath(link.Delay, link.Jitter, loss, seed, 2)
}

// stations lists who may use the access point; their interfaces come later.
func (l *lab) stations() []gateway.Station {
	l.taps = make([]func([]byte), len(l.home.Specimens))
	stations := make([]gateway.Station, len(l.home.Specimens))
	for i, s := range l.home.Specimens {
		stations[i] = gateway.Station{Unit: s.Index, MAC: s.MAC, Addr: s.Addr, Deliver: func(b []byte) { l.taps[i](b) }}
	}
	return stations
}

// buildInternet makes everything beyond the ISP: the clouds' servers on any-IP addresses, DNS and NTP.
func (l *lab) buildInternet(ctx context.Context) error {
	h := l.home
	inet, err := l.namespace("internet")
	if err != nil {
		return err
	}
	l.inet = inet
	for _, s := range [][2]string{
		{"net.ipv4.ip_forward", "1"},
		{"net.ipv4.conf.all.rp_filter", "0"},
		{"net.ipv4.conf.default.rp_filter", "0"},
		{"net.ipv4.icmp_ratelimit", "0"},
	} {
		if err := inet.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	isp0, err := inet.AddTUN("isp0", mtuPlain)
	if err != nil {
		return err
	}
	l.onClose(isp0)
	if err := inet.AddAddr("isp0", netip.PrefixFrom(h.ISPAddr, 32)); err != nil {
		return err
	}
	if err := inet.AddRoute("isp0", netip.PrefixFrom(h.WANAddr, 32), netip.Addr{}); err != nil {
		return err
	}
	if err := inet.AddLocal(netip.MustParsePrefix("198.18.0.0/15")); err != nil { // RFC 2544's block: no real host has one
		return err
	}
	l.wan.toISP = l.sink(isp0)
	l.read(isp0, l.wan.FromISP)
	if l.authority, err = live.NewAuthority(); err != nil {
		return err
	}
	if l.sessions, err = live.NewSessions(); err != nil {
		return err
	}
	cloud, err := live.NewCloud(l.cloudConfig())
	if err != nil {
		return err
	}
	l.onClose(cloud)
	return nil
}

func (l *lab) buildHosts(ctx context.Context) error {
	type booted struct {
		i   int
		err error
	}
	done := make(chan booted)
	for i := range l.home.Specimens {
		s := &l.home.Specimens[i]
		ns, err := l.namespace(s.Name)
		if err != nil {
			return err
		}
		tap, err := ns.AddTAP("wlan0", s.MAC, l.lanMTU())
		if err != nil {
			return err
		}
		l.onClose(tap)
		host, err := live.NewHost(l.hostConfig(ns, s))
		if err != nil {
			return err
		}
		l.onClose(host)
		l.hosts = append(l.hosts, host)
		l.taps[i] = l.sink(tap)
		l.read(tap, func(frame []byte) { l.ap.FromStation(i, frame) })
	}
	for i, host := range l.hosts {
		go func() { done <- booted{i, host.Boot(ctx)} }()
	}
	var first error
	for range l.hosts {
		if b := <-done; b.err != nil && first == nil {
			first = fmt.Errorf("%s: %w", l.home.Specimens[b.i].Name, b.err)
		}
	}
	if first != nil {
		return first
	}
	return l.introducePhone()
}

// introducePhone lets devices find the household's phone on the LAN, and the phone answer them.
func (l *lab) introducePhone() error {
	phone, ok := l.home.Peer()
	if !ok {
		return nil
	}
	ports := make(map[uint16]bool)
	for i := range l.home.Specimens {
		for _, s := range l.home.Specimens[i].Profile.Services {
			if s.Transport == devices.TransportLAN && s.Host == devices.HostPeer {
				l.hosts[i].SetPeer(phone.Addr)
				ports[s.Port] = true
			}
		}
	}
	for port := range ports {
		if err := l.hosts[phone.Index].ServeLAN(port); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) hostConfig(ns *live.Namespace, s *devices.Specimen) live.HostConfig {
	return live.HostConfig{
		NS: ns, Specimen: s, Registry: l.flows, Clock: l.wall, Authority: l.authority, Sessions: l.sessions,
		Activity: l.names.activity, NTP: l.home.NTP, Log: slog.Default(),
	}
}

// cloudConfig lists what the home's devices will ask of the internet.
func (l *lab) cloudConfig() live.CloudConfig {
	c := live.CloudConfig{
		NS: l.inet, Names: make(map[string]netip.Addr), DNS: l.home.DNS, NTP: l.home.NTP, Registry: l.flows,
		Sessions: l.sessions, Authority: l.authority, Clock: l.wall, Peer: l.peer, Log: slog.Default(),
	}
	for _, cloud := range l.home.Clouds {
		c.Names[cloud.Host] = cloud.Addr
	}
	streams, datagrams := make(map[uint16]bool), make(map[netip.AddrPort]bool)
	for _, p := range l.home.Profiles {
		for _, s := range p.Services {
			switch {
			case !s.WAN():
			case s.Stream():
				streams[s.Port] = true
			case s.Transport == devices.TransportUDP:
				datagrams[netip.AddrPortFrom(c.Names[s.Host], s.Port)] = true
			}
		}
	}
	for port := range streams {
		c.Streams = append(c.Streams, port)
	}
	for at := range datagrams {
		c.Datagrams = append(c.Datagrams, at)
	}
	return c
}

func (l *lab) routerConfig() live.RouterConfig {
	c := live.RouterConfig{NS: l.gw, Clock: l.wall, DNS: l.home.DNS, NTP: l.home.NTP}
	if len(l.home.Clouds) > 0 {
		c.Name = l.home.Clouds[0].Host
	}
	for _, cloud := range l.home.Clouds {
		if cloud.Addr == l.home.NTP {
			c.Name = cloud.Host
		}
	}
	return c
}

func (l *lab) strangerConfig() live.StrangerConfig {
	return live.StrangerConfig{
		NS: l.inet, Clock: l.wall, Target: l.home.WANAddr, PerHour: float64(l.home.WAN.Unsolicited) / 1e6, Seed: l.home.Seed,
	}
}

// peer tells whom a server talks to: behind NAPT it sees the home's address and a translated port.
func (l *lab) peer(proto uint8, seen netip.AddrPort) (netip.AddrPort, bool) {
	if l.tunnelled() {
		return seen, true
	}
	l.wan.mu.Lock()
	defer l.wan.mu.Unlock()
	return l.wan.napt.Table().Peer(proto, seen.Port())
}

// sink returns a function that puts packets on an interface and recycles their buffers. A packet that the interface does
// not take is counted.
func (l *lab) sink(to interface{ Write([]byte) (int, error) }) func([]byte) {
	return func(b []byte) {
		if _, err := to.Write(b); err != nil {
			l.writeErrors.Add(1)
		}
		l.pool.Put(b)
	}
}

// read hands each packet of an interface to f, which owns it, until the interface is closed.
func (l *lab) read(from interface{ Read([]byte) (int, error) }, f func([]byte)) {
	l.readers.Go(func() {
		for {
			b := l.pool.Get()
			n, err := from.Read(b)
			if err != nil {
				return
			}
			f(b[:n])
		}
	})
}

// toGateway attributes a frame that is for the gateway, and hands it to the gateway's kernel.
func (l *lab) toGateway(p packet.Packet, wlan0 func([]byte)) {
	if ip, ok := routed(p.Data, l.home.LAN); ok {
		l.tally.crosses(true)
		x, ok := l.flows.Attribute(ip, packet.Up)
		if !ok || x.Unit != p.Lineage.Unit {
			x = packet.Unattributed()
			l.unknownFlow(ip, p.Lineage.Unit)
		}
		x.LANFrame = p.Lineage.LANFrame
		l.wan.hopUp.Enter(ip, x, p.At)
	}
	wlan0(p.Data)
}

// fromGateway takes a frame that the gateway's kernel sends to the LAN, and finds the WAN packet that it carries.
func (l *lab) fromGateway(frame []byte) {
	var x packet.Lineage
	if len(frame) >= 34 && frame[12] == 8 && frame[13] == 0 {
		if found, ok := l.wan.hopDown.Leave(frame[14:]); ok {
			x = found
			l.tally.crosses(false)
		}
	}
	l.ap.FromGateway(frame, x)
}

// capture records a LAN frame.
func (l *lab) capture(at int64, frame []byte) int64 {
	l.tally.lan()
	return l.files.LAN(at, frame)
}

// routed returns the IPv4 packet in a unicast frame for the gateway that its kernel will forward: one whose destination
// is not on the LAN.
func routed(frame []byte, lan netip.Prefix) ([]byte, bool) {
	if len(frame) < 34 || frame[0]&1 != 0 || frame[12] != 8 || frame[13] != 0 {
		return nil, false
	}
	dst := netip.AddrFrom4([4]byte(frame[30:34]))
	if lan.Contains(dst) || dst.IsMulticast() || dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return nil, false
	}
	return frame[14:], true
}

// unknownFlow tells, once a run, which packet could not be attributed.
func (l *lab) unknownFlow(ip []byte, unit int32) {
	l.firstUnknown.Do(func() {
		key, _, _ := truth.ParseKey(ip, packet.Up)
		slog.Warn("a packet belongs to no known flow", "unit", unit, "proto", key.Proto, "remote", net.IP(key.Remote[:]), "port", key.RemotePort)
	})
}

type closeFunc func()

// Close implements io.Closer.
func (f closeFunc) Close() error {
	f()
	return nil
}
