package virtual

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/virtual/tcp"
)

// lan is a home whose radio is a wire, and whose way to the internet has a delay and loses packets; nothing is translated.
type lan struct {
	t     testing.TB
	clock *clock.Virtual
	net   *Net
	pool  *packet.Pool
	loss  int // in 1000
	r     *rand.Rand
	seen  int // IP packets that crossed the WAN
	check bool
	units map[int32]int
	look  func(*packet.Packet) // at what crosses the WAN
}

const way = int64(12 * time.Millisecond)

// hold delivers a packet later.
type hold struct {
	l    *lan
	p    packet.Packet
	f    func(*packet.Packet)
	free *[]*hold
}

func (h *hold) Fire(now int64, _ uint64) {
	h.p.At = now
	h.f(&h.p)
	*h.free = append(*h.free, h)
}

var routerMAC = [6]byte{2, 0, 0, 0, 0, 1}

func newLAN(tb testing.TB, seed uint64, loss int, profiles ...string) *lan {
	tb.Helper()
	return newLANOf(tb, testProfile, seed, loss, profiles...)
}

// newLANOf is newLAN with devices of another profile.
func newLANOf(tb testing.TB, profile string, seed uint64, loss int, profiles ...string) *lan {
	tb.Helper()
	l := &lan{t: tb, clock: clock.NewVirtual(-2e9), pool: packet.NewLocalPool(), loss: loss, r: rand.New(rand.NewPCG(seed, 1)), check: true, units: map[int32]int{}}
	c := Config{
		Clock: l.clock, Pool: l.pool, Noise: packet.NewNoise(seed, 2), Seed: seed, Names: map[string]netip.Addr{},
		DNS: netip.MustParseAddr("198.18.0.53"), NTP: netip.MustParseAddr("198.18.0.123"), LAN: netip.MustParsePrefix("192.168.7.0/24"),
		Router: netip.MustParseAddr("192.168.7.1"), RouterMAC: routerMAC, Outside: netip.MustParseAddr("100.64.0.9"), MTU: 1500,
		Lease: int64(time.Hour), Activity: func(string) uint16 { return 1 },
		Behind: func(_ uint8, seen netip.AddrPort) (netip.AddrPort, bool) { return seen, true },
	}
	for i, name := range profiles {
		p, err := catalogue.Parse(name+".yaml", []byte(profile))
		if err != nil {
			tb.Fatal(err)
		}
		c.Specimens = append(c.Specimens, script.Specimen{
			Index: int32(i), Name: name, Profile: p, MAC: [6]byte{2, 1, 0, 0, 0, byte(i)}, Seed: seed + uint64(i),
			Addr: netip.AddrFrom4([4]byte{192, 168, 7, byte(20 + i)}),
		})
		for k := range p.Services {
			c.Names[p.Services[k].Host] = netip.AddrFrom4([4]byte{198, 18, 1, byte(1 + k)})
		}
	}
	var free []*hold
	later := func(p *packet.Packet, at int64, f func(*packet.Packet)) {
		var h *hold
		if n := len(free); n > 0 {
			h, free = free[n-1], free[:n-1]
		} else {
			h = &hold{l: l, free: &free}
		}
		h.p, h.f = *p, f
		l.clock.Schedule(max(at, l.clock.Now()), h, 0)
	}
	cross := func(p *packet.Packet, f func(*packet.Packet)) {
		l.seen++
		l.units[p.Lineage.Unit]++
		if l.check {
			l.verify(p.Data)
		}
		if l.look != nil {
			l.look(p)
		}
		if l.r.IntN(1000) < l.loss {
			l.pool.Put(p.Data)
			return
		}
		later(p, p.At+way, f)
	}
	fromLAN := func(p *packet.Packet) { l.net.FromLAN(p) }
	c.FromStation = func(_ int, p *packet.Packet) { later(p, p.At+1e6, fromLAN) }
	var receive []func(*packet.Packet)
	for i := range c.Specimens {
		receive = append(receive, func(p *packet.Packet) { l.net.Host(i).Receive(p.Data) })
	}
	c.FromRouter = func(p *packet.Packet) {
		for i := range c.Specimens {
			if [6]byte(p.Data[:6]) == c.Specimens[i].MAC || p.Data[0]&1 != 0 {
				q := *p
				q.Data = l.pool.Copy(p.Data)
				later(&q, p.At+1e6, receive[i])
			}
		}
		l.pool.Put(p.Data)
	}
	toInternet, toHome := func(p *packet.Packet) { l.net.Receive(p) }, func(p *packet.Packet) { l.net.FromWAN(p) }
	c.ToWAN = func(p *packet.Packet) { cross(p, toInternet) }
	c.ToHome = func(p *packet.Packet) { cross(p, toHome) }
	var err error
	if l.net, err = NewNet(c); err != nil {
		tb.Fatal(err)
	}
	for i := range c.Specimens {
		l.net.Host(i).Boot(-1e9)
	}
	return l
}

