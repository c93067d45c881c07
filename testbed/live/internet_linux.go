package live

import (
	"context"
	"log/slog"
	"net/netip"

	"glasshouse/devices/profile"
	"glasshouse/emulator/live/cloud"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/router"
	"glasshouse/emulator/live/transport"
	"glasshouse/testbed/homenet"
)

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
	isp0, err := inet.AddTUN("isp0", homenet.MTU)
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
	l.toISP0 = l.sink(isp0)
	l.read(isp0, l.fromISP0)
	if l.authority, err = transport.NewAuthority(); err != nil {
		return err
	}
	if l.sessions, err = exchange.NewSessions(); err != nil {
		return err
	}
	cloud, err := cloud.New(l.cloudConfig())
	if err != nil {
		return err
	}
	l.onClose(cloud)
	return nil
}

// cloudConfig lists what the home's devices will ask of the internet.
func (l *lab) cloudConfig() cloud.Config {
	c := cloud.Config{
		NS: l.inet, Names: homenet.Names(l.home), DNS: l.home.DNS, NTP: l.home.NTP, Registry: l.flows,
		Sessions: l.sessions, Authority: l.authority, Clock: l.wall, Peer: l.wan.Peer, Log: slog.Default(),
	}
	streams, datagrams, quic := make(map[uint16]bool), make(map[netip.AddrPort]bool), make(map[netip.AddrPort]bool)
	for _, p := range l.home.Profiles {
		for _, s := range p.Services {
			switch {
			case !s.WAN():
			case s.Stream():
				streams[s.Port] = true
			case s.Transport == profile.TransportUDP:
				datagrams[netip.AddrPortFrom(c.Names[s.Host], s.Port)] = true
			case s.Transport == profile.TransportQUIC:
				quic[netip.AddrPortFrom(c.Names[s.Host], s.Port)] = true
			}
		}
	}
	for port := range streams {
		c.Streams = append(c.Streams, port)
	}
	for at := range datagrams {
		c.Datagrams = append(c.Datagrams, at)
	}
	for at := range quic {
		c.QUIC = append(c.QUIC, at)
	}
	return c
}

func (l *lab) routerConfig() router.Config {
	return router.Config{NS: l.gw, Clock: l.wall, DNS: l.home.DNS, NTP: l.home.NTP, Name: homenet.TimeServer(l.home)}
}

func (l *lab) unsolicitedConfig() cloud.UnsolicitedConfig {
	return cloud.UnsolicitedConfig{
		NS: l.inet, Clock: l.wall, Target: l.home.WANAddr, Rate: l.home.WAN.Unsolicited, Seed: l.home.Seed,
	}
}
