package nat

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"glasshouse/emulator/packet"
)

// TestRewriteIsTheSettersOne compares every byte with what gVisor's setters make, one after the other. Words are often equal,
// 0, or all ones, where the two zeros of ones' complement could differ.
func TestRewriteIsTheSettersOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func() uint16 {
		switch r.IntN(4) {
		case 0:
			return 0
		case 1:
			return 0xffff
		case 2:
			return uint16(r.IntN(3))
		}
		return uint16(r.Uint32())
	}
	for range 200_000 {
		proto := []uint8{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP}[r.IntN(3)]
		b := make([]byte, 40)
		for i := 0; i < len(b); i += 2 {
			binary.BigEndian.PutUint16(b[i:], word())
		}
		b[0], b[9] = 0x45, proto
		addr, port, source := uint32(word())<<16|uint32(word()), word(), r.IntN(2) == 0
		if r.IntN(8) == 0 { // nothing changes
			addr = binary.BigEndian.Uint32(b[16:])
		}
		want := bytes.Clone(b)
		bySetters(want, addr, port, source)
		got := bytes.Clone(b)
		rewrite(got, got[20:], addr, port, source)
		if !bytes.Equal(got, want) {
			t.Fatalf("%x: address %08x, port %d, source %v\ngot  %x\nwant %x", b, addr, port, source, got, want)
		}
	}
}

func bySetters(b []byte, to uint32, port uint16, source bool) {
	h := header.IPv4(b)
	addr := tcpip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, to)))
	old := h.DestinationAddress()
	if source {
		old = h.SourceAddress()
		h.SetSourceAddressWithChecksumUpdate(addr)
	} else {
		h.SetDestinationAddressWithChecksumUpdate(addr)
	}
	set := func(l4 header.ChecksummableTransport) {
		if source {
			l4.SetSourcePortWithChecksumUpdate(port)
		} else {
			l4.SetDestinationPortWithChecksumUpdate(port)
		}
		l4.UpdateChecksumPseudoHeaderAddress(old, addr, true)
	}
	switch h.Protocol() {
	case packet.ProtoTCP:
		set(header.TCP(b[20:]))
	case packet.ProtoUDP:
		set(header.UDP(b[20:]))
	default:
		header.ICMPv4(b[20:]).SetIdentWithChecksumUpdate(port)
	}
}
