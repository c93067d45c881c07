package wgmodel

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"golang.zx2c4.com/wireguard/device"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// ones is RFC 1071's sum, the slow way.
func ones(parts ...[]byte) uint16 {
	var s uint32
	for _, p := range parts {
		for i, b := range p {
			s += uint32(b) << (8 * (1 - i%2))
		}
		s = s>>16 + s&0xffff
	}
	return uint16(s>>16 + s&0xffff)
}

// Every inner packet ends once: delivered as it was, with the lineage that its outer packet arrived with, or counted as
// dropped; and every buffer comes back to the pool.
func TestLosesNothingButByCount(t *testing.T) {
	for seed := range uint64(20) {
		s := randomScript(seed, int64(4*time.Hour))
		s.known = seed%2 == 0
		w := newModelWorld(t, &s)
		known := map[*byte]bool{}
		for range 1 << 12 {
			b := w.pool.Get()
			known[unsafe.SliceData(b)] = true
			defer w.pool.Put(b)
		}
		for b := range known {
			w.pool.Put(unsafe.Slice(b, packet.MaxSize))
		}
		buffers := map[int]*byte{}
		delivered := map[int]bool{}
		row := int64(0)
		w.change = func(p *packet.Packet, _ bool) { row++; p.Lineage.Row = row }
		w.got = func(p packet.Packet, up bool) {
			id := innerID(p.Data)
			want := packet.Lineage{Unit: int32(id % 7), Event: int64(id), Row: row}
			switch {
			case delivered[id]:
				t.Errorf("packet %d is delivered twice", id)
			case p.Lineage != want:
				t.Errorf("lineage %+v, want %+v", p.Lineage, want)
			case s.seals[id].up != up || !bytes.Equal(p.Data, modelInner(make([]byte, s.seals[id].size), id)):
				t.Errorf("packet %d is another when it arrives", id)
			case unsafe.SliceData(p.Data) != buffers[id]:
				t.Errorf("packet %d was copied", id)
			case p.At != w.clock.Now():
				t.Errorf("delivered at %d, says %d", w.clock.Now(), p.At)
			}
			delivered[id] = true
			w.pool.Put(p.Data)
		}
		for id, x := range s.seals {
			w.clock.Run(x.at)
			b := modelInner(w.pool.Get()[:x.size], id)
			buffers[id] = unsafe.SliceData(b)
			w.ends[index(x.up)].Seal(packet.Packet{Data: b, Lineage: packet.Lineage{Unit: int32(id % 7), Event: int64(id)}})
		}
		w.clock.Run(s.length + int64(time.Minute))
		dropped := int64(0)
		for _, e := range w.ends {
			e.Close()
			d := e.Drops()
			dropped += d.Unfit + d.Overflow + d.NoHandshake + d.Lost + d.Refused + d.AtClose
		}
		if sealed := int64(len(s.seals)); dropped == 0 || sealed != dropped+int64(len(delivered)) {
			t.Errorf("seed %d: %d sealed, %d delivered, %d dropped", seed, sealed, len(delivered), dropped)
		}
		back := 0
		for range len(known) {
			if known[unsafe.SliceData(w.pool.Get())] {
				back++
			}
		}
		if back != len(known) {
			t.Errorf("seed %d: %d of %d buffers came back", seed, back, len(known))
		}
	}
}

