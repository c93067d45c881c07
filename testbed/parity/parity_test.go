package parity

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/emulator/packet"
	"glasshouse/scenarios"
	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
)

// pairOf makes both sides of a home from events and rows.
func pairOf(a, b homeRun) [2]homeRun {
	both := [2]homeRun{a, b}
	for side := range both {
		both[side].d = &dataset.Dataset{Manifest: dataset.Manifest{Seed: 7, StartNs: 1000e9, WarmUpNs: 1e9}}
	}
	return both
}

func TestScriptParity(t *testing.T) {
	events := func() []dataset.Event {
		return []dataset.Event{
			{Event: 0, Unit: "plug", Activity: "boot", Trigger: "boot", TScript: 5, TStart: 9, Outcome: "ok"},
			{Event: 1, Unit: "plug", Activity: "heartbeat", Trigger: "timer", TScript: 60e9, Outcome: "ok"},
			{Event: 2, Unit: "phone", Activity: "scroll", Trigger: "person", Actor: "anna", TScript: 70e9, Outcome: "cut"},
		}
	}
	for name, c := range map[string]struct {
		change func(e []dataset.Event) []dataset.Event
		differ int
		first  string
	}{
		"equal":        {func(e []dataset.Event) []dataset.Event { return e }, 0, ""},
		"other ending": {func(e []dataset.Event) []dataset.Event { e[1].Outcome, e[0].TStart = "failed", 77; return e }, 0, ""},
		"other time":   {func(e []dataset.Event) []dataset.Event { e[1].TScript++; return e }, 1, "event 1 is plug heartbeat at 60.000 s"},
		"other actor":  {func(e []dataset.Event) []dataset.Event { e[2].Actor = "ben"; return e }, 1, `actor "ben"`},
		"one missing":  {func(e []dataset.Event) []dataset.Event { return e[1:] }, 1, "event 0, plug boot at 0.000 s (trigger boot, actor \"\"), is only on the first side"},
		"one more": {
			func(e []dataset.Event) []dataset.Event { return append(e, dataset.Event{Event: 9, Unit: "hub"}) }, 1, "only on the second side",
		},
	} {
		s := Script{Equal: true}
		s.compare(pairOf(homeRun{events: events()}, homeRun{events: c.change(events())}))
		if s.Equal != (c.differ == 0) || s.Differing != c.differ || !strings.Contains(s.First, c.first) || (c.first == "") != (s.First == "") {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestTimings(t *testing.T) {
	const start = int64(1000e9)
	row := func(at int64, dir int8, event int64, role packet.Role, length, payload int32) dataset.Row {
		return dataset.Row{
			Observation: dataset.Observation{TsNs: start + at, Dir: dir, Length: length, PayloadLength: payload, RemoteAddr: "198.18.0.1", RemotePort: 443},
			Label:       dataset.Label{Device: "plug", Role: role.String(), Event: event},
		}
	}
	h := homeRun{
		events: []dataset.Event{{Event: 4, Trigger: triggerTimer, TScript: 2e9}, {Event: 5, Trigger: "person", TScript: 3e9}},
		rows: []dataset.Row{
			row(0.5e9, 1, 4, packet.RoleData, 95, 41), // in the start-up
			row(2.5e9, 1, 4, packet.RoleAck, 54, 0),
			row(2.6e9, 1, 4, packet.RoleData, 95, 41),
			row(2.7e9, -1, 4, packet.RoleAck, 54, 0),
			row(2.75e9, -1, 4, packet.RoleData, 120, 66),
			row(2.76e9, -1, 4, packet.RoleData, 130, 76), // the reply's second packet
			row(3.1e9, 1, 5, packet.RoleRetransmission, 95, 41),
		},
	}
	ti, roles := newTimings(), newRoleTable()
	both := pairOf(h, h)
	ti.add(0, &both[0])
	roles.add(0, &both[0])
	got := ti.distances()
	if d := got[timeLate]; d.N != [2]int{1, 0} || d.Medians[0] != 600 {
		t.Errorf("lateness %+v, want one of 600 ms", d)
	}
	if d := got[timeReply]; d.N != [2]int{1, 0} || d.Medians[0] != 150 {
		t.Errorf("reply %+v, want one of 150 ms", d)
	}
	if d := got[timeInterval]; d.N[0] != 6 || math.Abs(d.P99[0]-math.Log10(2)) > 1e-12 {
		t.Errorf("intervals %+v, want six, the longest 2 s", d)
	}
	if got[timeLengthUp].N[0] != 3 || got[timeLengthDown].N[0] != 3 {
		t.Errorf("%d up, %d down", got[timeLengthUp].N[0], got[timeLengthDown].N[0])
	}
	want := []RolePackets{
		{"plug", "ack", [2]float64{2, 0}}, {"plug", "data", [2]float64{3, 0}}, {"plug", "retransmission", [2]float64{1, 0}},
	}
	if diff := cmp.Diff(want, roles.means()); diff != "" {
		t.Error(diff)
	}
}

var (
	deviceAt = netip.MustParseAddrPort("192.168.1.20:40000")
	remoteAt = netip.MustParseAddrPort("198.18.0.1:443")
)

// tcpFrame builds the LAN frame of a segment, as far as it is looked at.
func tcpFrame(dir int8, device netip.AddrPort, seq uint32, flags byte, data []byte) []byte {
	src, dst := device, remoteAt
	if dir == packet.Down {
		src, dst = dst, src
	}
	b := make([]byte, 14+20+20, 14+20+20+len(data))
	b[12], b[14], b[23] = 8, 0x45, packet.ProtoTCP
	binary.BigEndian.PutUint16(b[16:], uint16(40+len(data)))
	copy(b[26:], src.Addr().AsSlice())
	copy(b[30:], dst.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[34:], src.Port())
	binary.BigEndian.PutUint16(b[36:], dst.Port())
	binary.BigEndian.PutUint32(b[38:], seq)
	b[46], b[47] = 5<<4, flags
	return append(b, data...)
}

func record(kind byte, body ...byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}

func secret(n int) []byte { return record(recordApplication, make([]byte, n)...) }

func helloOf(suite uint16) []byte {
	h := make([]byte, 4+2+32+1+2+1)
	h[0] = serverHello
	binary.BigEndian.PutUint16(h[39:], suite)
	return record(recordHandshake, h...)
}

// talk says a TLS 1.2 connection: two messages up of 36 and 100 bytes, one down of 2000. Segments are cut at every mss bytes and
// handed over in an order that r disturbs, some of them twice.
func talk(l *listener, device netip.AddrPort, mss int, r *rand.Rand, event int64) {
	x := func(dir int8, data bool) carried { return carried{event: event, unit: "plug", dir: dir, data: data} }
	send := func(dir int8, seq uint32, data bool, b []byte) uint32 {
		type segment struct {
			seq uint32
			b   []byte
		}
		var segments []segment
		for c := range slices.Chunk(b, mss) {
			segments = append(segments, segment{seq, c})
			if seq += uint32(len(c)); r.IntN(3) == 0 {
				segments = append(segments, segments[len(segments)-1])
			}
		}
		r.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
		for _, s := range segments {
			l.Frame(tcpFrame(dir, device, s.seq, 0x10, s.b), x(dir, data))
		}
		return seq
	}
	up, down := uint32(math.MaxUint32-20), uint32(9) // the sequence numbers of the home wrap
	l.Frame(tcpFrame(packet.Up, device, up, packet.FlagSYN, nil), x(packet.Up, false))
	l.Frame(tcpFrame(packet.Down, device, down, packet.FlagSYN, nil), x(packet.Down, false))
	up = send(packet.Up, up+1, false, record(recordHandshake, make([]byte, 200)...))
	down = send(packet.Down, down+1, false, helloOf(0xc02b)) // ECDHE with AES-128-GCM
	up = send(packet.Up, up, true, slices.Concat(secret(36+24), secret(100+24)))
	send(packet.Down, down, true, secret(2000+24))
	send(packet.Up, up, false, record(21, make([]byte, 26)...))
}

func newListener() *listener {
	return &listener{parts: make(map[flowPart]*spoken), conns: make(map[connID]*conn)}
}

func TestStreamsArePutTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newListener()
		talk(l, deviceAt, rapid.IntRange(1, 1500).Draw(t, "mss"), rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 1)), 3)
		want := map[flowID]*spoken{
			{event: 3, unit: "plug", remote: remoteAt, dir: packet.Up}:   {sizes: []int{36, 100}, app: 136, wire: 136 + 2*29},
			{event: 3, unit: "plug", remote: remoteAt, dir: packet.Down}: {sizes: []int{2000}, app: 2000, wire: 2029},
		}
		if diff := cmp.Diff(want, l.join(), cmp.AllowUnexported(flowID{}, spoken{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestTLS13HandshakeIsNoMessage(t *testing.T) {
	l := newListener()
	x := func(dir int8) carried { return carried{event: 1, unit: "plug", dir: dir, data: true} } // as retransmissions are labelled
	l.Frame(tcpFrame(packet.Up, deviceAt, 0, packet.FlagSYN, nil), x(packet.Up))
	l.Frame(tcpFrame(packet.Down, deviceAt, 0, packet.FlagSYN, nil), x(packet.Down))
	l.Frame(tcpFrame(packet.Up, deviceAt, 1, 0x10, record(recordHandshake, make([]byte, 100)...)), x(packet.Up))
	server := slices.Concat(helloOf(0x1301), secret(27), secret(890))
	l.Frame(tcpFrame(packet.Down, deviceAt, 1, 0x10, server), x(packet.Down))
	client := slices.Concat(secret(53), secret(500+17))
	l.Frame(tcpFrame(packet.Up, deviceAt, 106, 0x10, client), x(packet.Up))
	l.Frame(tcpFrame(packet.Down, deviceAt, 1+uint32(len(server)), 0x10, secret(70+17)), x(packet.Down))
	got := make(map[int8][]int)
	for id, s := range l.join() {
		got[id.dir] = s.sizes
	}
	if diff := cmp.Diff(map[int8][]int{packet.Up: {500}, packet.Down: {70}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlainStreamsAndDatagrams(t *testing.T) {
	l := newListener()
	up, down := carried{1, "plug", packet.Up, true}, carried{1, "plug", packet.Down, true}
	l.Frame(tcpFrame(packet.Up, deviceAt, 0, packet.FlagSYN, nil), up)
	l.Frame(tcpFrame(packet.Down, deviceAt, 0, packet.FlagSYN, nil), down)
	l.Frame(tcpFrame(packet.Up, deviceAt, 1, 0x10, []byte("GET / HTTP/1.1\r\n")), up)
	l.Frame(tcpFrame(packet.Up, deviceAt, 17, 0x18, []byte("\r\n")), up)
	l.Frame(tcpFrame(packet.Down, deviceAt, 1, 0x10, make([]byte, 1460)), down)
	l.Frame(tcpFrame(packet.Down, deviceAt, 1461, 0x18, make([]byte, 40)), down)
	udp := tcpFrame(packet.Up, deviceAt, 0, 0, make([]byte, 30))
	udp[23] = packet.ProtoUDP
	l.Frame(udp, up)
	for _, c := range l.conns {
		l.flush(c, 0)
		l.flush(c, 1)
	}
	got := make(map[string][]int)
	for id, s := range l.join() {
		got[map[int8]string{1: "up", -1: "down"}[id.dir]+map[bool]string{true: " datagram"}[id.datagram]] = s.sizes
	}
	want := map[string][]int{"up": {18}, "down": {1500}, "up datagram": {20 + 30 - 8}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Which of two connections to one remote end speaks first is the network's: the flow is the same.
func TestConnectionsOfAnEventHaveNoOrder(t *testing.T) {
	other := netip.AddrPortFrom(deviceAt.Addr(), 40001)
	say := func(first, second netip.AddrPort) map[flowID]*spoken {
		l := newListener()
		l.note(connID{first, remoteAt}, carried{1, "phone", packet.Up, true}, 500, 529, false)
		l.note(connID{second, remoteAt}, carried{1, "phone", packet.Up, true}, 70, 99, false)
		l.note(connID{first, remoteAt}, carried{1, "phone", packet.Up, true}, 300, 329, false)
		return l.join()
	}
	for _, s := range say(deviceAt, other) {
		if diff := cmp.Diff([]int{70, 500, 300}, s.sizes); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(say(deviceAt, other), say(other, deviceAt), cmp.AllowUnexported(flowID{}, spoken{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestMessageParity(t *testing.T) {
	var m Messages
	id := flowID{event: 1, unit: "plug", remote: remoteAt, dir: packet.Down}
	e := &dataset.Event{Event: 1, Activity: "heartbeat"}
	make2 := func(app ...int) *spoken {
		s := &spoken{}
		for _, n := range app {
			s.say(n, n+29)
		}
		return s
	}
	m.stream(7, id, e, [2]*spoken{make2(10, 20), make2(10, 20)})
	m.stream(7, id, e, [2]*spoken{make2(10, 20), make2(20, 10)})
	m.stream(7, id, e, [2]*spoken{make2(10, 20, 5), make2(10)})
	far := make2(10)
	far.wire += 1000
	m.stream(7, id, e, [2]*spoken{make2(10), far})
	m.datagrams(make2(48, 48, 90), make2(48, 120))
	if m.Streams != 4 || m.Equal != 2 || m.SameBytes != 3 || m.WireApart != 1 || m.Datagrams != [2]int{3, 2} || m.Missing != [2]int{1, 2} {
		t.Errorf("%+v", m)
	}
	if len(m.Differing) != 2 || !cmp.Equal(m.Differing[1].Sizes, [2][]int{{20, 5}, {}}) || m.Differing[1].Dir != "down" {
		t.Errorf("%+v", m.Differing)
	}
}

// twin lives a home in the virtual world.
func twin(t *testing.T, seed uint64) *dataset.Dataset {
	t.Helper()
	sc, err := scenarios.Load("noisy-napt")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "set")
	if _, err := testbed.Run(t.Context(), run.Options{Scenario: sc, Seed: seed, Duration: 2 * time.Minute, TimeScale: 3, World: dataset.WorldVirtual, Out: out}); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCompareWorlds(t *testing.T) {
	pairs := []Pair{{twin(t, 1), twin(t, 1)}, {twin(t, 5), twin(t, 5)}}
	p, err := Compare(t.Context(), pairs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Script.Equal || p.Script.Events == 0 || !p.Messages.Compared || p.Messages.Streams < 20 ||
		p.Messages.Equal != p.Messages.Streams || p.Messages.Missing != [2]int{} {
		t.Errorf("a run differs from itself: %+v, %+v", p.Script, p.Messages)
	}
	for _, d := range p.Timing {
		if d.KS != 0 || d.W1 != 0 || d.N[0] == 0 {
			t.Errorf("%+v", d)
		}
	}
	if p.Test == nil || math.Abs(p.Test.AUC-0.5) > 1e-9 { // equal windows have equal scores
		t.Errorf("%+v", p.Test)
	}
	if _, err := Compare(t.Context(), []Pair{{pairs[0].A, pairs[1].A}}, Options{}); !errors.Is(err, ErrNotAPair) {
		t.Errorf("two seeds: %v", err)
	}
	if _, err := Compare(t.Context(), nil, Options{}); err == nil {
		t.Error("nothing was compared with success")
	}
}
