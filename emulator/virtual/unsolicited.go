package virtual

import (
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/unsolicited"
	"glasshouse/emulator/virtual/tcp"
)

// Unsolicited sends an unsolicited packet to an address: a SYN as Linux makes it, or a datagram of noise.
func (n *Net) Unsolicited(s unsolicited.Packet, to netip.Addr, l packet.Lineage, send func(*packet.Packet)) {
	d := n.cloud.stack.draws
	src, dst := u32(s.From), u32(to)
	sport := uint16(policy.FirstEphemeral + d.N(policy.LastEphemeral-policy.FirstEphemeral))
	out := func(ip []byte, l packet.Lineage) { send(&packet.Packet{Data: ip, At: n.clock.Now(), Lineage: l}) }
	if s.TCP {
		st := tcp.NewStack(&n.ip, tcp.Config{TTL: 64, MSS: policy.MSS, Timestamps: true}, d.PCG, out)
		st.Probe(tcp.Key{Local: src, Remote: dst, Ports: uint32(sport)<<16 | uint32(s.Port)}, l)
		return
	}
	v := d.Uint64()
	head := [2]byte{byte(v) & 0x3f, byte(v>>8) & 0x3f} // as in datagrams of exchanges: it must not look like RTP
	st := stack{n: n, ttl: 64, draws: d, send: out}
	id := uint16(d.Uint64())
	st.noisy(udp{src, dst, sport, s.Port}, id, payload{head[:], s.Size, d.Uint64()}, l)
}