// Each outer packet is as Linux and WireGuard write it, checksums and lineage too.
func TestOuterPackets(t *testing.T) {
	s := randomScript(3, int64(time.Hour))
	w := newModelWorld(t, &s)
	ends := [2][2]netip.AddrPort{
		{netip.MustParseAddrPort("198.18.0.9:51820"), netip.MustParseAddrPort("203.0.113.7:40000")},
		{netip.MustParseAddrPort("203.0.113.7:40000"), netip.MustParseAddrPort("198.18.0.9:51820")},
	}
	kinds := map[outer.Kind]int{}
	counters := map[outer.Key]bool{}
	w.seen = func(p packet.Packet, up bool) {
		ip := p.Data
		size := len(ip)
		head := []byte{0x45, 0, byte(size >> 8), byte(size), 0, 0, 0x40, 0, 64, packet.ProtoUDP}
		if !bytes.Equal(ip[:10], head) || ones(ip[:20]) != 0xffff {
			t.Fatalf("IPv4 header % x", ip[:20])
		}
		pseudo := append(bytes.Clone(ip[12:20]), 0, packet.ProtoUDP, byte((size-20)>>8), byte(size-20))
		if binary.BigEndian.Uint16(ip[26:]) == 0 || ones(pseudo, ip[20:]) != 0xffff {
			t.Fatalf("UDP checksum %04x", ip[26:28])
		}
		from, message := udpMessage(ip)
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(ip[22:]))
		if want := ends[index(up)]; from != want[0] || to != want[1] || len(message) != size-outerHeaders {
			t.Fatalf("from %v to %v, %d bytes", from, to, len(message))
		}
		kind, key := outer.Parse(message)
		kinds[kind]++
		want := packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone, Role: packet.RoleTunnelHandshake}
		switch kind {
		case outer.Initiation, outer.Response:
			if !bytes.Equal(message[len(message)-16:], make([]byte, 16)) {
				t.Fatal("a MAC2 without a cookie")
			}
		case outer.Keepalive:
			want.Role = packet.RoleTunnelKeepalive
		case outer.Data:
			id := int(p.Lineage.Event)
			want = packet.Lineage{Unit: int32(id % 7), Event: int64(id)}
			if padded := min((s.seals[id].size+15)/16*16, 1420); len(message) != 32+padded {
				t.Fatalf("%d bytes carry %d", len(message), s.seals[id].size)
			}
		case outer.Unknown, outer.Cookie:
			t.Fatalf("kind %d", kind)
		}
		if kind == outer.Keepalive || kind == outer.Data {
			if counters[key] {
				t.Fatalf("%+v twice", key)
			}
			counters[key] = true
		}
		if p.Lineage != want || p.At != w.clock.Now() {
			t.Fatalf("kind %d: %+v at %d", kind, p.Lineage, p.At)
		}
	}
	w.play(s.seals, s.length)
	for _, k := range []outer.Kind{outer.Initiation, outer.Response, outer.Keepalive, outer.Data} {
		if kinds[k] == 0 {
			t.Errorf("none of kind %d was sent", k)
		}
	}
}

// digest plays a script and sums what was sent: times, and the first n bytes of packets.
func digest(t *testing.T, s *tunnelScript, seed uint64, fill, n int) [32]byte {
	t.Helper()
	w := newModelWorld(t, s)
	for i, e := range w.ends {
		e.c.Fill = fill
		e.rng.Seed(seed, uint64(i))
		e.wire.place = seed
	}
	h := sha256.New()
	w.seen = func(p packet.Packet, up bool) {
		fmt.Fprintln(h, p.At, up, len(p.Data))
		_, _ = h.Write(p.Data[:min(n, len(p.Data))])
	}
	w.play(s.seals, s.length)
	return [32]byte(h.Sum(nil))
}

func TestIsItsSeed(t *testing.T) {
	s := randomScript(5, int64(2*time.Hour))
	a := digest(t, &s, 1, 0, packet.MaxSize)
	if b := digest(t, &s, 1, 0, packet.MaxSize); a != b {
		t.Error("equal seeds, other packets")
	}
	if b := digest(t, &s, 2, 0, packet.MaxSize); a == b {
		t.Error("other seeds, equal packets")
	}
	// What is filled does not depend on how much is.
	for _, fill := range []int{1, 43, 44, 60, 128, 1479, 1480, 5000} {
		n := max(min(fill, packet.MaxSize), 44)
		if digest(t, &s, 1, fill, n) != digest(t, &s, 1, 0, n) {
			t.Errorf("filled to %d: the first %d bytes differ", fill, n)
		}
	}
}

// A checksum of 0 would mean that there is none.
func TestHasAChecksumWhateverTheSum(t *testing.T) {
	w := &newModelWorld(t, &tunnelScript{}).ends[1].wire
	b := make([]byte, outerHeaders+32)
	for sum := range uint32(0x10000) {
		if w.finish(b, sum); binary.BigEndian.Uint16(b[26:]) == 0 {
			t.Fatalf("a message that sums to %04x has no checksum", sum)
		}
	}
}

func TestJitter(t *testing.T) {
	s := tunnelScript{}
	e := newModelWorld(t, &s).ends[1]
	seen := map[int64]bool{}
	for range 20_000 {
		j := e.drawJitter(0, 0)
		if j < 0 || j%ms != 0 || j >= device.RekeyTimeoutJitterMaxMs*ms {
			t.Fatalf("jitter of %d ns", j)
		}
		seen[j] = true
	}
	if len(seen) != device.RekeyTimeoutJitterMaxMs {
		t.Errorf("%d values of %d", len(seen), device.RekeyTimeoutJitterMaxMs)
	}
}

