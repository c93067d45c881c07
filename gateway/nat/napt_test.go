package nat_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"glasshouse/gateway/nat"
)

func newNAPT() *nat.NAPT { return nat.NewNAPT(newTable(nat.FilterAddressAndPort)) }

func wantVerdict(t *testing.T, r nat.Result, want nat.Verdict) {
	t.Helper()
	if r.Verdict != want {
		t.Fatalf("%v, want %v", r.Verdict, want)
	}
}

// wan is where lan appears after up translated a packet of its own.
func wanOf(ip []byte) netip.AddrPort {
	src, _ := ends(ip)
	return src
}

func TestNAPTTranslatesBothWays(t *testing.T) {
	clash := ap("192.168.1.99:5000") // holds port 5000, so that the device's port changes
	for _, c := range []struct {
		name string
		make func(src, dst netip.AddrPort) []byte
		id   bool
	}{
		{"TCP", func(s, d netip.AddrPort) []byte { return tcpPacket(s, d, syn, []byte("odd")) }, false},
		{"UDP", func(s, d netip.AddrPort) []byte { return udpPacket(s, d, []byte("odd")) }, false},
		{"UDP without a checksum", func(s, d netip.AddrPort) []byte {
			b := udpPacket(s, d, []byte("even"))
			b[26], b[27] = 0, 0
			return b
		}, false},
		{"UDP with options", func(s, d netip.AddrPort) []byte {
			u := udpPacket(s, d, []byte("xyz"))
			return ipPacket(udp, s.Addr(), d.Addr(), []byte{7, 3, 4, 0}, u[20:])
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNAPT()
			n.Up(0, c.make(clash, remoteX))
			out := c.make(lanA, remoteX)
			r := n.Up(0, out)
			wantVerdict(t, r, nat.Translated)
			if r.LAN != lanA || r.Remote != remoteX {
				t.Errorf("result %+v", r)
			}
			wan := wanOf(out)
			if wan.Addr() != wanAddr || wan.Port() == lanA.Port() {
				t.Errorf("appears as %v", wan)
			}
			wantEnds(t, out, wan, remoteX)
			if out[8] != 64 {
				t.Error("the TTL was touched")
			}
			in := c.make(remoteX, wan)
			r = n.Down(1, in)
			wantVerdict(t, r, nat.Translated)
			if r.LAN != lanA || r.Remote != remoteX {
				t.Errorf("result %+v", r)
			}
			wantEnds(t, in, remoteX, lanA)
		})
	}
}

func TestRFC5508REQ1EchoByIdentifier(t *testing.T) {
	n := newNAPT()
	server := remoteX.Addr()
	hosts := []netip.Addr{lanA.Addr(), lanB.Addr()}
	var ids []uint16
	for _, h := range hosts {
		b := echoPacket(8, h, server, 77, []byte("ping"))
		wantVerdict(t, n.Up(0, b), nat.Translated)
		src, _ := ends(b)
		checkSums(t, b)
		ids = append(ids, src.Port())
	}
	if ids[0] != 77 || ids[1] == 77 {
		t.Errorf("identifiers %v", ids)
	}
	for i, h := range hosts {
		b := echoPacket(0, server, wanAddr, ids[i], []byte("ping"))
		r := n.Down(1, b)
		wantVerdict(t, r, nat.Translated)
		if r.LAN != netip.AddrPortFrom(h, 77) {
			t.Errorf("answer goes to %v", r.LAN)
		}
		wantEnds(t, b, netip.AddrPortFrom(server, 77), netip.AddrPortFrom(h, 77))
	}
	b := echoPacket(0, netip.MustParseAddr("198.18.7.7"), wanAddr, 77, nil)
	wantVerdict(t, n.Down(1, b), nat.Unsolicited)
	wantVerdict(t, n.Down(1, echoPacket(8, server, wanAddr, 77, nil)), nat.Unsolicited)
	wantVerdict(t, n.Up(1, echoPacket(0, lanA.Addr(), server, 5, nil)), nat.Unsupported)
}

