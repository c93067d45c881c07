package testbed

import (
	"net/netip"
	"time"
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