// verify checks the checksums of a packet.
func (l *lan) verify(ip []byte) {
	if packet.Fold(packet.Sum(0, ip[:packet.IPv4Size])) != 0xffff || int(binary.BigEndian.Uint16(ip[2:])) != len(ip) {
		l.t.Fatalf("the IP header % x is wrong", ip[:packet.IPv4Size])
	}
	switch proto := ip[9]; proto {
	case packet.ProtoTCP, packet.ProtoUDP:
		if s := packet.Fold(packet.Sum(packet.PseudoHeader4(be32(ip[12:]), be32(ip[16:]), proto, len(ip)-packet.IPv4Size), ip[packet.IPv4Size:])); s != 0xffff {
			l.t.Fatalf("protocol %d: the checksum of %d bytes is wrong: %04x", proto, len(ip), s)
		}
	case packet.ProtoICMP:
		if packet.Fold(packet.Sum(0, ip[packet.IPv4Size:])) != 0xffff {
			l.t.Fatal("the checksum of an ICMP message is wrong")
		}
	}
}

const testProfile = `device: thing
about: A thing that uses every transport.
kind: iot
category: sensor
oui: "02:11:22"
stack: {ttl: 64, tcp_timestamps: true}
services:
  - {name: secure, host: a.example.net, port: 443, transport: tls13, cloud: x, lasting: true, login: {up: 200, down: 90}, basis: assumed, source: a test}
  - {name: old, host: b.example.net, port: 443, transport: tls12, cloud: x, basis: assumed, source: a test}
  - {name: raw, host: c.example.net, port: 9001, transport: tcp, cloud: x, basis: assumed, source: a test}
  - {name: web, host: d.example.net, port: 80, transport: http, cloud: x, basis: assumed, source: a test}
  - {name: pages, host: f.example.net, port: 443, transport: h2, cloud: x, basis: assumed, source: a test}
  - {name: broker, host: g.example.net, port: 1883, transport: mqtt, cloud: x, lasting: true, login: {up: 90, down: 60}, basis: assumed, source: a test}
  - {name: swift, host: h.example.net, port: 443, transport: quic, cloud: x, basis: assumed, source: a test}
  - {name: greeter, host: i.example.net, port: 9002, transport: tcp, cloud: x, lasting: true, login: {messages: [{down: 29, wait: 5ms}, {up: 106}, {down: 45}, {down: 61, wait: 2ms}]}, basis: assumed, source: a test}
  - {name: greeter12, host: j.example.net, port: 9003, transport: tls12, cloud: x, lasting: true, login: {messages: [{down: 29}, {up: 8}]}, basis: assumed, source: a test}
  - {name: dgram, host: e.example.net, port: 8053, transport: udp, cloud: x, lasting: true, login: {up: 32, down: 32}, basis: assumed, source: a test}
activities:
  - name: nothing
    trigger: timer
    every: 100h
    basis: assumed
    source: a test
    steps: [{service: secure, messages: [{up: 50}]}]
`

