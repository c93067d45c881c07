package packet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"pgregory.net/rapid"
)

// packet4 draws an IPv4 packet with options, and a transport header whose checksums are right. gVisor's headers write it.
func packet4(t *rapid.T, proto uint8) []byte {
	options := 4 * rapid.IntRange(0, 10).Draw(t, "option words")
	payload := rapid.SliceOfN(rapid.Byte(), 0, 65).Draw(t, "payload")
	head := map[uint8]int{ProtoTCP: TCPSize + 4*rapid.IntRange(0, 10).Draw(t, "TCP option words"), ProtoUDP: UDPSize, ProtoICMP: ICMPSize}[proto]
	b := make([]byte, IPv4Size+options+head+len(payload))
	address := func(name string) tcpip.Address {
		return tcpip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, name)))
	}
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{
		TOS: rapid.Byte().Draw(t, "TOS"), TotalLength: uint16(len(b)), ID: rapid.Uint16().Draw(t, "ID"), TTL: rapid.Byte().Draw(t, "TTL"),
		Flags:          rapid.SampledFrom([]uint8{0, header.IPv4FlagDontFragment, header.IPv4FlagMoreFragments}).Draw(t, "flags"),
		FragmentOffset: 8 * rapid.SampledFrom([]uint16{0, 1, 8191}).Draw(t, "offset"), Protocol: proto,
		SrcAddr: address("source"), DstAddr: address("destination"),
	})
	ip.SetHeaderLength(uint8(IPv4Size + options))
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	l4 := b[IPv4Size+options:]
	for i := range l4[:head] {
		l4[i] = rapid.Byte().Draw(t, "header byte")
	}
	copy(l4[head:], payload)
	switch proto {
	case ProtoTCP:
		l4[12] = byte(head/4)<<4 | l4[12]&15
		binary.BigEndian.PutUint16(l4[16:], 0)
	case ProtoUDP:
		binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
		binary.BigEndian.PutUint16(l4[6:], 0)
	case ProtoICMP:
		ICMP(l4).SumAll()
	}
	h := IPv4(b)
	sum := Sum(PseudoHeader4(h.Source32(), h.Destination32(), proto, len(l4)), l4)
	switch proto {
	case ProtoTCP:
		TCP(l4).SetChecksum(sum)
	case ProtoUDP:
		UDP(l4).SetChecksum(sum)
	}
	return b
}

// valid tells whether gVisor finds all checksums of a packet right.
func valid(b []byte) bool {
	ip := header.IPv4(b)
	l4, n := b[ip.HeaderLength():], uint16(len(b)-int(ip.HeaderLength()))
	if !ip.IsChecksumValid() {
		return false
	}
	switch ip.Protocol() {
	case ProtoTCP:
		data := header.TCP(l4).Payload()
		return header.TCP(l4).IsChecksumValid(ip.SourceAddress(), ip.DestinationAddress(), Fold(Sum(0, data)), uint16(len(data)))
	case ProtoUDP:
		return header.UDP(l4).IsChecksumValid(ip.SourceAddress(), ip.DestinationAddress(), Fold(Sum(0, l4[UDPSize:])))
	}
	return n >= ICMPSize && ICMP(l4).ChecksumValid()
}

func TestSettersKeepChecksumsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		proto := rapid.SampledFrom([]uint8{ProtoTCP, ProtoUDP, ProtoICMP}).Draw(t, "protocol")
		b := packet4(t, proto)
		ip, ok := ParseIPv4(b)
		if !ok || !ip.ChecksumValid() || !ip.Complete() || !valid(b) {
			t.Fatalf("a new packet is not valid: % x", b)
		}
		addr, port, l4 := rapid.Uint32().Draw(t, "new address"), rapid.Uint16().Draw(t, "new port"), ip.Payload()
		source := rapid.Bool().Draw(t, "source")
		set := func() {
			var change Change
			if source {
				change = ip.SetSource(addr)
			} else {
				change = ip.SetDestination(addr)
			}
			switch {
			case proto == ProtoTCP && source:
				TCP(l4).SetSourcePort(port, change)
			case proto == ProtoTCP:
				TCP(l4).SetDestinationPort(port, change)
			case proto == ProtoUDP && source:
				UDP(l4).SetSourcePort(port, change)
			case proto == ProtoUDP:
				UDP(l4).SetDestinationPort(port, change)
			default:
				ICMP(l4).SetIdentifier(port)
			}
		}
		old, oldPort := ip.Source32(), binary.BigEndian.Uint16(l4)
		set()
		if !valid(b) {
			t.Fatalf("not valid after an end was set: % x", b)
		}
		if source && ip.Source32() != addr || !source && ip.Destination32() != addr {
			t.Fatalf("address is %x, %x; set was %x", ip.Source32(), ip.Destination32(), addr)
		}
		if !source && (ip.Source32() != old || proto != ProtoICMP && binary.BigEndian.Uint16(l4) != oldPort) {
			t.Fatal("the other end changed")
		}
		ip.SetTTL(rapid.Byte().Draw(t, "new TTL"))
		if !valid(b) {
			t.Fatalf("not valid after the TTL was set: % x", b)
		}
	})
}