func TestHasTheEnginesNumbers(t *testing.T) {
	for what, c := range map[string][2]int64{
		"staged packets":           {stagedLimit, device.QueueStagedSize},
		"rekey after":              {rekeyAfterTime, int64(device.RekeyAfterTime)},
		"reject after":             {rejectAfterTime, int64(device.RejectAfterTime)},
		"rekey timeout":            {rekeyTimeout, int64(device.RekeyTimeout)},
		"keepalive timeout":        {keepaliveTimeout, int64(device.KeepaliveTimeout)},
		"pause of initiations":     {initiationPause, int64(device.HandshakeInitationRate)},
		"retries":                  {maxHandshakes, device.MaxTimerHandshakes},
		"jitter, ms":               {maxJitterMs, device.RekeyTimeoutJitterMaxMs},
		"initiation's type":        {outer.TypeInitiation, device.MessageInitiationType},
		"response's type":          {outer.TypeResponse, device.MessageResponseType},
		"cookie's type":            {outer.TypeCookie, device.MessageCookieReplyType},
		"transport message's type": {outer.TypeTransport, device.MessageTransportType},
		"initiation's size":        {outer.InitiationSize, device.MessageInitiationSize},
		"response's size":          {outer.ResponseSize, device.MessageResponseSize},
		"cookie's size":            {outer.CookieSize, device.MessageCookieReplySize},
		"transport header":         {outer.HeaderSize, device.MessageTransportHeaderSize},
		"empty transport message":  {outer.TransportSize, device.MessageTransportSize},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, the engine's is %d", what, c[0], c[1])
		}
	}
}

// The table of packets on their way keeps all that are young, whatever the number, gives each once, and forgets old ones.
func TestFlight(t *testing.T) {
	pool := packet.NewLocalPool()
	f := newFlight()
	key := func(i int) outer.Key {
		return outer.Key{Receiver: uint32(77 + i/1000*1_000_003), Counter: uint64(i % 1000)}
	}
	for i := range 5000 {
		f.put(key(i), modelInner(pool.Get()[:40], i), int64(i), pool)
	}
	for i := range 5000 {
		if i%3 == 0 {
			continue // lost
		}
		if b, ok := f.take(key(i)); !ok || innerID(b) != i {
			t.Fatalf("packet %d of 5000 on their way is gone", i)
		}
		if _, ok := f.take(key(i)); ok {
			t.Fatalf("packet %d is given twice", i)
		}
	}
	size := len(f.slots)
	late := 5000 + flightLife + 1
	for i := range size { // each place once
		f.put(outer.Key{Receiver: 1, Counter: uint64(i)}, nil, late, pool)
	}
	if len(f.slots) != size || f.lost != 1667 {
		t.Errorf("%d places after %d, %d lost of 1667", len(f.slots), size, f.lost)
	}
	for i := range 2 * flightLimit { // young, but too many
		f.put(outer.Key{Receiver: 1 << 20, Counter: uint64(i)}, pool.Get(), late, pool)
	}
	if len(f.slots) != flightLimit {
		t.Errorf("%d places, at most %d", len(f.slots), flightLimit)
	}
	if n := f.clear(pool); n != flightLimit {
		t.Errorf("%d were on their way, want %d", n, flightLimit)
	}
}

// A second copy of a packet, or one that was cut or changed, delivers nothing and breaks nothing.
func TestOpensOnce(t *testing.T) {
	s := tunnelScript{seals: every(1, 100*ms, 20_000*ms, true, true), length: 30_000 * ms, known: true}
	w := newModelWorld(t, &s)
	w.seen = func(p packet.Packet, up bool) {
		for _, b := range [][]byte{bytes.Clone(p.Data), bytes.Clone(p.Data[:len(p.Data)-1]), bytes.Clone(p.Data[:30]), nil} {
			w.clock.Schedule(w.clock.Now()+500*ms, clock.Func(func(now int64, _ uint64) {
				w.ends[1-index(up)].Open(packet.Packet{Data: b, At: now})
			}), 0)
		}
	}
	w.play(s.seals, s.length)
	if len(w.delivered) != len(s.seals) {
		t.Errorf("%d sealed, %d delivered", len(s.seals), len(w.delivered))
	}
}

// instant joins two ends without any delay: each Send is an Open before it returns.
func instant(tb testing.TB, deliver func(e *End, p packet.Packet)) (w *modelWorld) {
	tb.Helper()
	w = newModelWorld(tb, &tunnelScript{known: true})
	for i, e := range w.ends {
		e.c.Send = w.ends[1-i].Open
		e.c.Deliver = func(p packet.Packet) { deliver(e, p) }
	}
	return w
}