func activity(at int64, service string, fresh bool, m ...script.Message) script.Activity {
	return script.Activity{Name: "test", At: at, Exchanges: []script.Exchange{{Op: profile.OpDialogue, Service: service, Fresh: fresh, Messages: m}}}
}

// Every transport comes through, in order, with and without loss, and each packet has right checksums and its device's lineage.
func TestTransports(t *testing.T) {
	for _, loss := range []int{0, 10, 50} {
		t.Run(fmt.Sprint(loss), func(t *testing.T) {
			l := newLAN(t, 7, loss, "one", "two")
			up, down := profile.Up, profile.Down
			done := map[string]string{}
			perform := func(unit int, name string, a script.Activity) {
				l.net.Host(unit).Perform(&a, int64(len(done)), func(outcome string, _ int64) { done[name] = outcome })
				done[name] = "under way"
			}
			for unit := range 2 {
				s := fmt.Sprint(unit)
				at := int64(time.Second) * int64(1+unit)
				perform(unit, "secure"+s, activity(at, "secure", false, script.Message{Dir: up, Size: 700}, script.Message{Dir: down, Size: 300_000, Wait: 5e6}, script.Message{Dir: up, Size: 40_000, Wait: 1e6}))
				perform(unit, "push"+s, activity(at+20e9, "secure", false, script.Message{Dir: down, Size: 900}, script.Message{Dir: up, Size: 60, Wait: 1e6}))
				perform(unit, "old"+s, activity(at, "old", true, script.Message{Dir: up, Size: 20_000}, script.Message{Dir: down, Size: 50_000}))
				perform(unit, "raw"+s, activity(at, "raw", true, script.Message{Dir: up, Size: 90_000}, script.Message{Dir: down, Size: 17}))
				perform(unit, "web"+s, activity(at, "web", true, script.Message{Dir: up, Size: 300}, script.Message{Dir: down, Size: 200_000}))
				perform(unit, "pages"+s, activity(at, "pages", true, script.Message{Dir: up, Size: 500}, script.Message{Dir: down, Size: 90_000, Wait: 30e6}, script.Message{Dir: up, Size: 16_000, Wait: 2e9}, script.Message{Dir: down, Size: 200}))
				perform(unit, "broker"+s, activity(at, "broker", false, script.Message{Dir: up, Size: 2}, script.Message{Dir: down, Size: 2}, script.Message{Dir: up, Size: 130}, script.Message{Dir: down, Size: 70_000}))
				perform(unit, "swift"+s, activity(at, "swift", true, script.Message{Dir: up, Size: 500}, script.Message{Dir: down, Size: 300_000, Wait: 30e6}, script.Message{Dir: up, Size: 40_000, Wait: 2e9}))
				for _, g := range []string{"greeter", "greeter12"} { // the first message is the far end's; then as ever
					a := activity(at, g, false, script.Message{Dir: up, Size: 45}, script.Message{Dir: down, Size: 45, Wait: 1e6})
					again := script.Exchange{Op: profile.OpReconnect, Service: g, Offset: 60e9, Messages: []script.Message{{Dir: down, Size: 20, Wait: 1e9}, {Dir: up, Size: 16, Wait: 1e9}}}
					a.Exchanges = append(a.Exchanges, again)
					perform(unit, g+s, a)
				}
				perform(unit, "dgram"+s, activity(at, "dgram", false, script.Message{Dir: up, Size: 100}, script.Message{Dir: down, Size: 1200}))
			}
			l.clock.Run(int64(5 * time.Minute))
			for name, outcome := range done {
				if outcome != "ok" {
					t.Errorf("%s: %s", name, outcome)
				}
			}
			if l.net.Faults != (Faults{}) || l.units[packet.UnitUnknown] != 0 || l.units[0] == 0 || l.units[1] == 0 {
				t.Errorf("%+v, packets by unit %v", l.net.Faults, l.units)
			}
			for i := range 2 {
				if n := l.net.Host(i).stack.tcp.Len(); n > 4 { // the lasting ones
					t.Errorf("device %d still has %d connections", i, n)
				}
			}
			if n := len(l.net.cloud.quic); n > 0 {
				t.Errorf("the cloud still knows %d QUIC connections", n)
			}
			if n := l.net.datagrams.Len(); n > 0 {
				t.Errorf("%d exchanges of datagrams are still known", n)
			}
		})
	}
}