// TestSetterWithoutChecksum: UDP without a checksum stays without one.
func TestSetterWithoutChecksum(t *testing.T) {
	u := UDP(make([]byte, UDPSize))
	u.Encode(1, 2)
	u.SetSourcePort(77, 5)
	if u.Checksum() != 0 || u.SourcePort() != 77 || u.DestinationPort() != 2 || u.Length() != UDPSize {
		t.Errorf("header is % x", []byte(u))
	}
}

func TestGettersAgreeWithGVisor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := packet4(t, rapid.SampledFrom([]uint8{ProtoTCP, ProtoUDP, ProtoICMP}).Draw(t, "protocol"))
		b = append(b, rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "trailer")...)
		h, ok := ParseIPv4(b)
		g := header.IPv4(b)
		tos, _ := g.TOS()
		if !ok || h.HeaderLength() != int(g.HeaderLength()) || h.TotalLength() != int(g.TotalLength()) || h.TypeOfService() != tos ||
			h.ID() != g.ID() || h.FragmentOffset() != int(g.FragmentOffset()) || h.MoreFragments() != g.More() ||
			h.DontFragment() != (g.Flags()&header.IPv4FlagDontFragment != 0) || h.TTL() != g.TTL() || h.Protocol() != g.Protocol() ||
			h.Source() != g.SourceAddress().As4() || h.Destination() != g.DestinationAddress().As4() || h.Checksum() != g.Checksum() ||
			h.Fragment() != (g.More() || g.FragmentOffset() > 0) || string(h.Payload()) != string(g.Payload()) {
			t.Fatalf("headers differ: % x", b)
		}
		l4 := h.Payload()
		switch h.Protocol() {
		case ProtoTCP:
			x, ok := ParseTCP(l4)
			g := header.TCP(l4)
			if !ok || x.SourcePort() != g.SourcePort() || x.DestinationPort() != g.DestinationPort() ||
				x.SequenceNumber() != g.SequenceNumber() || x.AcknowledgmentNumber() != g.AckNumber() || x.DataOffset() != int(g.DataOffset()) ||
				x.Flags() != uint8(g.Flags()) || x.Window() != g.WindowSize() || string(x.Options()) != string(g.Options()) ||
				string(x.Payload()) != string(g.Payload()) || x.Ports() != uint32(x.SourcePort())<<16|uint32(x.DestinationPort()) {
				t.Fatalf("TCP headers differ: % x", l4)
			}
		case ProtoUDP:
			x, ok := ParseUDP(l4)
			g := header.UDP(l4)
			if !ok || x.SourcePort() != g.SourcePort() || x.DestinationPort() != g.DestinationPort() || x.Length() != int(g.Length()) ||
				x.Checksum() != g.Checksum() || !x.Complete() || string(x.Payload()) != string(g.Payload()) {
				t.Fatalf("UDP headers differ: % x", l4)
			}
		case ProtoICMP:
			x, ok := ParseICMP(l4)
			g := header.ICMPv4(l4)
			if !ok || x.Type() != uint8(g.Type()) || x.Code() != uint8(g.Code()) || x.Identifier() != g.Ident() || x.SequenceNumber() != g.Sequence() {
				t.Fatalf("ICMP headers differ: % x", l4)
			}
		}
	})
}

func TestEncodeAgreesWithGVisor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := IPv4Fields{
			TotalLength: rapid.IntRange(20, 65535).Draw(t, "length"), ID: rapid.Uint16().Draw(t, "ID"), DontFragment: rapid.Bool().Draw(t, "DF"),
			TTL: rapid.Byte().Draw(t, "TTL"), Protocol: rapid.Byte().Draw(t, "protocol"),
			Source: rapid.Uint32().Draw(t, "source"), Destination: rapid.Uint32().Draw(t, "destination"),
		}
		a, b := IPv4(make([]byte, IPv4Size)), header.IPv4(make([]byte, IPv4Size))
		a.Encode(&f)
		g := header.IPv4Fields{
			TotalLength: uint16(f.TotalLength), ID: f.ID, TTL: f.TTL, Protocol: f.Protocol,
			SrcAddr: tcpip.AddrFrom4(a.Source()), DstAddr: tcpip.AddrFrom4(a.Destination()),
		}
		if f.DontFragment {
			g.Flags = header.IPv4FlagDontFragment
		}
		b.Encode(&g)
		b.SetChecksum(^b.CalculateChecksum())
		if string(a) != string(b) || a.Source32() != f.Source || a.Destination32() != f.Destination {
			t.Errorf("encoded % x; gVisor encodes % x", []byte(a), []byte(b))
		}
	})
}

