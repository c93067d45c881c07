package virtual

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/wire/secure"
)

// watch notes the sizes of QUIC's datagrams by role, up and down.
func (l *lan) watch() map[packet.Role]*[2][]int {
	seen := make(map[packet.Role]*[2][]int)
	note := func(end int, p *packet.Packet) {
		if u := p.Data[packet.IPv4Size:]; p.Data[9] != packet.ProtoUDP || binary.BigEndian.Uint16(u) != 443 && binary.BigEndian.Uint16(u[2:]) != 443 {
			return
		}
		if seen[p.Lineage.Role] == nil {
			seen[p.Lineage.Role] = new([2][]int)
		}
		s := seen[p.Lineage.Role]
		s[end] = append(s[end], len(p.Data)-packet.IPv4Size-packet.UDPSize)
	}
	up, down := l.net.c.ToWAN, l.net.c.ToHome
	l.net.c.ToWAN = func(p *packet.Packet) { note(0, p); up(p) }
	l.net.c.ToHome = func(p *packet.Packet) { note(1, p); down(p) }
	return seen
}

// What quic-go does with the same exchange over 10 ms each way, by its own trace: the handshake's five datagrams, data in packets
// of 1200 bytes whose STREAM frames have no length, a goodbye.
func TestQUICIsQuicGos(t *testing.T) {
	l := newLAN(t, 7, 0, "one")
	seen := l.watch()
	outcome := ""
	a := activity(1e9, "swift", true, script.Message{Dir: profile.Up, Size: 500}, script.Message{Dir: profile.Down, Size: 20_000, Wait: 30e6})
	l.net.Host(0).Perform(&a, 0, func(o string, _ int64) { outcome = o })
	l.clock.Run(int64(5 * time.Second))
	if outcome != "ok" {
		t.Fatal(outcome)
	}
	shake := seen[packet.RoleTLSHandshake]
	if shake == nil || !slices.Equal(shake[0], []int{1200, 1200}) || len(shake[1]) != 3 || shake[1][0] != 1200 || shake[1][2] != 118 {
		t.Errorf("the handshake is %v", shake)
	}
	last := 20_000 - 1179 - 13*1177 - 2*1175
	want := append([]int{1200}, slices.Repeat([]int{1200}, 15)...)
	if data := seen[packet.RoleData]; data == nil || !slices.Equal(data[0], []int{529}) || !slices.Equal(data[1], append(want, last+25)) {
		t.Errorf("the data are %v, want %v and %d", data, want, last+25)
	}
	if bye := seen[packet.RoleClose]; bye == nil || !slices.Equal(bye[0], []int{30}) || len(bye[1]) > 0 {
		t.Errorf("the goodbye is %v", bye)
	}
	acks := seen[packet.RoleAck]
	if acks == nil || len(acks[0]) == 0 || len(acks[1]) != 1 { // the server's after 25 ms, as its program takes 30
		t.Fatalf("acknowledgements %v", acks)
	}
	for end, list := range acks {
		for _, n := range list {
			if over := secure.QUICOverhead(end == 0); n < over+5 || n > over+12 {
				t.Errorf("an acknowledgement of %d bytes", n)
			}
		}
	}
	if again := seen[packet.RoleRetransmission]; again != nil {
		t.Errorf("without a loss, %v are sent again", again)
	}
}

// Whatever is lost comes in the end, in both directions; only lost data is sent again.
func TestQUICUnderLoss(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		l := newLAN(outer, rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 150).Draw(t, "loss"), "one")
		seen := l.watch()
		var m []script.Message
		dir := profile.Up
		for range rapid.IntRange(1, 6).Draw(t, "messages") {
			m = append(m, script.Message{Dir: dir, Size: rapid.IntRange(16, 60_000).Draw(t, "size"), Wait: rapid.Int64Range(0, 40e6).Draw(t, "wait")})
			if rapid.Bool().Draw(t, "turn") {
				dir = -dir
			}
		}
		outcome := ""
		a := activity(1e9, "swift", true, m...)
		l.net.Host(0).Perform(&a, 0, func(o string, _ int64) { outcome = o })
		l.clock.Run(int64(10 * time.Minute))
		// A handshake that fails is given up; names may not be found either.
		if outcome != "ok" && (outcome != "failed" || l.loss < 30) {
			t.Fatalf("outcome %q at %d lost of 1000", outcome, l.loss)
		}
		if again := seen[packet.RoleRetransmission]; again != nil && l.loss == 0 {
			t.Fatalf("without a loss, %v are sent again", again)
		}
		if n := len(l.net.cloud.quic); n > 0 || l.net.Faults != (Faults{}) {
			t.Fatalf("%d connections are left, %+v", n, l.net.Faults)
		}
	})
}

// A download allocates nothing a packet once it is under way, but for the growth of what is kept of each.
func TestQUICAllocatesNothingPerPacket(t *testing.T) {
	l := newLAN(t, 3, 0, "one")
	l.check = false
	a := activity(1e9, "swift", true, script.Message{Dir: profile.Up, Size: 100}, script.Message{Dir: profile.Down, Size: 1 << 28})
	l.net.Host(0).Perform(&a, 0, func(string, int64) {})
	l.clock.Run(int64(1350 * time.Millisecond))
	before := l.seen
	allocs := testing.AllocsPerRun(20, func() { l.clock.Run(l.clock.Now() + int64(20*time.Millisecond)) })
	packets := float64(l.seen-before) / 21
	if packets < 100 {
		t.Fatalf("%.0f packets in 20 ms: the download is not under way", packets)
	}
	if allocs/packets > 0.02 {
		t.Errorf("%v allocations for %.0f packets", allocs, packets)
	}
}
