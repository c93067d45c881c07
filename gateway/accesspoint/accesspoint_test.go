package accesspoint_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"glasshouse/emulator/clock/clocktest"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/accesspoint"
)

var (
	gatewayMAC = [6]byte{2, 0, 0, 0, 0, 1}
	macs       = [][6]byte{{2, 0, 0, 0, 1, 10}, {2, 0, 0, 0, 1, 11}}
	broadcast  = [6]byte{255, 255, 255, 255, 255, 255}

	stationA = netip.MustParseAddr("192.168.1.10")
	stationB = netip.MustParseAddr("192.168.1.11")
	server   = netip.MustParseAddr("198.18.0.1")
)

// frame carries number, so that a test can tell frames apart.
func frame(dst, src [6]byte, from netip.Addr, number byte) []byte {
	ip := make([]byte, 29)
	ip[0], ip[3], ip[8], ip[9] = 0x45, 29, 64, packet.ProtoUDP
	src4, dst4 := from.As4(), server.As4()
	copy(ip[12:], src4[:])
	copy(ip[16:], dst4[:])
	ip[25], ip[28] = 9, number
	b := append(append(append([]byte(nil), dst[:]...), src[:]...), 8, 0)
	return append(b, ip...)
}

func numberIn(frame []byte) byte { return frame[len(frame)-1] }

// air is an access point with two stations, and what each of its sides got.
type air struct {
	clock    *clocktest.Manual
	ap       *accesspoint.AccessPoint
	captured []byte
	up       []packet.Packet
	stations [2][]byte
	downlink []bool
}

func newAir(t *testing.T, m accesspoint.Medium) *air {
	t.Helper()
	return newDozingAir(t, m, nil)
}

// newDozingAir has a first station with measured sleep.
func newDozingAir(t *testing.T, m accesspoint.Medium, doze []int64) *air {
	t.Helper()
	a := &air{clock: &clocktest.Manual{}}
	var st []accesspoint.Station
	for i, addr := range []netip.Addr{stationA, stationB} {
		st = append(st, accesspoint.Station{Unit: int32(i + 5), MAC: macs[i], Addr: addr, Deliver: func(f []byte) { a.stations[i] = append(a.stations[i], numberIn(f)) }})
	}
	st[0].Doze = doze
	a.ap = accesspoint.New(accesspoint.Config{
		Clock: a.clock, GatewayMAC: gatewayMAC, Stations: st, Medium: m, Seed: 1, Pool: &packet.Pool{},
		Capture: func(_ int64, f []byte) int64 {
			a.captured = append(a.captured, numberIn(f))
			return int64(len(a.captured))
		},
		ToGateway: func(p *packet.Packet) { a.up = append(a.up, *p) },
		Downlink:  func(_ packet.Lineage, lost bool) { a.downlink = append(a.downlink, lost) },
	})
	t.Cleanup(a.ap.Close)
	return a
}

func TestStampsTheOrigin(t *testing.T) {
	a := newAir(t, accesspoint.Medium{})
	a.ap.FromStation(0, frame(gatewayMAC, macs[0], stationA, 1))
	a.ap.FromStation(1, frame(gatewayMAC, macs[1], stationB, 2))
	if len(a.up) != 2 {
		t.Fatalf("%d frames at the gateway", len(a.up))
	}
	for i, p := range a.up {
		if p.Lineage.Unit != int32(i+5) || p.Lineage.LANFrame != int64(i+1) || p.Lineage.Row != 0 {
			t.Errorf("frame %d: %+v", i, p.Lineage)
		}
	}
}

func TestDropsWhatIsNotTheSenders(t *testing.T) {
	a := newAir(t, accesspoint.Medium{})
	arp := append(append(append([]byte(nil), broadcast[:]...), macs[0][:]...), 8, 6)
	arp = append(arp, make([]byte, 28)...)
	s := stationB.As4()
	copy(arp[28:], s[:])
	for name, f := range map[string][]byte{
		"another's address": frame(gatewayMAC, macs[0], stationB, 1),
		"another's MAC":     frame(gatewayMAC, macs[1], stationA, 1),
		"another's ARP":     arp,
		"cut":               {1, 2, 3},
		"cut IPv4":          frame(gatewayMAC, macs[0], stationA, 1)[:20],
	} {
		before := a.ap.Drops().Spoofed
		a.ap.FromStation(0, f)
		if len(a.up) != 0 || a.ap.Drops().Spoofed != before+1 {
			t.Errorf("%s: passed", name)
		}
	}
	for _, own := range []string{"0.0.0.0", "169.254.3.4", "192.168.1.10"} {
		a.ap.FromStation(0, frame(gatewayMAC, macs[0], netip.MustParseAddr(own), 1))
	}
	if len(a.up) != 3 {
		t.Errorf("%d of 3 allowed sources passed", len(a.up))
	}
}

