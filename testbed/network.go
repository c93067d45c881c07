package testbed

import (
	"net/netip"
	"time"

	"glasshouse/devices/script"
	"glasshouse/gateway/accesspoint"
	"glasshouse/scenarios"
)

// What the networks of homes have in common in both worlds, whatever was drawn for them.

// MTUs of a home's links: Ethernet's, and WireGuard's usual one, 1500 less 80 bytes for an outer IPv6 header.
const (
	mtuPlain  = 1500
	mtuTunnel = 1420
)

// leaseTime is OpenWrt's default.
const leaseTime = 12 * time.Hour

// TunnelPort is WireGuard's customary port.
const TunnelPort = 51820

// TunnelClient is the home's address inside the tunnel, as a VPN provider hands them out.
func TunnelClient() netip.Addr { return netip.AddrFrom4([4]byte{10, 66, 0, 2}) }

// TunnelServer is the VPN server's address inside the tunnel.
func TunnelServer() netip.Addr { return netip.AddrFrom4([4]byte{10, 66, 0, 1}) }

// tunnelled tells whether a scenario's homes send everything through a VPN.
func tunnelled(sc *scenarios.Scenario) bool { return sc.Path == "vpn" }

// stationOf is what the access point knows of a device; Deliver is for the world to add.
func stationOf(s *script.Specimen) accesspoint.Station {
	p := s.Profile
	return accesspoint.Station{
		Unit: s.Index, MAC: s.MAC, Addr: s.Addr, Doze: p.WiFi.Doze, Acks: p.Stack.Acks,
		Pace: accesspoint.Pace{Quantiles: p.WiFi.Pace, Next: p.WiFi.PaceNext},
	}
}

// namesOf lists what a home's DNS server resolves.
func namesOf(h *scenarios.Home) map[string]netip.Addr {
	names := make(map[string]netip.Addr, len(h.Clouds))
	for _, cloud := range h.Clouds {
		names[cloud.Host] = cloud.Addr
	}
	return names
}

// timeServer is the host that a home's router looks up before it asks the time.
func timeServer(h *scenarios.Home) string {
	name := ""
	if len(h.Clouds) > 0 {
		name = h.Clouds[0].Host
	}
	for _, cloud := range h.Clouds {
		if cloud.Addr == h.NTP {
			name = cloud.Host
		}
	}
	return name
}
