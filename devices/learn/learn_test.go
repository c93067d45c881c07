package learn

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
)

const second = int64(time.Second)

var cloud = netip.MustParseAddr("203.0.113.7")

// conversation makes traces packet by packet.
type conversation struct {
	t    Trace
	at   int64
	port uint16
	seq  [2]uint32
}

func (c *conversation) send(after int64, up bool, payload int, flags uint8) {
	c.at += after
	d := 1
	if up {
		d = 0
	}
	c.t.Packets = append(c.t.Packets, Packet{
		At: c.at, Up: up, Length: 54 + payload, Proto: 6, Remote: cloud, LocalPort: c.port, RemotePort: 1883, Payload: payload,
		Flags: flags, Seq: c.seq[d], TTL: 255,
	})
	c.seq[d] += uint32(payload)
	if flags&flagSYN != 0 {
		c.t.Packets[len(c.t.Packets)-1].MSS = 1436
		c.seq[d]++
	}
}

func (c *conversation) open() {
	c.port++
	c.send(second, true, 0, flagSYN)
	c.send(40e6, false, 0, flagSYN|flagACK)
	c.send(1e6, true, 0, flagACK)
	c.send(10e6, true, 224, flagACK)
	c.send(45e6, false, 33, flagACK)
}

// beat is a minute's: a ping, its answer, and an acknowledgement.
func (c *conversation) beat(r *rand.Rand) {
	next := (c.at/(60*second)+1)*60*second + r.Int64N(8e6) - 4e6
	c.send(next-c.at, true, 31, flagACK)
	c.send(42e6+r.Int64N(4e6), false, 31, flagACK)
	c.send(30e6, true, 0, flagACK)
}

func minutes(n int) *Trace {
	c := &conversation{t: Trace{MAC: [6]byte{0x24, 0x6f, 0x28, 1, 2, 3}, Names: map[netip.Addr]string{cloud: "broker.example.net"}}}
	r := rand.New(rand.NewPCG(1, 2))
	c.open()
	for i := range n {
		if i%250 == 249 {
			c.open()
		}
		c.beat(r)
	}
	return &c.t
}

func TestHeartbeatIsLearned(t *testing.T) {
	r, err := Learn(minutes(800), Options{Device: "lamp", Source: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := catalogue.Parse("lamp.yaml", r.YAML)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.YAML)
	}
	if refs, err := catalogue.Citations(p); err != nil || len(refs) != 1 || refs[0].File != "a test" {
		t.Errorf("the profile cites %v (%v), want the capture", refs, err)
	}
	s := p.Services[0]
	if s.Host != "broker.example.net" || s.Port != 1883 || !s.Lasting || len(s.Login.Messages) != 2 ||
		s.Login.Messages[0].Size.Min != 224 || s.Login.Messages[1].Size.Max != 33 {
		t.Errorf("%+v", s)
	}
	if p.Stack.TTL != 255 || p.Stack.MSS != 1436 || p.Stack.TCPTimestamps {
		t.Errorf("%+v", p.Stack)
	}
	beat := p.Routine("heartbeat")
	if beat == nil {
		t.Fatalf("no heartbeat:\n%s", r.YAML)
	}
	if len(beat.Gaps) == 0 {
		if d := beat.Every.Min - 60*second; d < -1e6 || d > 1e6 || len(beat.Jitters) < 20 || beat.Jitters[1] > -2e6 || beat.Jitters[1] < -6e6 {
			t.Errorf("every %d, jitter %d %d", beat.Every.Min, beat.Jitter, beat.Jitters)
		}
	}
	m := beat.Steps[0].Messages
	if len(m) != 2 || m[0].Dir != profile.Up || m[0].Size != (draw.Range{Min: 31, Max: 31}) || m[1].Dir != profile.Down || m[1].Size.Min != 31 {
		t.Errorf("%+v", m)
	}
	if p.Routine("reopen") == nil || p.Routine("reopen").Steps[0].Op != profile.OpReconnect {
		t.Errorf("four openings were not learned:\n%s", r.YAML)
	}
	if r.Explained < 0.99 {
		t.Errorf("%.2f of the messages are explained", r.Explained)
	}
	again, err := Learn(minutes(800), Options{Device: "lamp", Source: "a test"})
	if err != nil || !bytes.Equal(again.YAML, r.YAML) {
		t.Errorf("the same packets gave another profile: %v", err)
	}
}

