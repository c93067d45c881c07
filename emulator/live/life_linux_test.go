package live

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live/cloud"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// roles counts the frames of an event by their role.
func roles(frames []frame, event int64) map[packet.Role]int {
	n := make(map[packet.Role]int)
	for _, f := range frames {
		if f.lineage.Event == event {
			n[f.lineage.Role]++
		}
	}
	return n
}

// restart closes the clouds, with all their connections, and opens them again.
func (h *home) restart() {
	h.t.Helper()
	check(h.t, h.cloud.Close())
	h.openCloud()
}

func only(p *profile.Profile, names ...string) *profile.Profile {
	q := *p
	q.Services = nil
	for _, name := range names {
		q.Services = append(q.Services, *p.Service(name))
	}
	return &q
}

// A connection that the server closes while nothing is said is opened again by the device, by itself; what is said next
// succeeds on it. The reconnect belongs to the event of the boot.
func TestReconnectsWhenTheServerCloses(t *testing.T) {
	for _, service := range []string{"old", "new", "bare"} {
		t.Run(service, func(t *testing.T) {
			p := only(everything(), service)
			h := newHome(t, 1500, p)
			host := h.host(0, p)
			h.boot(host, 1)
			h.perform(host, h.say("talk", service, false, up(12), down(20)), 2)
			h.restart()
			deadline := time.Now().Add(10 * time.Second)
			for roles(h.frames(), 1)[packet.RoleReconnect] < 2 {
				if time.Now().After(deadline) {
					t.Fatalf("no reconnect: %v", roles(h.frames(), 1))
				}
			}
			time.Sleep(300 * time.Millisecond) // the log-in
			h.perform(host, h.say("talk", service, false, up(12), down(20)), 3)
			if r := roles(h.frames(), 3); r[packet.RoleReconnect] != 0 || r[packet.RoleData] != 2 {
				t.Errorf("what was said after the reconnect has the roles %v", r)
			}
		})
	}
}