func TestBridges(t *testing.T) {
	a := newAir(t, accesspoint.Medium{})
	a.ap.FromStation(0, frame(macs[1], macs[0], stationA, 1))
	a.ap.FromStation(0, frame(broadcast, macs[0], stationA, 2))
	a.ap.FromStation(0, frame([6]byte{2, 9}, macs[0], stationA, 3))
	a.ap.FromGateway(frame(macs[0], gatewayMAC, server, 4), packet.Lineage{Row: 9})
	a.ap.FromGateway(frame(broadcast, gatewayMAC, server, 5), packet.Lineage{})
	if got := string(a.stations[0]); got != "\x04\x05" {
		t.Errorf("station 0 got %v", a.stations[0])
	}
	if got := string(a.stations[1]); got != "\x01\x02\x05" {
		t.Errorf("station 1 got %v", a.stations[1])
	}
	if len(a.up) != 1 || numberIn(a.up[0].Data) != 2 || a.ap.Drops().Unknown != 1 {
		t.Errorf("gateway got %d, unknown %d", len(a.up), a.ap.Drops().Unknown)
	}
	if len(a.downlink) != 1 || a.downlink[0] || len(a.captured) != 5 {
		t.Errorf("downlink %v, %d captured", a.downlink, len(a.captured))
	}
}

// Frames of one station keep their order, however the air jitters and however late timers are.
func TestKeepsOrder(t *testing.T) {
	for _, m := range []accesspoint.Medium{{Jitter: 50}, {Delay: 5, Jitter: 50}, {Beacon: 100, AwakeNs: 20}, {}} {
		a := newAir(t, m)
		for i := range 200 {
			a.clock.Set(int64(i) * 7)
			a.ap.FromStation(0, frame(gatewayMAC, macs[0], stationA, byte(i)))
			a.ap.FromGateway(frame(macs[0], gatewayMAC, server, byte(i)), packet.Lineage{})
			if i%3 == 0 { // timers are late by up to three steps
				a.clock.Fire()
			}
		}
		a.clock.Advance(1 << 20)
		if len(a.up) != 200 || len(a.stations[0]) != 200 {
			t.Fatalf("%+v: %d up, %d down", m, len(a.up), len(a.stations[0]))
		}
		for i := range 200 {
			if numberIn(a.up[i].Data) != byte(i) || a.stations[0][i] != byte(i) {
				t.Fatalf("%+v: out of order at %d", m, i)
			}
		}
	}
}

func TestPowerSave(t *testing.T) {
	a := newAir(t, accesspoint.Medium{Beacon: 100, AwakeNs: 30})
	a.clock.Set(110)
	a.ap.FromGateway(frame(macs[0], gatewayMAC, server, 1), packet.Lineage{}) // dozing: waits for the beacon at 200
	a.clock.Advance(199)
	if len(a.stations[0]) != 0 {
		t.Fatal("a dozing station heard")
	}
	a.clock.Advance(200)
	a.clock.Advance(210)
	a.ap.FromGateway(frame(macs[0], gatewayMAC, server, 2), packet.Lineage{}) // awake until 230
	a.clock.Fire()
	if len(a.stations[0]) != 2 {
		t.Fatalf("got %v", a.stations[0])
	}
}

