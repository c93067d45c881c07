package testbed

import (
	"net/netip"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/gateway/accesspoint"
)

// What the homes of both worlds have in common, whatever was drawn for them.

const (
	mtuPlain  = 1500
	mtuTunnel = 1420 // wireguard's usual: 1500 less 80 bytes for an outer IPv6 header
)

// leaseTime is OpenWrt's default.
const leaseTime = 12 * time.Hour

// Addresses inside the tunnel, as a VPN provider hands them out.
var (
	tunnelClient = netip.MustParseAddr("10.66.0.2")
	tunnelServer = netip.MustParseAddr("10.66.0.1")
)

// tunnelPort is WireGuard's customary port.
const tunnelPort = 51820

// paceOf is how a device's radio paces its frames.
func paceOf(p *profile.Profile) accesspoint.Pace {
	return accesspoint.Pace{Quantiles: p.WiFi.Pace, Next: p.WiFi.PaceNext}
}
