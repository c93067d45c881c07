package live

import (
	"context"
	"log/slog"
	"net"
	"net/netip"

	"glasshouse/emulator/live/router"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
	"glasshouse/gateway/accesspoint"
	"glasshouse/testbed/homenet"
	"glasshouse/testbed/label"
	"glasshouse/testbed/wan"
)

// buildGateway makes the home router: a Linux kernel that forwards between wlan0 and eth0, and the program on both sides of it.
func (l *lab) buildGateway(ctx context.Context) error {
	h := l.home
	gw, err := l.namespace("gateway")
	if err != nil {
		return err
	}
	l.gw = gw
	for _, s := range policy.RouterSysctls() {
		if err := gw.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	wlan0, err := gw.AddTAP("wlan0", h.GatewayMAC, homenet.MTU)
	if err != nil {
		return err
	}
	l.onClose(wlan0)
	if err := gw.TrustNeighbours("wlan0", h.Router.ARP); err != nil {
		return err
	}
	eth0, err := gw.AddTUN("eth0", homenet.MTU)
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

	l.toEth0 = l.sink(eth0)
	l.trace = label.NewTrace(label.TraceConfig{Clock: l.path, Flows: l.flows, Tunnel: l.tunnelled(), Addr: h.WANAddr, LAN: h.LAN})
	l.wan = wan.New(wan.Config{Home: h, Tunnel: l.tunnelled(), Clock: l.path, Pool: &l.pool, Rows: l.rows, World: l})
	l.onClose(closeFunc(l.wan.Close))

	toWlan0 := l.sink(wlan0)
	l.ap = accesspoint.New(accesspoint.Config{
		Clock: l.air, GatewayMAC: h.GatewayMAC, Stations: l.stations(), Medium: accesspoint.Medium(h.Medium()), Seed: h.Seed, Pool: &l.pool,
		Capture: l.capture, ToGateway: func(p *packet.Packet) { l.toGateway(p, toWlan0) },
		Downlink: func(x packet.Lineage, lost bool) { l.rows.Complete(x.Row, x, lost) },
	})
	l.onClose(closeFunc(l.ap.Close))
	l.read(wlan0, l.fromGateway)
	l.read(eth0, l.fromEth0)
	dhcp, err := router.ServeDHCP(gw, "wlan0", router.DHCPConfig{
		Server: h.GatewayLAN, Prefix: h.LAN, Leases: h.Leases(), Router: h.GatewayLAN, DNS: h.DNS, MTU: l.lanMTU(),
		Lease: homenet.Lease,
	})
	if err != nil {
		return err
	}
	l.onClose(dhcp)
	return nil
}

// stations lists who may use the access point; their interfaces come later.
func (l *lab) stations() []accesspoint.Station {
	l.taps = make([]func([]byte), len(l.home.Specimens))
	stations := make([]accesspoint.Station, len(l.home.Specimens))
	for i := range l.home.Specimens {
		stations[i] = homenet.Station(&l.home.Specimens[i])
		stations[i].Deliver = func(b []byte) { l.taps[i](b) }
	}
	return stations
}

// toGateway attributes a frame that is for the gateway, and hands it to the gateway's kernel.
func (l *lab) toGateway(p *packet.Packet, wlan0 func([]byte)) {
	if ip, ok := routed(p.Data, l.home.LAN); ok {
		l.tally.Crosses(true)
		if !l.trace.Routed(ip, p.Lineage, p.At) {
			l.unknownFlow(ip, p.Lineage.Unit)
		}
	}
	wlan0(p.Data)
}

// fromGateway takes a frame that the gateway's kernel sends to the LAN, and finds the WAN packet that it carries.
func (l *lab) fromGateway(frame []byte) {
	var x packet.Lineage
	if len(frame) >= 34 && frame[12] == 8 && frame[13] == 0 {
		if found, ok := l.trace.Delivered(frame[14:]); ok {
			x = found
			l.tally.Crosses(false)
		}
	}
	l.ap.FromGateway(frame, x)
}

// capture records a LAN frame.
func (l *lab) capture(at int64, frame []byte) int64 {
	l.tally.Frame()
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