// Calls may come back before they return: what is delivered is answered at once, and the answer is opened at once.
func TestMayBeCalledBack(t *testing.T) {
	var got []int
	var w *modelWorld
	w = instant(t, func(e *End, p packet.Packet) {
		got = append(got, innerID(p.Data))
		if e == w.ends[0] {
			e.Seal(p)
		} else {
			w.pool.Put(p.Data)
		}
	})
	var want []int
	for id := range 50 {
		w.ends[1].Seal(packet.Packet{Data: modelInner(w.pool.Get()[:100], id)})
		want = append(want, id, id)
		w.clock.Run(w.clock.Now() + 10_000*ms)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("there and back: %v", got)
	}
}

// What is sealed while staged packets go out goes out after them.
func TestMayBeCalledBackWhileItSends(t *testing.T) {
	var got []int
	var w *modelWorld
	w = instant(t, func(e *End, p packet.Packet) {
		id := innerID(p.Data)
		got = append(got, id)
		w.pool.Put(p.Data)
		if id < 10 {
			w.ends[1].Seal(packet.Packet{Data: modelInner(w.pool.Get()[:100], id+10)})
		}
	})
	open := w.ends[1].c.Send
	w.ends[1].c.Send = func(p packet.Packet) { w.ends[1].c.Send = open } // the first initiation is lost
	for id := range 4 {
		w.ends[1].Seal(packet.Packet{Data: modelInner(w.pool.Get()[:100], id)})
	}
	w.clock.Run(10_000 * ms)
	if want := []int{0, 1, 2, 3, 10, 11, 12, 13}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

func TestClosed(t *testing.T) {
	s := tunnelScript{seals: every(1, 100*ms, 5000*ms, true, true), length: 5000 * ms}
	w := newModelWorld(t, &s)
	w.play(s.seals, s.length)
	sent, delivered := len(w.sent), len(w.delivered)
	w.ends[1].Close()
	w.ends[1].Seal(packet.Packet{Data: modelInner(w.pool.Get()[:100], 1)})
	w.ends[0].Seal(packet.Packet{Data: modelInner(w.pool.Get()[:100], 2)})
	w.clock.Run(w.clock.Now() + int64(time.Hour))
	for _, p := range w.sent[sent:] {
		if p.up {
			t.Fatalf("the closed end sent %+v", p)
		}
	}
	if len(w.delivered) != delivered {
		t.Error("something was delivered after Close")
	}
	if d := w.ends[1].Drops(); d.AtClose != 1 || d.Refused != 1 {
		t.Errorf("dropped %+v", d)
	}
}

func TestRefusesUnfitPackets(t *testing.T) {
	w := newModelWorld(t, &tunnelScript{})
	for name, b := range map[string][]byte{
		"nothing": nil, "no version": make([]byte, 60), "a cut IPv4 header": {0x45, 0, 0, 20}, "a cut IPv6 header": append([]byte{0x60}, make([]byte, 38)...),
		"larger than the MTU": modelInner(make([]byte, 1421), 1),
	} {
		before := w.ends[1].Drops().Unfit
		w.ends[1].Seal(packet.Packet{Data: b})
		if w.ends[1].Drops().Unfit != before+1 || len(w.sent) != 0 {
			t.Errorf("%s is accepted", name)
		}
	}
	w.ends[1].Seal(packet.Packet{Data: append([]byte{0x60}, make([]byte, 39)...)})
	if len(w.sent) != 1 {
		t.Error("an IPv6 packet is refused")
	}
}

func TestRefusesHalfAConfiguration(t *testing.T) {
	good := Config{
		Clock: clock.NewVirtual(0), Local: netip.MustParseAddrPort("203.0.113.7:1"), Remote: netip.MustParseAddrPort("198.18.0.9:2"), MTU: 1420,
		Noise: packet.NewNoise(1, 2), Pool: packet.NewLocalPool(), Send: func(packet.Packet) {}, Deliver: func(packet.Packet) {},
	}
	if _, _, err := NewPair(good, good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(c *Config){
		"no clock":           func(c *Config) { c.Clock = nil },
		"no noise":           func(c *Config) { c.Noise = nil },
		"no pool":            func(c *Config) { c.Pool = nil },
		"no Send":            func(c *Config) { c.Send = nil },
		"no Deliver":         func(c *Config) { c.Deliver = nil },
		"no MTU":             func(c *Config) { c.MTU = 0 },
		"MTU too large":      func(c *Config) { c.MTU = maxMTU + 1 },
		"negative keepalive": func(c *Config) { c.Keepalive = -1 },
		"negative fill":      func(c *Config) { c.Fill = -1 },
		"no address":         func(c *Config) { c.Local = netip.AddrPort{} },
		"IPv6":               func(c *Config) { c.Remote = netip.MustParseAddrPort("[2001:db8::1]:2") },
	} {
		bad := good
		spoil(&bad)
		if _, _, err := NewPair(bad, good); err == nil {
			t.Errorf("%s is accepted for the client", name)
		}
		if _, _, err := NewPair(good, bad); err == nil {
			t.Errorf("%s is accepted for the server", name)
		}
	}
	lost := good
	lost.Remote = netip.AddrPort{}
	if _, _, err := NewPair(lost, lost); err == nil {
		t.Error("two ends that do not know one another are accepted")
	}
}

// FuzzOpen: packets of others never panic, and nothing is delivered that was not sealed.
func FuzzOpen(f *testing.F) {
	s := tunnelScript{known: true}
	w := newModelWorld(f, &s)
	w.seen = func(p packet.Packet, _ bool) { f.Add(bytes.Clone(p.Data)) }
	w.play(every(1, 3000*ms, 40_000*ms, true, true), 40_000*ms)
	f.Add([]byte(nil))
	f.Add(w.ends[0].wire.data(&w.ends[0].c, outer.Key{}, 100)) // under no key
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newModelWorld(t, &s)
		w.play(every(1, 10*ms, 100*ms, true, false), 1000*ms)
		n := len(w.delivered)
		for _, e := range w.ends {
			e.Open(packet.Packet{Data: bytes.Clone(b)})
		}
		w.play(every(2000*ms, 10*ms, 2100*ms, true, true), 20_000*ms)
		if n != 10 || len(w.delivered) != 20 {
			t.Errorf("%d, then %d delivered", n, len(w.delivered))
		}
	})
}