func TestIPv6UpperWalksExtensionHeaders(t *testing.T) {
	udp := []byte{0, 53, 0, 99, 0, 9, 0, 0, 'x'}
	hop := func(next uint8) []byte { return []byte{next, 0, 5, 2, 0, 0, 1, 0} } // router alert
	fragment := func(next uint8, place uint16) []byte {
		return []byte{next, 0, byte(place >> 8), byte(place), 0, 0, 0, 7}
	}
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	for _, c := range []struct {
		name    string
		next    uint8
		payload []byte
		want    IPv6Upper
		ok      bool
	}{
		{"none", ProtoUDP, udp, IPv6Upper{Protocol: ProtoUDP, Payload: udp}, true},
		{"hop by hop", ProtoHopByHop, join(hop(ProtoUDP), udp), IPv6Upper{Protocol: ProtoUDP, Payload: udp}, true},
		{
			"first fragment", ProtoFragment, join(fragment(ProtoUDP, 1), udp),
			IPv6Upper{Protocol: ProtoUDP, Payload: udp, Fragment: true, MoreFragments: true, ID: 7},
			true,
		},
		{
			"later fragment", ProtoFragment, join(fragment(ProtoHopByHop, 1448), udp),
			IPv6Upper{Protocol: ProtoHopByHop, Payload: udp, Fragment: true, FragmentOffset: 1448, ID: 7},
			true,
		},
		{"cut extension", ProtoHopByHop, hop(ProtoUDP)[:5], IPv6Upper{}, false},
		{"long extension", ProtoRouting, append([]byte{ProtoUDP, 9}, udp...), IPv6Upper{}, false},
		{"nothing next", ProtoNoNext, nil, IPv6Upper{}, false},
	} {
		b := make([]byte, IPv6Size, IPv6Size+len(c.payload)+3)
		src, dst := netip.MustParseAddr("fe80::1").As16(), netip.MustParseAddr("ff02::fb").As16()
		IPv6(b).Encode(&IPv6Fields{PayloadLength: len(c.payload), NextHeader: c.next, HopLimit: 255, Source: src, Destination: dst})
		h, ok := ParseIPv6(append(append(b, c.payload...), 0, 0, 0))
		if !ok || h.Source() != src || h.Destination() != dst || h.HopLimit() != 255 || h.PayloadLength() != len(c.payload) ||
			h.FlowLabel() != 0 || h.TrafficClass() != 0 {
			t.Errorf("%s: header is % x", c.name, []byte(h))
		}
		got, ok := h.Upper()
		if ok != c.ok || ok && (string(got.Payload) != string(c.want.Payload) || got.Protocol != c.want.Protocol ||
			got.Fragment != c.want.Fragment || got.FragmentOffset != c.want.FragmentOffset || got.MoreFragments != c.want.MoreFragments ||
			got.ID != c.want.ID) {
			t.Errorf("%s: %+v, %v; want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestARPAndEthernet(t *testing.T) {
	b := make([]byte, EthernetHeader+ARPSize)
	f := ARPFields{
		Operation: ARPRequest, SenderHardware: [6]byte{2, 1, 2, 3, 4, 5}, SenderProtocol: [4]byte{192, 168, 1, 9},
		TargetProtocol: [4]byte{192, 168, 1, 1},
	}
	Ethernet(b).Encode([6]byte{255, 255, 255, 255, 255, 255}, f.SenderHardware, EtherTypeARP)
	e, ok := ParseEthernet(b)
	if !ok || !e.Multicast() || e.Source() != f.SenderHardware || e.EtherType() != EtherTypeARP {
		t.Errorf("frame is % x", b)
	}
	ARP(e.Payload()).Encode(&f)
	a, ok := ParseARP(e.Payload())
	if !ok || !header.ARP(a).IsValid() || a.Operation() != f.Operation || a.SenderHardware() != f.SenderHardware ||
		a.SenderProtocol() != f.SenderProtocol || a.TargetHardware() != f.TargetHardware || a.TargetProtocol() != f.TargetProtocol {
		t.Errorf("packet is % x", []byte(a))
	}
	if _, ok := IPv4Of(b); ok {
		t.Error("an ARP packet is taken for IPv4")
	}
}

func TestViewsDoNotAllocate(t *testing.T) {
	frame := make([]byte, 100)
	sum := 0
	n := testing.AllocsPerRun(100, func() {
		Ethernet(frame).Encode([6]byte{}, [6]byte{}, EtherTypeIPv4)
		IPv4(frame[EthernetHeader:]).Encode(&IPv4Fields{TotalLength: 80, TTL: 64, Protocol: ProtoTCP, Source: 1, Destination: 2})
		TCP(frame[34:]).Encode(&TCPFields{SourcePort: 1, DataOffset: TCPSize, Flags: FlagSYN})
		ip, _ := IPv4Of(frame)
		change := ip.SetSource(7)
		seg, _ := ParseTCP(ip.Payload())
		seg.SetSourcePort(9, change)
		ip.SetTTL(3)
		sum += len(seg.Payload()) + int(ip.Checksum())
	})
	if n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}