func TestRFC5508REQ4ErrorsFromTheWANAreTranslated(t *testing.T) {
	router := netip.MustParseAddr("198.18.200.1")
	for _, c := range []struct {
		name string
		pkt  []byte
		n    int
	}{
		{"UDP, 8 bytes (RFC 792)", udpPacket(lanA, remoteX, []byte("some payload")), 28},
		{"UDP, whole", udpPacket(lanA, remoteX, []byte("some payload")), 576},
		{"TCP, 8 bytes", tcpPacket(lanA, remoteX, syn, nil), 28},
		{"TCP, whole (RFC 1812)", tcpPacket(lanA, remoteX, syn, []byte("x")), 576},
		{"echo", echoPacket(8, lanA.Addr(), remoteX.Addr(), 5000, []byte("ping")), 576},
	} {
		for _, kind := range []byte{3, 11, 12} {
			t.Run(c.name, func(t *testing.T) {
				n := newNAPT()
				n.Up(0, udpPacket(lanB, remoteX, nil)) // takes port 5000, ...
				n.Up(0, tcpPacket(lanB, remoteX, syn, nil))
				n.Up(0, echoPacket(8, lanB.Addr(), remoteX.Addr(), 5000, nil)) // ... so that the quoted port differs
				out := bytes.Clone(c.pkt)
				wantVerdict(t, n.Up(0, out), nat.Translated)
				out[8]-- // the router that complains has counted down, as it must
				fixIP(out)
				e := errorPacket(kind, 1, router, wanAddr, out, c.n)
				r := n.Down(1, e)
				wantVerdict(t, r, nat.Translated)
				if src, dst := ends(c.pkt); r.LAN != src || r.Remote.Addr() != dst.Addr() || r.Proto != c.pkt[9] {
					t.Errorf("owner %+v, want %v", r, src)
				}
				want := bytes.Clone(c.pkt)
				want[8]--
				fixIP(want)
				if got := e[28:]; !bytes.Equal(got, want[:len(got)]) {
					t.Errorf("quotation\n%x, want\n%x", got, want[:len(got)])
				}
				checkSums(t, e)
				if dst := netip.AddrFrom4([4]byte(e[16:20])); dst != lanA.Addr() {
					t.Errorf("goes to %v", dst)
				}
			})
		}
	}
}

func TestRFC5508REQ5ErrorsFromTheLANAreTranslated(t *testing.T) {
	n := newNAPT()
	n.Up(0, udpPacket(lanB, remoteX, nil))
	out := udpPacket(lanA, remoteX, nil)
	n.Up(0, out)
	wan := wanOf(out)
	in := udpPacket(remoteX, wan, []byte("late"))
	onWire := bytes.Clone(in)
	wantVerdict(t, n.Down(1, in), nat.Translated)
	e := errorPacket(3, 3, lanA.Addr(), remoteX.Addr(), in, 28)
	r := n.Up(2, e)
	wantVerdict(t, r, nat.Translated)
	if r.LAN != lanA || r.Remote != remoteX {
		t.Errorf("result %+v", r)
	}
	if src := netip.AddrFrom4([4]byte(e[12:16])); src != wanAddr {
		t.Errorf("leaves as %v", src)
	}
	if !bytes.Equal(e[28:], onWire[:28]) {
		t.Errorf("quotation\n%x, want what was on the wire\n%x", e[28:], onWire[:28])
	}
	checkSums(t, e)
	stranger := errorPacket(3, 3, lanB.Addr(), remoteZ.Addr(), udpPacket(remoteZ, lanB, nil), 28)
	wantVerdict(t, n.Up(2, stranger), nat.Unsolicited)
}

func TestRFC5508REQ3BadErrorsAreDropped(t *testing.T) {
	router := netip.MustParseAddr("198.18.200.1")
	n := newNAPT()
	out := udpPacket(lanA, remoteX, []byte("some payload"))
	n.Up(0, out)
	for name, c := range map[string]struct {
		spoil func(e []byte)
		want  nat.Verdict
	}{
		"bad ICMP checksum":  {func(e []byte) { e[22]++ }, nat.Malformed},
		"bad quoted header":  {func(e []byte) { e[28+8]++; fixICMP(e) }, nat.Malformed},
		"another protocol":   {func(e []byte) { e[28+9] = 47; fixIP(e[28:]); fixICMP(e) }, nat.Unsupported},
		"a later fragment":   {func(e []byte) { e[28+7] = 9; fixIP(e[28:]); fixICMP(e) }, nat.Unsupported},
		"a fragmented error": {func(e []byte) { e[6] = 0x20; fixIP(e) }, nat.Unsupported},
		"not of our address": {func(e []byte) { e[28+15]++; fixIP(e[28:]); fixICMP(e) }, nat.Unsolicited},
		"never sent there":   {func(e []byte) { e[28+19]++; fixIP(e[28:]); fixICMP(e) }, nat.Unsolicited},
		"an unused port":     {func(e []byte) { e[28+20]++; fixICMP(e) }, nat.Unsolicited},
	} {
		t.Run(name, func(t *testing.T) {
			e := errorPacket(3, 1, router, wanAddr, out, 576)
			c.spoil(e)
			before := bytes.Clone(e)
			wantVerdict(t, n.Down(1, e), c.want)
			if !bytes.Equal(e, before) {
				t.Error("a dropped packet was changed")
			}
		})
	}
}