// What it cannot know it says.
func TestDoubts(t *testing.T) {
	r, err := Learn(minutes(3), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, d := range r.Doubts {
		all.WriteString(d.About + ": " + d.Why + "\n")
	}
	for _, want := range []string{"the capture lasts 2m59s", "heartbeat: seen 3 times only"} {
		if !strings.Contains(all.String(), want) || !bytes.Contains(r.YAML, []byte("# Not sure of "+strings.SplitN(want, ":", 2)[0][:3])) && want[0] == 'h' {
			t.Errorf("no doubt %q in\n%s", want, all.String())
		}
	}
	if _, err := Learn(&Trace{}, Options{}); err == nil {
		t.Error("something was learned from nothing")
	}
}

// A single long silence does not make a device slow: the mean of the gaps is kept.
func TestQuantilesKeepTheMean(t *testing.T) {
	var gaps []int64
	for i := range 197 {
		gaps = append(gaps, 60*second+int64(i%7)*1e6)
	}
	gaps = append(gaps, 7200*second, 300*second, 120*second)
	r := rhythmOf(gaps)
	sum, mean := int64(0), int64(0)
	for i := 1; i < len(r.Gaps); i++ {
		sum += (r.Gaps[i-1] + r.Gaps[i]) / 2
	}
	for _, g := range gaps {
		mean += g / int64(len(gaps))
	}
	got := sum / int64(len(r.Gaps)-1)
	if d := float64(got-mean) / float64(mean); d < -0.2 || d > 0.2 {
		t.Errorf("mean %.1f s of the quantiles, %.1f s of the gaps", float64(got)/1e9, float64(mean)/1e9)
	}
}

// Whatever packets there are, the outcome is an error or a profile that can be loaded.
func FuzzLearn(f *testing.F) {
	f.Add([]byte("a few bytes that stand for packets, ten of them a packet, and some more of them"))
	f.Add(bytes.Repeat([]byte{1, 6, 0, 31, 16, 9, 9, 1, 2, 3, 0, 6, 0, 31, 16, 9, 9, 1, 2, 3}, 40))
	f.Add(bytes.Repeat([]byte{1, 17, 0, 31, 0, 9, 9, 100, 2, 3}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := &Trace{Names: map[netip.Addr]string{cloud: "a.example.net"}}
		at := int64(0)
		for ; len(b) >= 10; b = b[10:] {
			at += int64(binary.LittleEndian.Uint16(b[6:])) * 20e6
			remote := cloud
			if b[0]&2 != 0 {
				remote = netip.AddrFrom4([4]byte{224, 0, 0, b[9] & 3})
			}
			p := Packet{
				At: at, Up: b[0]&1 != 0, Proto: b[1], Remote: remote, RemotePort: uint16(b[8]), LocalPort: uint16(b[9] & 3),
				Payload: int(binary.BigEndian.Uint16(b[2:])), Flags: b[4], Seq: uint32(b[5]) << 8, TTL: b[5], App: App(b[9] % 5),
			}
			tr.Packets = append(tr.Packets, p)
			if b[0]&4 != 0 {
				tr.Lookups, tr.Times = append(tr.Lookups, Lookup{At: at}), append(tr.Times, at)
			}
		}
		r, err := Learn(tr, Options{Source: string(b)})
		if err != nil {
			return
		}
		if _, err := catalogue.Parse("learned.yaml", r.YAML); err != nil {
			t.Fatalf("%v\n%s", err, r.YAML)
		}
	})
}

// Beats that are mostly on time and sometimes late have a sharp middle in their table, and what is drawn from it has the gaps that
// were seen; iid gaps keep no grid.
func TestLatenessOfBeats(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var gaps []int64
	last, late := int64(0), 0
	for i := range int64(2000) {
		at := i*60e9 + r.Int64N(50e3)
		if r.IntN(10) < 4 {
			at += r.Int64N(10e6)
			late++
		}
		if i > 0 {
			gaps = append(gaps, at-last)
		}
		last = at
	}
	x := rhythmOf(gaps)
	if x.Late == nil || x.Gaps != nil {
		t.Fatalf("%+v", x)
	}
	n := len(x.Late)
	if core := x.Late[n/2] - x.Late[n/10]; core > 200e3 {
		t.Errorf("the middle of the table is %d ns wide: %v", core, x.Late)
	}
	if top := x.Late[n-1]; top < 8e6 || top > 11e6 {
		t.Errorf("latest %d: %v", top, x.Late)
	}
	for i := range gaps {
		gaps[i] = 60e9 + r.Int64N(10e6)
	}
	if x := rhythmOf(gaps); x.Late != nil || x.Gaps == nil {
		t.Errorf("gaps that are drawn one by one were learned as beats on a grid: %+v", x)
	}
}

// Beats that are late in company are drawn so, and those that are late by themselves have no chain.
func TestChainsAreLearned(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	gapsOf := func(stay float64) []int64 {
		var gaps []int64
		last, late := int64(0), false
		for i := range int64(3000) {
			if r.Float64() > stay {
				late = r.IntN(2) == 0
			}
			at := i*60e9 + r.Int64N(100e3)
			if late {
				at += 5e6 + r.Int64N(5e6)
			}
			if i > 0 {
				gaps = append(gaps, at-last)
			}
			last = at
		}
		return gaps
	}
	if x := rhythmOf(gapsOf(0)); x.Next != nil {
		t.Errorf("a chain of beats that are late by themselves: %v", x.Next)
	}
	values := make([]int64, 2000) // stretches of short and of long gaps
	for i := range values {
		values[i] = 10e9 + r.Int64N(1e9) + int64(i/20%2)*30e9
	}
	x := rhythmOf(values)
	if len(x.Gaps) == 0 || len(x.Next) != fineStates {
		t.Fatalf("no chain in %+v", x)
	}
	var stays, leaves int64
	for i, row := range x.Next {
		for j, w := range row {
			if i/4 == j/4 {
				stays += w
			} else {
				leaves += w
			}
		}
	}
	if stays < 15*leaves {
		t.Errorf("%d gaps are like the one before, %d are not: %v", stays, leaves, x.Next)
	}
}
