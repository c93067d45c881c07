package discovery

import "net/netip"

// ScanPace is the time between two ARP requests of a scan of the LAN, ns: assumed, a second for a /24.
const ScanPace = int64(4e6)

// Neighbours returns the addresses of a LAN that a scan asks for, in order: all but the network's, the broadcast's and one's own.
func Neighbours(lan netip.Prefix, own netip.Addr) []netip.Addr {
	var all []netip.Addr
	for a := lan.Masked().Addr().Next(); lan.Contains(a.Next()); a = a.Next() {
		if a != own {
			all = append(all, a)
		}
	}
	return all
}