func fixICMP(e []byte) {
	e[22], e[23] = 0, 0
	binary.BigEndian.PutUint16(e[22:], ^sum16(e[20:]))
}

// RFC 4787 REQ-12 and RFC 5382 REQ-9: an error ends no mapping and refreshes none.
func TestRFC4787REQ12ErrorsLeaveMappingsAlone(t *testing.T) {
	n := newNAPT()
	out := udpPacket(lanA, remoteX, nil)
	n.Up(0, out)
	for now := int64(0); now < 299*second; now += 10 * second {
		wantVerdict(t, n.Down(now, errorPacket(3, 3, remoteX.Addr(), wanAddr, out, 28)), nat.Translated)
	}
	wantVerdict(t, n.Down(299*second, udpPacket(remoteX, wanOf(out), nil)), nat.Translated)
	r := n.Down(300*second, errorPacket(3, 3, remoteX.Addr(), wanAddr, out, 28))
	wantVerdict(t, r, nat.Unsolicited)
	if r.LAN != lanA {
		t.Errorf("owner of a late error: %v", r.LAN)
	}
}

// fragment cuts the payload of ip at byte at, a multiple of 8.
func fragment(ip []byte, at int) (first, second []byte) {
	first = bytes.Clone(ip[:20+at])
	second = append(bytes.Clone(ip[:20]), ip[20+at:]...)
	first[6] = 0x20
	binary.BigEndian.PutUint16(second[6:], uint16(at/8))
	for _, f := range [][]byte{first, second} {
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		fixIP(f)
	}
	return first, second
}

func TestRFC4787REQ14FragmentsFollowTheirFirst(t *testing.T) {
	n := newNAPT()
	payload := bytes.Repeat([]byte("0123456789abcdef"), 90)
	n.Up(0, udpPacket(lanB, remoteX, nil)) // the port must change
	whole := udpPacket(lanA, remoteX, payload)
	first, rest := fragment(whole, 800)
	wantVerdict(t, n.Up(0, bytes.Clone(rest)), nat.Unsupported) // too early
	wantVerdict(t, n.Up(1, first), nat.Translated)
	r := n.Up(2, rest)
	wantVerdict(t, r, nat.Translated)
	if r.LAN != lanA || r.Remote != remoteX {
		t.Errorf("later fragment: %+v", r)
	}
	joined := append(bytes.Clone(first), rest[20:]...)
	joined[6] = 0
	binary.BigEndian.PutUint16(joined[2:], uint16(len(joined)))
	fixIP(joined)
	checkSums(t, joined)
	checkIPHeader(t, rest)

	in := udpPacket(remoteX, wanOf(first), payload)
	first, rest = fragment(in, 800)
	wantVerdict(t, n.Down(3, first), nat.Translated)
	wantVerdict(t, n.Down(4, bytes.Clone(rest)), nat.Translated)
	wantVerdict(t, n.Down(5+30*second, rest), nat.Unsupported) // RFC 791's 30 s are over
}

func checkIPHeader(t *testing.T, ip []byte) {
	t.Helper()
	if got := sum16(ip[:20]); got != 0xffff {
		t.Errorf("IP header sums to %#x", got)
	}
}

func TestHairpinIsRefused(t *testing.T) { // a limit of ours: RFC 4787 REQ-9 wants it
	n := newNAPT()
	out := udpPacket(lanA, remoteX, nil)
	n.Up(0, out)
	wantVerdict(t, n.Up(1, udpPacket(lanB, wanOf(out), nil)), nat.Hairpin)
	if n.Count(nat.Hairpin) != 1 || n.Count(nat.Translated) != 1 {
		t.Error("not counted")
	}
}