// In TLS 1.2 the server opens first: its Finished, still on its way, is no answer to what the device then asks.
func TestFinishedIsNoAnswer(t *testing.T) {
	for _, service := range []string{"old", "secure"} {
		l := newLAN(t, 7, 0, "one")
		const wait = int64(time.Second)
		start, end := int64(time.Second), int64(0)
		a := activity(start, service, true, script.Message{Dir: profile.Up, Size: 100}, script.Message{Dir: profile.Down, Size: 17, Wait: wait})
		l.net.Host(0).Perform(&a, 0, func(outcome string, _ int64) {
			if end = l.clock.Now(); outcome != "ok" {
				t.Errorf("%s: %s", service, outcome)
			}
		})
		l.clock.Run(int64(time.Minute))
		if end < start+wait {
			t.Errorf("%s: over %v after it began, the answer takes %v", service, time.Duration(end-start), time.Duration(wait))
		}
	}
}

// A download allocates nothing a packet once it is under way.
func TestNoAllocationPerPacket(t *testing.T) {
	l := newLAN(t, 3, 0, "one")
	l.check = false
	a := activity(1e9, "secure", false, script.Message{Dir: profile.Up, Size: 100}, script.Message{Dir: profile.Down, Size: 1 << 30})
	l.net.Host(0).Perform(&a, 0, func(string, int64) {})
	l.clock.Run(int64(3 * time.Second))
	before := l.seen
	allocs := testing.AllocsPerRun(20, func() { l.clock.Run(l.clock.Now() + int64(20*time.Millisecond)) })
	packets := float64(l.seen-before) / 21
	if packets < 100 {
		t.Fatalf("%.0f packets in 20 ms: the download is not under way", packets)
	}
	if allocs/packets > 0.01 {
		t.Errorf("%v allocations for %.0f packets", allocs, packets)
	}
}

// What a device with segments of its own writes is never joined, however much waits; what was lost is sent again as it was.
func TestApart(t *testing.T) {
	for _, loss := range []int{0, 20} {
		l := newLANOf(t, strings.Replace(testProfile, "stack: {", "stack: {apart: true, ", 1), 7, loss, "one")
		sizes := make(map[int]int)
		l.look = func(p *packet.Packet) {
			if k := parsed(p.Data); p.Lineage.Unit == 0 && k.Payload() > 200 && be32(p.Data[12:])>>16 == 0xc0a8 {
				sizes[k.Payload()]++
			}
		}
		m := make([]script.Message, 200)
		for i := range m {
			m[i] = script.Message{Dir: profile.Up, Size: 1413}
		}
		outcome := ""
		a := activity(1e9, "raw", true, m...)
		l.net.Host(0).Perform(&a, 1, func(o string, _ int64) { outcome = o })
		l.clock.Run(int64(time.Minute))
		if outcome != "ok" || len(sizes) != 1 || sizes[1413] < 195 {
			t.Errorf("loss %d: %s, segments by size %v", loss, outcome, sizes)
		}
	}
}

func parsed(ip []byte) tcp.Segment {
	if ip[9] != packet.ProtoTCP {
		return tcp.Segment{}
	}
	s, _ := tcp.Parse(ip[packet.IPv4Size:])
	return s
}
