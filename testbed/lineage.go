package testbed

import (
	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// outerOf classifies an IPv4 packet on the wire beside a tunnel.
func outerOf(ip []byte) (outer.Kind, outer.Key) {
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

// gatewayOwn is the lineage of what the gateway itself sends or gets.
func gatewayOwn() packet.Lineage {
	return packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone, Role: packet.RoleData}
}

// unsolicitedLineage is the lineage of what the internet sends that nobody asked for.
func unsolicitedLineage() packet.Lineage {
	return packet.Lineage{Unit: packet.UnitInternet, Event: packet.EventNone, Role: packet.RoleUnsolicited}
}

// tunnelOwn is the lineage of what the tunnel sends for itself.
func tunnelOwn(kind outer.Kind) packet.Lineage {
	l := gatewayOwn()
	l.Role = packet.RoleTunnelHandshake
	if kind == outer.Keepalive {
		l.Role = packet.RoleTunnelKeepalive
	}
	return l
}
