package virtual

import (
	"encoding/binary"
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/unsolicited"
)

// Unsolicited sends an unsolicited packet to an address: a SYN as Linux makes it, or a datagram of noise.
func (n *Net) Unsolicited(s unsolicited.Packet, to netip.Addr, l packet.Lineage, send func(*packet.Packet)) {
	d := n.cloud.stack.draws
	src, dst := u32(s.From), u32(to)
	sport := uint16(policy.FirstEphemeral + d.n(policy.LastEphemeral-policy.FirstEphemeral))
	out := stack{n: n, ttl: 64, draws: d, out: func(ip []byte, l packet.Lineage) {
		send(&packet.Packet{Data: ip, At: n.clock.Now(), Lineage: l})
	}}
	if !s.TCP {
		v := d.Uint64()
		head := [2]byte{byte(v) & 0x3f, byte(v>>8) & 0x3f} // see Net.head
		out.noisy(src, dst, sport, s.Port, uint16(d.Uint64()), head[:], s.Size, d.Uint64(), l)
		return
	}
	e := endpoint{
		st: &out, key: connKey{local: src, remote: dst, ports: uint32(sport)<<16 | uint32(s.Port)}, ts: true, mss: policy.MSS,
		tsOffset: uint32(d.Uint64()), ipID: uint16(d.Uint64()),
	}
	out.mss = policy.MSS
	var o [40]byte
	k := e.synOptions(o[:], packet.FlagSYN)
	b := e.header(k, 0, packet.FlagSYN, uint32(d.Uint64()))
	copy(b[packet.IPv4Size+packet.TCPSize:], o[:k])
	binary.BigEndian.PutUint32(b[packet.IPv4Size+8:], 0)
	e.seal(b, k, 0, l)
}
