package station_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/learn"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/framestest"
	"glasshouse/testbed/frames/station"
)

const start = framestest.Start

// learnFrom learns from packets, and loads what was learned.
func learnFrom(t *testing.T, file []byte, o frames.Station, name string) *learn.Result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	trace, err := station.Trace(path, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := learn.Learn(trace, learn.Options{Device: name, Source: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := catalogue.Parse("x.yaml", r.YAML); err != nil {
		t.Fatalf("%v\n%s", err, r.YAML)
	}
	return r
}

func doubts(r *learn.Result) string {
	var all strings.Builder
	for _, d := range r.Doubts {
		all.WriteString(d.Why + "\n")
	}
	return all.String()
}

func shapes(r *learn.Result) (out []string) {
	for _, a := range r.Activities {
		out = append(out, a.Shape)
	}
	slices.Sort(out)
	return out
}

// What a capture is odd in does not change what is learned, or is told.
func TestLearnFromOddCaptures(t *testing.T) {
	byMAC, byAddr := frames.Station{MAC: framestest.Device}, frames.Station{Addr: framestest.Address}
	datagrams := framestest.NewFlow().Datagrams(start, 10e9, 20, 100, 48)
	twice := slices.Clone(datagrams)
	for _, p := range datagrams {
		p.At += 4000
		twice = append(twice, p)
	}
	slices.SortStableFunc(twice, func(a, b framestest.Packet) int { return int(a.At - b.At) })
	another := framestest.NewFlow() // has the lease later
	another.MAC = [6]byte{2, 0, 0, 0, 0, 0x22}
	lease := append(slices.Clone(datagrams), another.Datagrams(start+200e9, 10e9, 20, 333, 48)...)
	behind := slices.Clone(datagrams)
	for i, size := range []int{222, 333} {
		f := framestest.NewFlow()
		f.Near, f.Far = netip.AddrFrom4([4]byte{192, 168, 50, byte(11 + i)}), netip.AddrFrom4([4]byte{203, 0, 113, byte(81 + i)})
		behind = append(behind, f.Datagrams(start+1e6, 10e9, 20, size, 48)...)
	}
	slices.SortStableFunc(behind, func(a, b framestest.Packet) int { return int(a.At - b.At) })
	six := framestest.NewFlow()
	six.Near, six.Far = netip.MustParseAddr("2001:db8:1::10"), netip.MustParseAddr("2001:67c:1::80")
	dual := append(slices.Clone(datagrams), six.Datagrams(start+3e9, 10e9, 20, 200, 90)...)
	slices.SortStableFunc(dual, func(a, b framestest.Packet) int { return int(a.At - b.At) })
	back := framestest.Plain()
	for i := 33; i < len(back); i++ {
		back[i].At -= 3600e9
	}
	day := int64(24 * 3600e9)
	apart := framestest.NewFlow().Datagrams(start, 700e9, 3, 100, 48)
	apart = append(apart, framestest.NewFlow().Datagrams(start+60*day, 955e9, 3, 100, 48)...)
	var large []framestest.Packet // datagrams of three fragments, every other one with the last fragment first
	for i, p := range framestest.NewFlow().Datagrams(start, 10e9, 20, 3000, 48) {
		parts := framestest.Fragments(p, 1480)
		if i%4 == 0 {
			slices.Reverse(parts)
			for k := range parts {
				parts[k].At = p.At + int64(k)
			}
		}
		large = append(large, parts...)
	}
	lone := append(slices.Clone(datagrams), framestest.Fragments(framestest.NewFlow().UDP(start+205e9, true, 3000), 1480)[1:]...)
	old := slices.Clone(datagrams)
	for i := range old {
		old[i].At -= start
	}
	for _, c := range []struct {
		name    string
		packets []framestest.Packet
		link    uint16
		who     frames.Station
		shapes  string
		doubt   string // "" = none but those of a short capture
		left    frames.LeftOut
		count   int
	}{
		{"plain", framestest.Plain(), 1, byMAC, ">120 <60", "", nil, 63},
		{"by its address", framestest.Plain(), 1, byAddr, ">120 <60", "", nil, 63},
		{"cooked, by MAC", framestest.Plain(), framestest.LinkSLL, byMAC, ">120 <60", "", nil, 63},
		{"cooked 2, by MAC", framestest.Plain(), framestest.LinkSLL2, byMAC, ">120 <60", "", nil, 63},
		{"raw IP", framestest.Plain(), framestest.LinkRaw, byAddr, ">120 <60", "", nil, 63},
		{"mirrored twice", twice, 1, byMAC, ">100 <48", "mirrored twice", frames.LeftOut{frames.Copy: 40}, 40},
		{"a lease that changed hands", lease, 1, byAddr, ">100 <48|>333 <48", "2 MAC addresses used 192.168.50.10", nil, 80},
		{"a repeater", behind, 1, byMAC, ">100 <48|>222 <48|>333 <48", "3 IPv4 addresses at once", nil, 120},
		{"a repeater, by address", behind, 1, byAddr, ">100 <48", "", frames.LeftOut{frames.OtherDevice: 80}, 40},
		{"dual stack", dual, 1, byMAC, ">100 <48|>200 <90", "40 of its 80 packets are IPv6", nil, 80},
		{"dual stack, by address", dual, 1, byAddr, ">100 <48", "IPv6 are left out", frames.LeftOut{frames.IPv6: 40}, 40},
		{"a clock that was set back", back, 1, byMAC, ">120 <60", "times go back 1 times", nil, 63},
		{"two recordings", apart, 1, byMAC, ">100 <48", "hole in the recording", nil, 12},
		{"fragments", large, 1, byMAC, ">3000 <48", "datagrams of 3000 bytes", nil, 40},
		{"a fragment alone", lone, 1, byMAC, ">100 <48", "", frames.LeftOut{frames.LoneFragment: 2}, 40},
		{"1970", old, 1, byMAC, ">100 <48", "the clock of what captured was not set", nil, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := learnFrom(t, framestest.Pcap(c.link, c.packets), c.who, "learned-device")
			if got := strings.Join(shapes(r), "|"); got != c.shapes || r.Packets != c.count {
				t.Errorf("%s of %d packets, want %s of %d", got, r.Packets, c.shapes, c.count)
			}
			for reason, n := range c.left {
				if r.LeftOut[reason] != n {
					t.Errorf("left out %v, want %v", r.LeftOut, c.left)
				}
			}
			if got := frames.LeftOut(r.LeftOut); got.Total() != c.left.Total() {
				t.Errorf("left out %v, want %v", got, c.left)
			}
			if all := doubts(r); c.doubt != "" && !strings.Contains(all, c.doubt) {
				t.Errorf("no doubt of %q in\n%s", c.doubt, all)
			} else if c.doubt == "" && (strings.Contains(all, "address") || strings.Contains(all, "times go")) {
				t.Errorf("doubts without a reason:\n%s", all)
			}
		})
	}
}

// What stays in the home is not learned, and is counted.
func TestLearnCountsWhatStaysLocal(t *testing.T) {
	local := framestest.NewFlow()
	local.Far = netip.MustParseAddr("192.168.50.1")
	packets := append(framestest.Plain(), local.Datagrams(start+1e9, 10e9, 15, 50, 50)...)
	slices.SortStableFunc(packets, func(a, b framestest.Packet) int { return int(a.At - b.At) })
	r := learnFrom(t, framestest.Pcap(1, packets), frames.Station{MAC: framestest.Device}, "lamp")
	if r.LeftOut[learn.LeftLocal] != 30 || r.Explained < 0.99 {
		t.Errorf("%v, %.2f", r.LeftOut, r.Explained)
	}
}

// A segment that the network card was still to cut has the length of its frame.
func TestLearnLengthLeftToTheCard(t *testing.T) {
	packets := framestest.Plain()
	for i := range packets {
		if len(packets[i].IP) > 100 {
			binary.BigEndian.PutUint16(packets[i].IP[2:], 0)
		}
	}
	r := learnFrom(t, framestest.Pcap(1, packets), frames.Station{MAC: framestest.Device}, "lamp")
	if got := strings.Join(shapes(r), "|"); got != ">120 <60" || len(r.LeftOut) > 0 {
		t.Errorf("%s, left out %v", got, r.LeftOut)
	}
}

// No host of a learned profile has the device's name in it, whatever the name: the profile is valid.
func TestLearnHidesTheName(t *testing.T) {
	packets := framestest.Plain()
	for i := range int64(3) { // and NTP, and pings
		ntp := framestest.NewFlow()
		ntp.Far, ntp.Port = netip.MustParseAddr("203.0.113.123"), 123
		packets = append(packets, ntp.UDP(start+20e9+i*60e9, true, 48), ntp.UDP(start+20e9+i*60e9+20e6, false, 48))
	}
	slices.SortStableFunc(packets, func(a, b framestest.Packet) int { return int(a.At - b.At) })
	for _, name := range []string{"net", "host", "e", "example", "a", "pool", "ntp", "org", "host-1", "t"} {
		learnFrom(t, framestest.Pcap(1, packets), frames.Station{MAC: framestest.Device}, name)
	}
}