// A frame waits for a station with measured sleep as long as its quantiles say, where neither has been heard for a moment; order is
// kept, and other stations do not wait.
func TestMeasuredSleep(t *testing.T) {
	const ms = int64(1e6)
	a := newDozingAir(t, accesspoint.Medium{}, []int64{100 * ms, 200 * ms, 400 * ms})
	sent, short := int64(0), 0
	const n = 400
	for i := range n {
		sent += 1000 * ms
		a.clock.Set(sent)
		a.ap.FromGateway(frame(macs[0], gatewayMAC, server, byte(2*i)), packet.Lineage{})
		a.ap.FromGateway(frame(macs[0], gatewayMAC, server, byte(2*i+1)), packet.Lineage{})
		a.ap.FromGateway(frame(macs[1], gatewayMAC, server, byte(i)), packet.Lineage{})
		a.clock.Advance(sent + 99*ms)
		if len(a.stations[0]) != 2*i || len(a.stations[1]) != i+1 {
			t.Fatalf("after 99 ms: %d and %d frames, want %d and %d", len(a.stations[0]), len(a.stations[1]), 2*i, i+1)
		}
		a.clock.Advance(sent + 200*ms)
		if len(a.stations[0]) == 2*i+2 {
			short++
		}
		a.clock.Advance(sent + 400*ms)
		if len(a.stations[0]) != 2*i+2 {
			t.Fatalf("after 400 ms: %d frames, want %d", len(a.stations[0]), 2*i+2)
		}
	}
	for i, number := range a.stations[0] {
		if number != byte(i) {
			t.Fatalf("frame %d is number %d", i, number)
		}
	}
	if short < n*2/5-40 || short > n/2+40 {
		t.Errorf("%d of %d within 200 ms", short, n)
	}
	a.ap.FromStation(0, frame(gatewayMAC, macs[0], stationA, 1))
	a.ap.FromGateway(frame(macs[0], gatewayMAC, server, 9), packet.Lineage{})
	a.clock.Fire()
	if a.stations[0][len(a.stations[0])-1] != 9 {
		t.Error("a station that has just spoken did not hear")
	}
}

func TestLoss(t *testing.T) {
	a := newAir(t, accesspoint.Medium{Loss: 0.25})
	const n = 4000
	for i := range n {
		a.ap.FromStation(0, frame(gatewayMAC, macs[0], stationA, byte(i)))
		a.ap.FromGateway(frame(macs[0], gatewayMAC, server, byte(i)), packet.Lineage{Row: 1})
	}
	lost := int(a.ap.Drops().Air)
	if lost < 2*n/4-200 || lost > 2*n/4+200 {
		t.Errorf("%d of %d lost at a quarter", lost, 2*n)
	}
	reported := 0
	for _, l := range a.downlink {
		if l {
			reported++
		}
	}
	if len(a.downlink) != n || reported != n-len(a.stations[0]) || len(a.up)+len(a.stations[0])+lost != 2*n {
		t.Errorf("%d downlink reports, %d of them losses, %d delivered", len(a.downlink), reported, len(a.stations[0]))
	}
}

func FuzzAccessPoint(f *testing.F) {
	f.Add(frame(gatewayMAC, macs[0], stationA, 1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		a := newAir(t, accesspoint.Medium{})
		a.ap.FromStation(0, append([]byte(nil), b...))
		for _, p := range a.up { // nothing gets by that bears another's source address
			if len(p.Data) >= 34 && binary.BigEndian.Uint16(p.Data[12:]) == 0x0800 {
				s := netip.AddrFrom4([4]byte(p.Data[26:30]))
				if s != stationA && !s.IsUnspecified() && !s.IsLinkLocalUnicast() {
					t.Fatalf("source %v", s)
				}
			}
		}
		a.ap.FromGateway(append([]byte(nil), b...), packet.Lineage{})
	})
}

// A frame for all is in the air once for those that listen, and once after the beacon for those that doze; nobody's frames change
// their order.
func TestFloods(t *testing.T) {
	a := newAir(t, accesspoint.Medium{Delay: 5, Jitter: 40, Beacon: 1000, AwakeNs: 300})
	heard := func(want0, want1 string, when string) {
		t.Helper()
		if string(a.stations[0]) != want0 || string(a.stations[1]) != want1 {
			t.Fatalf("%s: %q and %q", when, a.stations[0], a.stations[1])
		}
	}
	a.clock.Set(100)
	for _, i := range []int{0, 1} { // both are awake for a while
		a.ap.FromStation(i, frame(gatewayMAC, macs[i], [2]netip.Addr{stationA, stationB}[i], 'u'))
	}
	a.clock.Advance(150)
	timers := a.clock.Pending()
	a.ap.FromGateway(frame(broadcast, gatewayMAC, server, 'a'), packet.Lineage{})
	if n := a.clock.Pending() - timers; n != 1 {
		t.Errorf("%d timers for a frame that both hear", n)
	}
	a.clock.Advance(200)
	heard("a", "a", "both awake")
	a.ap.FromStation(0, frame(gatewayMAC, macs[0], stationA, 'u')) // station 0 stays awake, station 1 dozes off
	a.clock.Advance(505)
	a.ap.FromGateway(frame(macs[1], gatewayMAC, server, 'b'), packet.Lineage{}) // waits for the beacon
	a.ap.FromGateway(frame(broadcast, gatewayMAC, server, 'c'), packet.Lineage{})
	a.clock.Advance(999)
	heard("ac", "a", "before the beacon")
	a.clock.Advance(2000)
	heard("ac", "abc", "after the beacon")
}
