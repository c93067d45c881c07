// Package homenet is what the networks of homes have in common in both worlds, whatever was drawn for them: MTUs, leases, the tunnel's
// addresses, stations of the access point, names that resolve. Pure: it makes no interface and sends nothing.
package homenet

import (
	"net/netip"
	"time"

	"glasshouse/devices/script"
	"glasshouse/gateway/accesspoint"
	"glasshouse/scenarios"
)

// MTUs of a home's links: Ethernet's, and WireGuard's usual one, 1500 less 80 bytes for an outer IPv6 header.
const (
	MTU       = 1500
	TunnelMTU = 1420
)

// Lease is OpenWrt's default.
const Lease = 12 * time.Hour

// TunnelPort is WireGuard's customary port.
const TunnelPort = 51820

// TunnelClient is the home's address inside the tunnel, as a VPN provider hands them out.
func TunnelClient() netip.Addr { return netip.AddrFrom4([4]byte{10, 66, 0, 2}) }

// TunnelServer is the VPN server's address inside the tunnel.
func TunnelServer() netip.Addr { return netip.AddrFrom4([4]byte{10, 66, 0, 1}) }

// Tunnelled tells whether a scenario's homes send everything through a VPN.
func Tunnelled(sc *scenarios.Scenario) bool { return sc.Path == "vpn" }

// Station is what the access point knows of a device; Deliver is for the world to add.
func Station(s *script.Specimen) accesspoint.Station {
	p := s.Profile
	return accesspoint.Station{
		Unit: s.Index, MAC: s.MAC, Addr: s.Addr, Doze: p.WiFi.Doze, Acks: p.Stack.Acks,
		Pace: accesspoint.Pace{Quantiles: p.WiFi.Pace, Next: p.WiFi.PaceNext},
	}
}

// Names lists what a home's DNS server resolves.
func Names(h *scenarios.Home) map[string]netip.Addr {
	names := make(map[string]netip.Addr, len(h.Clouds))
	for _, cloud := range h.Clouds {
		names[cloud.Host] = cloud.Addr
	}
	return names
}

// TimeServer is the host that a home's router looks up before it asks the time.
func TimeServer(h *scenarios.Home) string {
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
