package label

import (
	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// OuterOf classifies an IPv4 packet on the wire beside a tunnel.
func OuterOf(ip []byte) (outer.Kind, outer.Key) {
	h, ok := packet.ParseIPv4(ip)
	if !ok || h.Protocol() != packet.ProtoUDP {
		return outer.Unknown, outer.Key{}
	}
	u, ok := packet.ParseUDP(ip[h.HeaderLength():])
	if !ok {
		return outer.Unknown, outer.Key{}
	}
	return outer.Parse(u.Payload())
}

// Gateway is the lineage of what the gateway itself sends or gets.
func Gateway() packet.Lineage {
	return packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone, Role: packet.RoleData}
}

// Unsolicited is the lineage of what the internet sends that nobody asked for.
func Unsolicited() packet.Lineage {
	return packet.Lineage{Unit: packet.UnitInternet, Event: packet.EventNone, Role: packet.RoleUnsolicited}
}

// Tunnel is the lineage of what the tunnel sends for itself.
func Tunnel(kind outer.Kind) packet.Lineage {
	l := Gateway()
	l.Role = packet.RoleTunnelHandshake
	if kind == outer.Keepalive {
		l.Role = packet.RoleTunnelKeepalive
	}
	return l
}
