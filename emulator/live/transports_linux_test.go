package live

import (
	"bytes"
	"slices"
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/draw"
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// everything is a device that speaks every transport.
func everything() *profile.Profile {
	latency := draw.Range{Min: 1e6, Max: 1e6}
	login := profile.Login{Up: 100, Down: 80}
	one := draw.Range{Min: 1, Max: 1}
	greeting := profile.Login{Messages: []profile.Item{
		{Dir: profile.Down, Size: draw.Range{Min: 29, Max: 29}, Repeat: one},
		{Dir: profile.Up, Size: draw.Range{Min: 8, Max: 8}, Repeat: one},
		{Dir: profile.Down, Size: draw.Range{Min: 45, Max: 45}, Repeat: one},
	}}
	return &profile.Profile{
		Device: "kitchen-scale", Stack: profile.Stack{TTL: 64, MSS: 1460},
		Services: []profile.Service{
			{Name: "old", Host: "a.cloud.example", Port: 443, Transport: profile.TransportTLS12, Lasting: true, Login: login, Latency: latency},
			{Name: "new", Host: "b.cloud.example", Port: 8443, Transport: profile.TransportTLS13, Lasting: true, Login: login, Latency: latency},
			{Name: "bare", Host: "c.cloud.example", Port: 9000, Transport: profile.TransportTCP, Lasting: true, Login: login, Latency: latency},
			{Name: "greeter", Host: "l.cloud.example", Port: 9001, Transport: profile.TransportTCP, Lasting: true, Login: greeting, Latency: latency},
			{Name: "greeter12", Host: "m.cloud.example", Port: 9002, Transport: profile.TransportTLS12, Lasting: true, Login: greeting, Latency: latency},
			{Name: "media", Host: "d.cloud.example", Port: 7000, Transport: profile.TransportUDP, Lasting: true, Login: login, Latency: latency},
			{Name: "call", Host: "e.cloud.example", Port: 7001, Transport: profile.TransportUDP, Latency: latency},
			{Name: "once", Host: "f.cloud.example", Port: 443, Transport: profile.TransportTLS12, Latency: latency},
			{Name: "once13", Host: "f.cloud.example", Port: 8443, Transport: profile.TransportTLS13, Latency: latency},
			{Name: "web", Host: "g.cloud.example", Port: 80, Transport: profile.TransportHTTP, Latency: latency},
			{Name: "pages", Host: "i.cloud.example", Port: 443, Transport: profile.TransportH2, Latency: latency},
			{Name: "broker", Host: "j.cloud.example", Port: 1883, Transport: profile.TransportMQTT, Lasting: true, Login: profile.Login{Up: 90, Down: 60}, Latency: latency},
			{Name: "swift", Host: "k.cloud.example", Port: 443, Transport: profile.TransportQUIC, Latency: latency},
			{Name: "time", Host: "time.cloud.example", Port: 123, Transport: profile.TransportNTP},
			{Name: "echo", Host: "h.cloud.example", Transport: profile.TransportICMP},
			{Name: "view", Host: profile.HostPeer, Port: 6000, Transport: profile.TransportLAN, Latency: latency},
			{Name: "shout", Host: profile.HostBroadcast, Port: 6001, Transport: profile.TransportLAN},
		},
	}
}

// Every frame of every transport belongs, both ways, to the unit and the event that caused it, is no larger than a wire
// would carry, and holds no truth in clear bytes.
func TestEveryTransportIsAttributed(t *testing.T) {
	p := everything()
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	h.boot(host, 1)
	event := int64(1)
	do := func(act script.Activity) { t.Helper(); event++; h.perform(host, act, event) }
	for _, service := range []string{"old", "new", "bare", "greeter", "greeter12", "media", "broker"} {
		do(h.say("talk", service, false, up(40), down(300), up(1200), down(1400)))
	}
	do(h.say("push", "media", false, down(200), up(60)))                                // the far end speaks first
	do(script.Activity{Name: "reopen", At: h.clock.Now(), Exchanges: []script.Exchange{ // as scripted: not what the profile's log-in says
		{Op: profile.OpReconnect, Service: "greeter", Messages: []script.Message{down(70), up(20), down(40)}},
	}})
	do(h.say("talk", "greeter", false, up(40), down(300)))
	do(h.say("push", "old", false, down(200), up(60)))
	for _, service := range []string{"call", "once", "once13", "swift"} {
		do(h.say("visit", service, true, up(64), down(900), up(33), down(700)))
	}
	do(h.say("visit", "bare", true, up(64), down(40_000)))
	do(h.say("upload", "old", false, up(100_000), down(20)))
	do(h.say("browse", "web", true, up(300), down(5000), up(280), down(120)))
	do(h.say("browse", "pages", true, up(300), down(50_000), up(16_000), down(120)))
	do(h.say("upload", "swift", true, up(300), down(50_000), up(100_000)))
	do(h.say("ping", "broker", false, up(2), down(2), up(130), down(100_000)))
	do(script.Activity{Name: "ask", At: h.clock.Now(), Exchanges: []script.Exchange{
		{Op: profile.OpResolve, Service: "web"},
		{Op: profile.OpTimeSync, Service: "time"},
		{Op: profile.OpPing, Service: "echo", Messages: []script.Message{up(56), up(56)}},
	}})

	events := make(map[int64][2]int)
	sent := make(map[segment]bool)
	for _, f := range h.frames() {
		if f.lineage.Unit != 0 || f.size > 1514 {
			t.Errorf("unit %d, %d bytes", f.lineage.Unit, f.size)
		}
		n := events[f.lineage.Event]
		n[(1-f.dir)/2]++
		events[f.lineage.Event] = n
		for _, truth := range []string{"kitchen", "scale", "talk", "visit", "upload", "browse", "media", "login"} {
			if bytes.Contains(f.ip[20:], []byte(truth)) {
				t.Errorf("%q is readable: %s", truth, &f)
			}
		}
		// nothing is lost here, but a kernel that waits long for a busy machine probes: what it sends again was sent before
		if again := f.lineage.Role == packet.RoleRetransmission; f.lineage.Role == packet.RoleUnknown || again && !sent[segmentOf(&f)] {
			t.Errorf("role %s: %s", f.lineage.Role, &f)
		}
		sent[segmentOf(&f)] = true
	}
	for e := int64(1); e <= event; e++ {
		if n := events[e]; n[0] == 0 || n[1] == 0 {
			t.Errorf("event %d has %d frames up and %d down", e, n[0], n[1])
		}
	}
}

// segment names a TCP segment by its ends, and the first byte that it holds.
type segment struct {
	ends [12]byte
	seq  uint32
}

func segmentOf(f *frame) segment {
	l4 := f.ip[packet.IPv4(f.ip).HeaderLength():]
	if packet.IPv4(f.ip).Protocol() != packet.ProtoTCP {
		return segment{}
	}
	return segment{ends: [12]byte(append(append([]byte(nil), f.ip[12:20]...), l4[:4]...)), seq: packet.TCP(l4).SequenceNumber()}
}

// payloads returns the sizes of what one event sent each way above TCP or UDP, in order, without empty segments.
func payloads(frames []frame, event int64, role packet.Role, port uint16) (up, down []int) {
	for _, f := range frames {
		if f.lineage.Event != event || f.lineage.Role != role {
			continue
		}
		l4 := f.ip[packet.IPv4(f.ip).HeaderLength():]
		key, _, _ := truth.ParseKey(f.ip, f.dir)
		n := packet.IPv4(f.ip).TotalLength() - packet.IPv4(f.ip).HeaderLength()
		switch {
		case key.RemotePort != port:
			continue
		case key.Proto == packet.ProtoTCP:
			n -= packet.TCP(l4).DataOffset()
		case key.Proto == packet.ProtoUDP:
			n -= 8
		}
		if n == 0 {
			continue
		}
		if f.dir == packet.Up {
			up = append(up, n)
		} else {
			down = append(down, n)
		}
	}
	return up, down
}

// One message is one frame of its size and what its transport adds.
func TestMessagesHaveTheirSizes(t *testing.T) {
	p := everything()
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	h.boot(host, 1)
	event := int64(1)
	for _, c := range []struct {
		service string
		fresh   bool
		port    uint16
		over    int
	}{
		{"old", false, 443, 5 + 8 + 16},
		{"new", false, 8443, 5 + 1 + 16},
		{"bare", false, 9000, 0},
		{"media", false, 7000, 0},
		{"broker", false, 1883, 0},
		{"call", true, 7001, 0},
		{"once", true, 443, 5 + 8 + 16},
		{"once13", true, 8443, 5 + 1 + 16},
	} {
		event++
		h.perform(host, h.say("talk", c.service, c.fresh, up(40), down(300), up(17), down(1200)), event)
		u, d := payloads(h.frames(), event, packet.RoleData, c.port)
		if want := []int{40 + c.over, 17 + c.over}; !slices.Equal(u, want) {
			t.Errorf("%s: up %v, want %v", c.service, u, want)
		}
		if want := []int{300 + c.over, 1200 + c.over}; !slices.Equal(d, want) {
			t.Errorf("%s: down %v, want %v", c.service, d, want)
		}
	}
}

// A request and a response are never smaller than scripted, and hardly larger.
func TestHTTPHasItsSizes(t *testing.T) {
	p := everything()
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	for i, size := range []int{96, 103, 104, 105, 128, 150, 194, 195, 200, 400, 1000, 1094, 1095, 1096, 1400} {
		h.perform(host, h.say("browse", "web", true, up(max(size, 200)), down(size)), int64(i))
		u, d := payloads(h.frames(), int64(i), packet.RoleData, 80)
		if !slices.Equal(u, []int{max(size, 200)}) {
			t.Errorf("a request of %d bytes went as %v", max(size, 200), u)
		}
		if len(d) != 1 || d[0] < size || d[0] > size+1 {
			t.Errorf("a response of %d bytes came as %v", size, d)
		}
	}
}

// A lasting UDP service logs in when it is opened, as a stream does.
func TestDatagramsLogIn(t *testing.T) {
	p := everything()
	h := newHome(t, 1500, p)
	h.boot(h.host(0, p), 1)
	u, d := payloads(h.frames(), 1, packet.RoleData, 7000)
	if !slices.Equal(u, []int{100}) || !slices.Equal(d, []int{80}) {
		t.Errorf("the log-in was %v up and %v down, want [100] and [80]", u, d)
	}
}

// What stays on the LAN never reaches the internet; the household's phone answers there.
func TestLANStaysOnTheLAN(t *testing.T) {
	p := everything()
	h := newHome(t, 1500, p)
	host, phone := h.host(0, p), h.host(1, p)
	check(t, phone.ServeLAN(6000))
	host.SetPeer(phone)
	h.perform(host, h.say("view", "view", true, up(64), down(900), up(33)), 1)
	h.perform(host, h.say("shout", "shout", true, up(64)), 2)
	if frames := h.frames(); len(frames) > 0 {
		t.Errorf("%d frames crossed: %s", len(frames), &frames[0])
	}
}

// The paper's heartbeats: Echo Dot 95 bytes, Google Home 135 and 104.
func TestHeartbeatFrames(t *testing.T) {
	var profiles []*profile.Profile
	for _, name := range []string{"echo-dot", "google-home"} {
		profiles = append(profiles, must(catalogue.Load(name))(t))
	}
	h := newHome(t, 1500, profiles...)
	want := [][]int{{95}, {135, 104}}
	const every, beats = int64(20e6), 60
	var late []int64
	for i, p := range profiles {
		host := h.host(i, p)
		h.boot(host, int64(1000*i))
		exchange := heartbeat(t, p)
		first := h.clock.Now() + 100e6
		done := make(chan string, beats)
		for b := range int64(beats) {
			act := script.Activity{Name: "heartbeat", At: first + b*every, Exchanges: []script.Exchange{exchange}}
			host.Perform(h.ctx, act, int64(1000*i)+1+b, func(outcome string, _ int64) { done <- outcome })
		}
		for range beats {
			if o := <-done; o != "ok" {
				t.Errorf("%s: a heartbeat %s", p.Device, o)
			}
		}
		sizes := make(map[int64][]int)
		for _, f := range h.frames() {
			if b := f.lineage.Event - int64(1000*i) - 1; f.dir == packet.Up && f.lineage.Role == packet.RoleData && b >= 0 && b < beats {
				if len(sizes[b]) == 0 {
					late = append(late, f.at-(first+b*every))
				}
				sizes[b] = append(sizes[b], f.size)
			}
		}
		for b := range int64(beats) {
			if !slices.Equal(sizes[b], want[i]) {
				t.Errorf("%s: heartbeat %d in frames of %v bytes, want %v", p.Device, b, sizes[b], want[i])
			}
		}
	}
	slices.Sort(late)
	p50, p99 := late[len(late)/2], late[len(late)*99/100]
	t.Logf("%d heartbeats left late by p50 %d us, p99 %d us, max %d us", len(late), p50/1e3, p99/1e3, late[len(late)-1]/1e3)
	if late[0] < 0 || p50 > 5e6 {
		t.Errorf("heartbeats left %d ns (least), %d ns (median) after their time", late[0], p50)
	}
}

// heartbeat draws the exchange of a profile's heartbeat.
func heartbeat(t *testing.T, p *profile.Profile) script.Exchange {
	t.Helper()
	s := script.New(script.Specimen{Profile: p, Seed: 1}, script.Options{Duration: int64(3600e9)})
	for a, ok := s.Next(); ok; a, ok = s.Next() {
		if a.Name == "heartbeat" {
			return a.Exchanges[0]
		}
	}
	t.Fatalf("%s has no heartbeat", p.Device)
	return script.Exchange{}
}

// What a device with segments of its own writes is never joined, however much waits.
func TestApart(t *testing.T) {
	p := everything()
	p.Stack.Apart = true
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	h.boot(host, 1)
	var m []script.Message
	for range 60 {
		m = append(m, up(1413))
	}
	h.perform(host, h.say("burst", "bare", false, append(m, down(20))...), 2)
	sent, _ := payloads(h.frames(), 2, packet.RoleData, 9000)
	if len(sent) != 60 || slices.Min(sent) != 1413 || slices.Max(sent) != 1413 {
		t.Errorf("%d segments of %v", len(sent), sent)
	}
}