// An exchange that is under way when the connection breaks fails; the next one succeeds.
func TestPendingExchangeFails(t *testing.T) {
	p := only(everything(), "old")
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	h.boot(host, 1)
	broken := make(chan string, 1)
	act := h.say("talk", "old", false, up(12), script.Message{Dir: profile.Down, Size: 20, Wait: 20e9})
	host.Perform(h.ctx, act, 2, func(outcome string, _ int64) { broken <- outcome })
	time.Sleep(200 * time.Millisecond)
	h.restart()
	select {
	case o := <-broken:
		if o != "failed" {
			t.Errorf("the pending exchange: %s", o)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the pending exchange does not end")
	}
	h.perform(host, h.say("talk", "old", false, up(12), down(20)), 3)
	if r := roles(h.frames(), 1); r[packet.RoleReconnect] < 2 {
		t.Errorf("roles of the boot: %v", r)
	}
}

// A host that is closed ends whatever it does, though nobody cancelled it, and leaves no goroutine and no descriptor.
func TestCloseLeavesNothing(t *testing.T) {
	needNamespaces(t)
	before := -1
	for range 3 { // the first round opens what the runtime keeps
		p := everything()
		h := newHome(t, 1500, p)
		host := h.host(0, p)
		h.boot(host, 1)
		for i, s := range []string{"old", "new", "bare", "media"} { // under way, and waiting behind it
			for range 2 {
				host.Perform(h.ctx, h.say("talk", s, false, up(20), script.Message{Dir: profile.Down, Size: 20, Wait: 3600e9}), int64(i+2), func(string, int64) {})
			}
		}
		for _, s := range []string{"call", "once", "web"} {
			host.Perform(h.ctx, h.say("talk", s, true, up(200), script.Message{Dir: profile.Down, Size: 200, Wait: 3600e9}), 9, func(string, int64) {})
		}
		later := h.say("talk", "once", true, up(20))
		later.At += 3600e9
		host.Perform(h.ctx, later, 10, func(string, int64) {})
		time.Sleep(100 * time.Millisecond)
		closed := make(chan struct{})
		go func() {
			_ = host.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(5 * time.Second):
			h.cancel()
			t.Fatal("Close waits for what nobody will end")
		}
		h.frames()
		h.Close()
		goleak.VerifyNone(t)
		if after := descriptors(t); before >= 0 && after > before {
			t.Errorf("%d descriptors are open, %d were", after, before)
		}
		before = descriptors(t)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	runtime.GC()
	return len(must(os.ReadDir("/proc/self/fd"))(t))
}

// A connection whose first bytes name no session is closed.
func TestUnknownTokenIsTurnedAway(t *testing.T) {
	p := only(everything(), "bare")
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	for _, first := range []string{"\xff0123456789abcdef", "\x16\x03\x01\x00\x05hello", "GET /nothing HTTP/1.1\r\n\r\n"} {
		remote := netip.AddrPortFrom(h.config.Names["c.cloud.example"], 9000)
		raw, flow, err := host.dial(h.ctx, packet.ProtoTCP, remote, packet.Tag{Event: 5}, false)
		check(t, err)
		c := truth.NewStreamConn(raw, flow, packet.Up, packet.Tag{Event: 5, Role: packet.RoleData})
		_, err = c.Write([]byte(first))
		check(t, err)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q: the server waits", first)
		}
		_ = c.Close()
	}
	h.frames()
}

// Ports come round again; those of connections that still live are passed over, and keep their owner.
func TestPortsOfLivingFlowsArePassedOver(t *testing.T) {
	p := only(everything(), "bare", "media")
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	h.boot(host, 1)
	h.perform(host, h.say("talk", "bare", false, up(20)), 2)
	h.perform(host, h.say("talk", "media", false, up(20)), 3)
	taken := map[string]uint16{}
	for _, f := range h.frames() {
		switch key, _, _ := truth.ParseKey(f.ip, f.dir); f.lineage.Event {
		case 2:
			taken["bare"] = key.DevicePort
		case 3:
			taken["media"] = key.DevicePort
		}
	}
	for service, port := range taken {
		host.mu.Lock()
		host.nextPort = port
		host.mu.Unlock()
		h.perform(host, h.say("visit", service, true, up(20), down(20)), 10)
		h.perform(host, h.say("talk", service, false, up(20), down(20)), int64(port))
		if r := roles(h.frames(), int64(port)); r[packet.RoleData] != 2 {
			t.Errorf("%s: after another connection wanted its port, the lasting one said %v", service, r)
		}
	}
}

// A stream of any length needs no memory of its own.
func TestBulk(t *testing.T) {
	size := 64 << 20
	if testing.Short() {
		size = 8 << 20
	}
	p := only(everything(), "bare")
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	h.boot(host, 1)
	h.frames()
	h.mu.Lock()
	h.quiet = true
	h.mu.Unlock()
	for i, act := range []script.Activity{h.say("bulk", "bare", false, up(16), down(size)), h.say("bulk", "bare", false, up(size), down(16))} {
		var m [2]runtime.MemStats
		runtime.ReadMemStats(&m[0])
		began := time.Now()
		act.At = h.clock.Now()
		h.perform(host, act, int64(2+i))
		took := time.Since(began)
		runtime.ReadMemStats(&m[1])
		t.Logf("%d MiB in %s: %.2f Gbit/s, %d KiB allocated", size>>20, took, float64(size)*8/float64(took), (m[1].TotalAlloc-m[0].TotalAlloc)>>10)
		if got := m[1].TotalAlloc - m[0].TotalAlloc; got > 4<<20 {
			t.Errorf("%d bytes were allocated for %d", got, size)
		}
		h.mu.Lock()
		if n, least := h.count[1-i], int64(size/1460); n < least { // fewer would be super-packets, that no wire carries
			t.Errorf("%d frames carried %d bytes", n, size)
		}
		h.mu.Unlock()
	}
	h.frames()
}

// Whatever is lost, each retransmission has its owner and its event, and every exchange ends well.
func TestLossIsAttributed(t *testing.T) {
	p := everything()
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	h.boot(host, 1)
	n := 0
	h.mu.Lock()
	h.drop = func(_ int8, ip []byte) bool { // handshakes take seconds to recover: they are spared
		if len(ip) < 200 {
			return false
		}
		n++
		return n%9 == 0
	}
	h.mu.Unlock()
	for i, service := range []string{"old", "new", "bare"} {
		h.perform(host, h.say("talk", service, false, up(30_000), down(30_000), up(500), down(500)), int64(2+i))
		if r := roles(h.frames(), int64(2+i)); r[packet.RoleRetransmission] == 0 {
			t.Errorf("%s: %v", service, r)
		}
	}
	h.mu.Lock()
	n = 8 // the next one is lost
	h.mu.Unlock()
	h.perform(host, h.say("talk", "media", false, up(300), up(301), down(300)), 9)
	h.frames()
}

// Flows that are over leave nothing behind.
func TestLastingFlowsAreForgotten(t *testing.T) {
	p := only(everything(), "media", "call")
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	h.boot(host, 1)
	for range 5 {
		h.perform(host, h.say("talk", "call", true, up(40), down(40)), 2)
	}
	if n := h.sessions.Lasting(); n != 1 {
		t.Errorf("%d flows are remembered, one lasts", n)
	}
	_ = host.Close()
	if n := h.sessions.Lasting(); n != 0 {
		t.Errorf("%d flows are remembered, none lasts", n)
	}
}

// Strangers call at the home by TCP and by UDP; nobody in the home has a part in it.
func TestStrangers(t *testing.T) {
	p := only(everything(), "bare")
	h := newHome(t, 1500, p)
	h.host(0, p)
	ctx, cancel := context.WithTimeout(h.ctx, 2500*time.Millisecond)
	defer cancel()
	cloud.SendUnsolicited(ctx, cloud.UnsolicitedConfig{NS: h.inet, Clock: h.clock, Target: addrOf(0), Rate: 3600e6 * 50, Seed: 3})
	h.mu.Lock()
	defer h.mu.Unlock()
	kinds := make(map[uint8]int)
	for _, f := range h.seen {
		if f.ok {
			t.Errorf("a stranger's packet is attributed: %s", &f)
		}
		if f.dir == packet.Down {
			kinds[f.ip[9]]++
		}
		if src := netip.AddrFrom4([4]byte(f.ip[12:16])); f.dir == packet.Down && !anyIP.Contains(src) {
			t.Errorf("a stranger from %s", src)
		}
	}
	if kinds[packet.ProtoTCP] == 0 || kinds[packet.ProtoUDP] == 0 {
		t.Errorf("strangers by protocol: %v", kinds)
	}
}
