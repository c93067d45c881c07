package nat_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/gateway/nat"
)

// drawPacket makes a valid packet from lan to remote.
func drawPacket(t *rapid.T, src, dst netip.AddrPort, echo byte) []byte {
	payload := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "payload")
	var b []byte
	switch rapid.SampledFrom([]byte{tcp, udp, icmp}).Draw(t, "proto") {
	case tcp:
		b = tcpPacket(src, dst, rapid.SampledFrom([]byte{syn, ack, psh | ack}).Draw(t, "flags"), payload)
	case udp:
		b = udpPacket(src, dst, payload)
		if rapid.Bool().Draw(t, "no checksum") {
			b[26], b[27] = 0, 0
		}
	default:
		b = echoPacket(echo, src.Addr(), dst.Addr(), src.Port(), payload)
	}
	b[1] = rapid.Byte().Draw(t, "tos")
	b[8] = rapid.Byte().Draw(t, "ttl")
	fixIP(b)
	return b
}

func drawAddrPort(t *rapid.T, a, b byte, what string) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{a, b, rapid.Byte().Draw(t, what), rapid.Byte().Draw(t, what)}), rapid.Uint16Min(1).Draw(t, what))
}

// mask blanks what a NAPT may rewrite going up: source address and port, and checksums.
func mask(ip []byte) []byte {
	b := bytes.Clone(ip)
	clear(b[10:16])
	switch b[9] {
	case tcp:
		clear(b[20:22])
		clear(b[36:38])
	case udp:
		clear(b[20:22])
		clear(b[26:28])
	case icmp:
		clear(b[22:26])
	}
	return b
}

// mirror is the answer to a packet on the wire: ends exchanged, an echo answered. Checksums stay right but for the echo's type.
func mirror(ip []byte) []byte {
	b := bytes.Clone(ip)
	copy(b[12:16], ip[16:20])
	copy(b[16:20], ip[12:16])
	if b[9] == icmp {
		b[20] = 0
		b[22], b[23] = 0, 0
		binary.BigEndian.PutUint16(b[22:], ^sum16(b[20:]))
		return b
	}
	copy(b[20:22], ip[22:24])
	copy(b[22:24], ip[20:22])
	return b
}

func TestOutThenInIsTheIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNAPT()
		lan, remote := drawAddrPort(t, 192, 168, "lan"), drawAddrPort(t, 198, 18, "remote")
		if rapid.Bool().Draw(t, "clash") { // another device holds the port
			other := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), lan.Port())
			n.Up(0, tcpPacket(other, remote, syn, nil))
			n.Up(0, udpPacket(other, remote, nil))
			n.Up(0, echoPacket(8, other.Addr(), remote.Addr(), other.Port(), nil))
		}
		orig := drawPacket(t, lan, remote, 8)
		out := bytes.Clone(orig)
		if r := n.Up(0, out); r.Verdict != nat.Translated {
			t.Fatalf("up: %v", r.Verdict)
		}
		checkSums(t, out)
		if !bytes.Equal(mask(out), mask(orig)) {
			t.Fatalf("changed more than it may:\n%x\n%x", orig, out)
		}
		back := mirror(out)
		checkSums(t, back)
		if r := n.Down(1, back); r.Verdict != nat.Translated || r.LAN.Addr() != lan.Addr() {
			t.Fatalf("down: %+v", r)
		}
		checkSums(t, back)
		want := mirror(orig)
		// 0 and 0xffff are one checksum (RFC 1624); all else must come back as it was.
		for _, b := range [][]byte{back, want} {
			for _, at := range map[byte][]int{tcp: {10, 36}, udp: {10, 26}, icmp: {10, 22}}[b[9]] {
				if at > 10 && b[9] == udp {
					continue // UDP's 0 means something
				}
				if binary.BigEndian.Uint16(b[at:]) == 0xffff {
					clear(b[at : at+2])
				}
			}
		}
		if !bytes.Equal(back, want) {
			t.Fatalf("came back as\n%x, want\n%x", back, want)
		}
	})
}

// Checksums that are wrong stay wrong: a NAPT must not launder a damaged packet.
func TestDamageIsNotHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNAPT()
		b := tcpPacket(lanA, remoteX, syn, rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "payload"))
		b[40] ^= rapid.ByteMin(1).Draw(t, "damage")
		before := sum16(pseudo(b), b[20:])
		n.Up(0, b)
		if after := sum16(pseudo(b), b[20:]); before == 0xffff || after == 0xffff {
			t.Fatalf("sum %#x became %#x", before, after)
		}
	})
}