// The gateway's own packets share the table, so that its ports and the devices' never collide.
func TestGatewaysOwnPackets(t *testing.T) {
	n := newNAPT()
	own := netip.AddrPortFrom(wanAddr, 5000)
	b := udpPacket(own, remoteX, []byte("dns"))
	before := bytes.Clone(b)
	r := n.Up(0, b)
	wantVerdict(t, r, nat.Translated)
	if r.LAN != own || !bytes.Equal(b, before) {
		t.Errorf("own packet: %+v", r)
	}
	d := udpPacket(lanA, remoteX, []byte("dns"))
	wantVerdict(t, n.Up(0, d), nat.Translated)
	if wanOf(d).Port() == 5000 {
		t.Error("a device got the gateway's port")
	}
	in := udpPacket(remoteX, own, []byte("answer"))
	if r := n.Down(1, in); r.Verdict != nat.Translated || r.LAN != own {
		t.Errorf("answer: %+v", r)
	}
}

func TestUnsolicited(t *testing.T) {
	n := newNAPT()
	out := tcpPacket(lanA, remoteX, syn, nil)
	n.Up(0, out)
	for name, b := range map[string][]byte{
		"unused port":   tcpPacket(remoteX, netip.AddrPortFrom(wanAddr, 22), syn, nil),
		"another end":   tcpPacket(remoteZ, wanOf(out), syn, nil),
		"other address": tcpPacket(remoteX, ap("203.0.113.8:5000"), syn|ack, nil),
		"other proto":   udpPacket(remoteX, wanOf(out), nil),
	} {
		t.Run(name, func(t *testing.T) {
			before := bytes.Clone(b)
			wantVerdict(t, n.Down(1, b), nat.Unsolicited)
			if !bytes.Equal(b, before) {
				t.Error("a dropped packet was changed")
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	good := tcpPacket(lanA, remoteX, syn, nil)
	set := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	u := udpPacket(lanA, remoteX, []byte("abc"))
	long, short := bytes.Clone(u), bytes.Clone(u)
	long[25], short[25] = 100, 7
	for name, c := range map[string]struct {
		b    []byte
		want nat.Verdict
	}{
		"empty":                         {nil, nat.Malformed},
		"cut IP header":                 {good[:19], nat.Malformed},
		"IPv6":                          {set(0, 0x65), nat.Malformed},
		"header length below 20":        {set(0, 0x44), nat.Malformed},
		"header length past the end":    {set(0, 0x4f), nat.Malformed},
		"total length past the end":     {set(3, 200), nat.Malformed},
		"total length below the header": {set(3, 19), nat.Malformed},
		"cut TCP header":                {set(3, 39), nat.Malformed},
		"TCP data offset below 20":      {set(32, 0x40), nat.Malformed},
		"TCP data offset past the end":  {set(32, 0x60), nat.Malformed},
		"UDP length past the end":       {long, nat.Malformed},
		"UDP length below 8":            {short, nat.Malformed},
		"cut echo":                      {ipPacket(icmp, lanA.Addr(), remoteX.Addr(), nil, []byte{8, 0, 0}), nat.Malformed},
		"echo reply":                    {ipPacket(icmp, lanA.Addr(), remoteX.Addr(), nil, make([]byte, 8)), nat.Unsupported},
		"GRE":                           {ipPacket(47, lanA.Addr(), remoteX.Addr(), nil, make([]byte, 20)), nat.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNAPT()
			wantVerdict(t, n.Up(0, c.b), c.want)
			if n.Count(c.want) != 1 {
				t.Error("not counted")
			}
		})
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for v := nat.Translated; v <= nat.Hairpin; v++ {
		if s := v.String(); s == "unknown" || seen[s] {
			t.Errorf("verdict %d is %q", v, s)
		}
		seen[v.String()] = true
	}
}

// A flood of first fragments must not grow the gateway without bound, and the limit must not outlast the flood.
func TestFragmentFlood(t *testing.T) {
	n := newNAPT()
	first, rest := fragment(udpPacket(lanA, remoteX, make([]byte, 64)), 32)
	send := func(now int64, id uint16, remote netip.AddrPort) nat.Verdict {
		f, r := bytes.Clone(first), bytes.Clone(rest)
		for _, b := range [][]byte{f, r} {
			d := remote.Addr().As4()
			copy(b[16:20], d[:])
			binary.BigEndian.PutUint16(b[4:], id)
			fixIP(b)
		}
		wantVerdict(t, n.Up(now, f), nat.Translated)
		return n.Up(now, r).Verdict
	}
	for i := range 4096 {
		if v := send(int64(i), uint16(i), remoteX); v != nat.Translated {
			t.Fatalf("packet %d: %v", i, v)
		}
	}
	if v := send(5000, 5000, remoteX); v != nat.Unsupported {
		t.Errorf("beyond the limit: %v", v)
	}
	if v := send(31*second, 1, remoteZ); v != nat.Translated {
		t.Errorf("after the flood: %v", v)
	}
}