// steady returns a step of a tunnel that is up: a packet up, a packet down, and a little time.
func steady(tb testing.TB, size, fill int) func() {
	tb.Helper()
	var w *modelWorld
	var last []byte
	w = instant(tb, func(_ *End, p packet.Packet) { last = p.Data })
	for _, e := range w.ends {
		e.c.Fill = fill
	}
	last = modelInner(w.pool.Get()[:size], 1)
	return func() {
		for i := range w.ends {
			b := last
			last = nil
			w.ends[1-i].Seal(packet.Packet{Data: b})
			if last == nil {
				tb.Fatal("not delivered")
			}
		}
		w.clock.Run(w.clock.Now() + ms)
	}
}

func TestAllocatesNothing(t *testing.T) {
	step := steady(t, 500, 0)
	for range 1000 { // the handshake, and a pool to begin with
		step()
	}
	if a := testing.AllocsPerRun(400_000, step); a != 0 { // 400 s: handshakes and timers too
		t.Errorf("%v allocations a step", a)
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	for name, fill := range map[string]int{"whole": 0, "headers": 60} {
		for _, size := range []int{60, 1400} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				step := steady(b, size, fill)
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/packet")
			})
		}
	}
}

// need skips a test whose judge is not installed, with the reason; in CI that is a failure.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("GLASSHOUSE_CI") == "1" {
		t.Fatalf("%s is not installed", tool)
	}
	t.Skipf("%s is not installed", tool)
	return ""
}

// tshark takes it for WireGuard, well-formed and with good checksums, and sees what was sent.
func TestForTshark(t *testing.T) {
	tshark := need(t, "tshark")
	path := filepath.Join(t.TempDir(), "tunnel.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := pcapgo.NewWriterNanos(f)
	if err := out.WriteFileHeader(65535, layers.LinkTypeIPv4); err != nil {
		t.Fatal(err)
	}
	s := randomScript(6, int64(time.Hour))
	w := newModelWorld(t, &s)
	want := map[string]int{}
	w.seen = func(p packet.Packet, _ bool) {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(0, p.At), Length: len(p.Data), CaptureLength: len(p.Data)}
		if err := out.WritePacket(info, p.Data); err != nil {
			t.Fatal(err)
		}
		_, message := udpMessage(p.Data)
		want[fmt.Sprint(message[0])]++
	}
	w.play(s.seals, s.length)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	run := func(filter string) []string {
		b, err := exec.Command(tshark, "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y", filter, "-T", "fields", "-e", "wg.type").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(b))
	}
	if bad := run("!wg || _ws.malformed || _ws.expert.severity >= 6291456 || ip.checksum.status != 1 || udp.checksum.status != 1"); len(bad) > 0 {
		t.Errorf("%d packets that tshark objects to", len(bad))
	}
	got := map[string]int{}
	for _, kind := range run("wg") {
		got[kind]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || want["4"] == 0 || want["1"] == 0 {
		t.Errorf("tshark counts %v, sent %v", got, want)
	}
}
