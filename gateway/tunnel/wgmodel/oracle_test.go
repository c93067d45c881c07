package wgmodel

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/curve25519"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

// The model is held against wireguard-go itself, which runs in a bubble of virtual time over a link in memory. What the engine
// leaves to chance, the jitter of two timers, is read off its log and given to the model; all else must be equal to the
// nanosecond.

// passed is one packet that was sent, outside the tunnel, or delivered, inside it.
type passed struct {
	at   int64 // ns
	up   bool
	size int // of the UDP payload, or the inner packet
	id   int // of the inner packet
}

// sealing is one inner packet of a script.
type sealing struct {
	at   int64
	up   bool
	size int
}

// tunnelScript is what happens to a tunnel.
type tunnelScript struct {
	length    int64
	seals     []sealing
	seed      uint64
	bad       []badTime
	keepalive [2]time.Duration // of the client and the server
	known     bool             // the server knows where its client is
	reorders  bool             // the link
	again     int64            // after how long a second copy of everything arrives, ns; 0 = never
	held      [2]int64         // what should arrive up in between arrives at the end of it, ns
}

// badTime is a stretch of time in which the link loses packets.
type badTime struct {
	from, to int64
	loss     float64
	up, down bool
}

const ms = int64(time.Millisecond)

func pick(r *rand.Rand, lo, hi int64) int64 { return lo + r.Int64N(hi-lo) }

// randomScript fills a time with bursts, conversations, one-way streams and silences of all lengths, and with losses, outages and
// one-way outages.
func randomScript(seed uint64, length int64) tunnelScript {
	r := rand.New(rand.NewPCG(seed, 77))
	s := tunnelScript{length: length, seed: seed}
	sizes := []int{20, 40, 52, 60, 100, 576, 1400, 1419, 1420}
	size := func() int { return sizes[r.IntN(len(sizes))] }
	add := func(at int64, up bool) { s.seals = append(s.seals, sealing{at, up, size()}) }
	for t := pick(r, 1, 3000*ms); t < length; {
		switch up := r.IntN(2) == 0; r.IntN(6) {
		case 0: // a burst, sometimes more than can be staged
			n := int(pick(r, 1, 30))
			if r.IntN(8) == 0 {
				n = 200
			}
			for range n {
				add(t, up)
				t += pick(r, 2000, 20*ms)
			}
		case 1: // question and answer
			for range pick(r, 1, 10) {
				add(t, up)
				add(t+pick(r, 10*ms, 100*ms), !up)
				t += pick(r, 200*ms, 40_000*ms)
			}
		case 2: // one way only
			for range pick(r, 2, 15) {
				add(t, up)
				t += pick(r, 500*ms, 30_000*ms)
			}
		case 3: // long, one way, at the pace of timers
			for range pick(r, 10, 30) {
				add(t, up)
				t += pick(r, 9_000*ms, 16_000*ms)
			}
		default: // silence, of all lengths
			t += pick(r, 1, 1000*ms) << r.IntN(11)
		}
	}
	slices.SortStableFunc(s.seals, func(a, b sealing) int { return cmp.Compare(a.at, b.at) })
	s.seals = slices.DeleteFunc(s.seals, func(x sealing) bool { return x.at >= length })
	for t := int64(0); t < length; {
		t += pick(r, 1000*ms, 2000_000*ms)
		b := badTime{from: t, to: t + pick(r, 100*ms, 400_000*ms), loss: []float64{0.05, 0.3, 1, 1}[r.IntN(4)], up: true, down: true}
		switch r.IntN(4) {
		case 0:
			b.up = false
		case 1:
			b.down = false
		}
		s.bad = append(s.bad, b)
		t = b.to
	}
	return s
}

// lost decides about the nth packet of a direction.
func (s *tunnelScript) lost(up bool, n int, now int64) bool {
	for _, b := range s.bad {
		if now < b.from || now > b.to || up && !b.up || !up && !b.down {
			continue
		}
		return rand.New(rand.NewPCG(s.seed, uint64(n))).Float64() < b.loss
	}
	return false
}

// linkModel carries one direction: 10 to 20 ms; in order and never two at once, so that an arrival is dealt with before the
// next, or not.
type linkModel struct {
	n        int
	last     int64
	reorders bool
	held     [2]int64
}

func linksOf(s *tunnelScript) [2]linkModel {
	return [2]linkModel{{reorders: s.reorders}, {reorders: s.reorders, held: s.held}}
}

func (l *linkModel) arrival(now int64) int64 {
	l.n++
	at := now + 10*ms + int64(uint64(l.n)*2654435761%uint64(10*ms))
	if at >= l.held[0] {
		at = max(at, l.held[1])
	}
	if !l.reorders {
		at = max(at, l.last+1000)
	}
	l.last = at
	return at
}

// engineTrace is what wireguard-go did with a script.
type engineTrace struct {
	sent, delivered []passed
	expired         [2]map[int64][]int64 // by direction, and by the timer's length before jitter: when timers expired
}

func index(up bool) int {
	if up {
		return 1
	}
	return 0
}

// engineWorld is the link, and both TUNs, of two engines.
type engineWorld struct {
	script *tunnelScript
	start  time.Time

	mu    sync.Mutex
	trace engineTrace
	links [2]linkModel
	wires [2]chan []byte // arrivals
	done  chan struct{}
}

func (w *engineWorld) now() int64 { return int64(time.Since(w.start)) }

type engineBind struct {
	w  *engineWorld
	up bool // sends up
}

var _ conn.Bind = (*engineBind)(nil)

type engineEndpoint struct{ netip.AddrPort }

func (engineEndpoint) ClearSrc()             {}
func (engineEndpoint) SrcToString() string   { return "" }
func (engineEndpoint) SrcIP() netip.Addr     { return netip.Addr{} }
func (e engineEndpoint) DstToBytes() []byte  { b, _ := e.MarshalBinary(); return b }
func (e engineEndpoint) DstToString() string { return e.String() }
func (e engineEndpoint) DstIP() netip.Addr   { return e.Addr() }

func (b *engineBind) Open(uint16) ([]conn.ReceiveFunc, uint16, error) {
	from := b.w.wires[index(!b.up)]
	receive := func(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
		select {
		case m := <-from:
			sizes[0], eps[0] = copy(bufs[0], m), engineEndpoint{netip.MustParseAddrPort("192.0.2.1:1")}
			return 1, nil
		case <-b.w.done:
			return 0, net.ErrClosed
		}
	}
	return []conn.ReceiveFunc{receive}, 1, nil
}

func (b *engineBind) Send(bufs [][]byte, _ conn.Endpoint) error {
	w := b.w
	w.mu.Lock()
	defer w.mu.Unlock()
	now, d := w.now(), index(b.up)
	for _, m := range bufs {
		w.trace.sent = append(w.trace.sent, passed{at: now, up: b.up, size: len(m)})
		l := &w.links[d]
		at := l.arrival(now)
		if w.script.lost(b.up, l.n, now) {
			continue
		}
		m = slices.Clone(m)
		arrive := func(at int64) {
			time.Sleep(time.Duration(at - now))
			select {
			case w.wires[d] <- m:
			case <-w.done:
			}
		}
		go arrive(at)
		if w.script.again > 0 {
			go arrive(at + w.script.again)
		}
	}
	return nil
}

func (b *engineBind) Close() error { return nil }

func (b *engineBind) SetMark(uint32) error { return nil }
func (b *engineBind) BatchSize() int       { return 1 }
func (b *engineBind) ParseEndpoint(s string) (conn.Endpoint, error) {
	a, err := netip.ParseAddrPort(s)
	return engineEndpoint{a}, err
}

type engineTUN struct {
	w      *engineWorld
	up     bool // its packets go up
	in     chan []byte
	events chan tun.Event
}

var _ tun.Device = (*engineTUN)(nil)

func (t *engineTUN) File() *os.File           { return nil }
func (t *engineTUN) MTU() (int, error)        { return 1420, nil }
func (t *engineTUN) Name() (string, error)    { return "mem", nil }
func (t *engineTUN) Events() <-chan tun.Event { return t.events }
func (t *engineTUN) BatchSize() int           { return 1 }
func (t *engineTUN) Close() error             { close(t.in); close(t.events); return nil }

func (t *engineTUN) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	b, ok := <-t.in
	if !ok {
		return 0, os.ErrClosed
	}
	sizes[0] = copy(bufs[0][offset:], b)
	return 1, nil
}

func (t *engineTUN) Write(bufs [][]byte, offset int) (int, error) {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	for _, b := range bufs {
		b = b[offset:]
		t.w.trace.delivered = append(t.w.trace.delivered, passed{at: t.w.now(), up: !t.up, size: len(b), id: innerID(b)})
	}
	return len(bufs), nil
}

// modelInner is an inner packet that tells its number where it has room for it.
func modelInner(b []byte, id int) []byte {
	clear(b)
	b[0], b[8], b[9] = 0x45, 64, packet.ProtoUDP
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint32(b[12:], uint32(id)) // as its source
	binary.BigEndian.PutUint32(b[16:], 0x0a000001)
	return b
}

func innerID(b []byte) int { return int(binary.BigEndian.Uint32(b[12:])) }

// enginePeers are never given up: a finalizer of theirs drains channels, which is fatal outside of the bubble that made them.
var enginePeers []*device.Peer

// runEngine plays a script to wireguard-go. It must be called in a bubble.
func runEngine(t *testing.T, s *tunnelScript) *engineTrace {
	t.Helper()
	w := &engineWorld{script: s, start: time.Now(), links: linksOf(s), done: make(chan struct{})}
	w.trace.expired = [2]map[int64][]int64{{}, {}}
	var private, public [2][32]byte
	for i := range private {
		private[i][0], private[i][31] = byte(8*(i+1)), 64
		pub, err := curve25519.X25519(private[i][:], curve25519.Basepoint)
		if err != nil {
			t.Fatal(err)
		}
		public[i] = [32]byte(pub)
		w.wires[i] = make(chan []byte, 1)
	}
	var tuns [2]*engineTUN
	var devices [2]*device.Device
	for _, i := range []int{0, 1} { // the server, which sends down, comes up first
		tuns[i] = &engineTUN{w: w, up: i == 1, in: make(chan []byte, 16), events: make(chan tun.Event, 1)}
		devices[i] = device.NewDevice(tuns[i], &engineBind{w: w, up: i == 1}, w.logger(i))
		config := fmt.Sprintf("private_key=%s\nlisten_port=1\npublic_key=%s\nallowed_ip=0.0.0.0/0\n", hex.EncodeToString(private[i][:]), hex.EncodeToString(public[1-i][:]))
		if k := s.keepalive[1-i]; k > 0 {
			config += fmt.Sprintf("persistent_keepalive_interval=%d\n", int(k.Seconds()))
		}
		if i == 1 || s.known {
			config += "endpoint=192.0.2.1:1\n"
		}
		if err := devices[i].IpcSet(config); err != nil {
			t.Fatal(err)
		}
		enginePeers = append(enginePeers, devices[i].LookupPeer(public[1-i]))
		if err := devices[i].Up(); err != nil {
			t.Fatal(err)
		}
	}
	for id, x := range s.seals {
		time.Sleep(time.Duration(x.at - w.now()))
		tuns[index(x.up)].in <- modelInner(make([]byte, x.size), id)
	}
	time.Sleep(time.Duration(max(s.length-w.now(), 0)))
	synctest.Wait()
	w.mu.Lock()
	trace := w.trace
	w.mu.Unlock()
	close(w.done)
	synctest.Wait()
	for i := range devices {
		devices[i].Close()
	}
	return &trace
}

// logger listens for the expiry of the timers that have jitter, which the engine tells whether or not it sends anything.
func (w *engineWorld) logger(end int) *device.Logger {
	return &device.Logger{Errorf: device.DiscardLogf, Verbosef: func(format string, _ ...any) {
		var after int64
		switch {
		case strings.Contains(format, "Handshake did not complete after"): // and is begun again, or given up
			after = rekeyTimeout
		case strings.Contains(format, "Retrying handshake because we stopped hearing back"):
			after = keepaliveTimeout + rekeyTimeout
		default:
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.trace.expired[end][after] = append(w.trace.expired[end][after], w.now())
	}}
}

// jitterOf finds the jitter that an end drew: a timer of that length expired whole milliseconds after its time. One that did
// not expire was stopped before, so that it may be as late as can be.
func (tr *engineTrace) jitterOf(end int) func(now, after int64) int64 {
	const most = (device.RekeyTimeoutJitterMaxMs - 1) * ms
	return func(now, after int64) int64 {
		due, expired := now+after, tr.expired[end][after]
		i, _ := slices.BinarySearch(expired, due)
		for ; i < len(expired) && expired[i] <= due+most; i++ {
			if (expired[i]-due)%ms == 0 {
				return expired[i] - due
			}
		}
		return most
	}
}

// modelWorld plays a trace's inner packets to the model.
type modelWorld struct {
	clock  *clock.Virtual
	pool   *packet.Pool
	ends   [2]*End // by the direction in which they send
	links  [2]linkModel
	lost   func(up bool, n int, now int64) bool
	again  int64
	change func(p *packet.Packet, up bool) // on the way; may be nil

	sent, delivered []passed
	seen            func(p packet.Packet, up bool) // may be nil
	got             func(p packet.Packet, up bool) // may be nil; owns p.Data
}

func newModelWorld(tb testing.TB, s *tunnelScript) *modelWorld {
	tb.Helper()
	w := &modelWorld{clock: clock.NewVirtual(0), pool: packet.NewLocalPool(), lost: s.lost, links: linksOf(s), again: s.again}
	noise := packet.NewNoise(1, s.seed)
	end := func(up bool, local, remote string) Config {
		c := Config{
			Clock: w.clock, Local: netip.MustParseAddrPort(local), MTU: 1420, Noise: noise, Pool: w.pool, Seed: s.seed,
			Send: func(p packet.Packet) { w.send(p, up) },
			Deliver: func(p packet.Packet) {
				w.delivered = append(w.delivered, passed{at: w.clock.Now(), up: !up, size: len(p.Data), id: innerID(p.Data)})
				if w.got != nil {
					w.got(p, !up)
				} else {
					w.pool.Put(p.Data)
				}
			},
			Keepalive: int64(s.keepalive[1-index(up)]),
		}
		if remote != "" {
			c.Remote = netip.MustParseAddrPort(remote)
		}
		return c
	}
	home, server := "203.0.113.7:40000", "198.18.0.9:51820"
	remote := ""
	if s.known {
		remote = home
	}
	var err error
	if w.ends[1], w.ends[0], err = NewPair(end(true, home, server), end(false, server, remote)); err != nil {
		tb.Fatal(err)
	}
	return w
}

func (w *modelWorld) send(p packet.Packet, up bool) {
	now, d := w.clock.Now(), index(up)
	w.sent = append(w.sent, passed{at: now, up: up, size: len(p.Data) - outerHeaders})
	if w.seen != nil {
		w.seen(p, up)
	}
	l := &w.links[d]
	at := l.arrival(now)
	if w.lost(up, l.n, now) {
		w.pool.Put(p.Data)
		return
	}
	if w.again > 0 {
		c := packet.Packet{Data: bytes.Clone(p.Data)}
		w.clock.Schedule(at+w.again, clock.Func(func(int64, uint64) { w.ends[1-d].Open(c) }), 0)
	}
	w.clock.Schedule(at, clock.Func(func(now int64, _ uint64) {
		p.At = now
		if w.change != nil {
			w.change(&p, up)
		}
		w.ends[1-d].Open(p)
	}), 0)
}

func (w *modelWorld) play(seals []sealing, length int64) {
	for id, x := range seals {
		w.clock.Run(x.at)
		b := modelInner(w.pool.Get()[:x.size], id)
		w.ends[index(x.up)].Seal(packet.Packet{Data: b, At: x.at, Lineage: packet.Lineage{Unit: int32(id % 7), Event: int64(id)}})
	}
	w.clock.Run(max(length, w.clock.Now()))
}

func samePassed(t *testing.T, what string, model, engine []passed) {
	t.Helper()
	for i := range min(len(model), len(engine)) {
		if model[i] == engine[i] {
			continue
		}
		for k := max(i-8, 0); k < min(i+6, len(model), len(engine)); k++ {
			t.Logf("%5d engine %+v\n      model  %+v", k, engine[k], model[k])
		}
		t.Fatalf("%s: packet %d differs", what, i)
	}
	if len(model) != len(engine) {
		t.Fatalf("%s: %d of the model, %d of the engine", what, len(model), len(engine))
	}
}

// compare plays a script to both, and returns how many packets were sent, by size.
func compareWithEngine(t *testing.T, s tunnelScript) map[int]int {
	t.Helper()
	// On one processor a goroutine that wakes another goes on until it waits: the order in which the engine's goroutines nearly
	// always come on several, where waking and encrypting take longer than setting a timer.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var tr *engineTrace
	synctest.Test(t, func(t *testing.T) { tr = runEngine(t, &s) })
	if tr == nil {
		t.FailNow()
	}
	w := newModelWorld(t, &s)
	for i := range w.ends {
		w.ends[i].jitter = tr.jitterOf(i)
	}
	w.play(s.seals, s.length)
	samePassed(t, "sent", w.sent, tr.sent)
	samePassed(t, "delivered", w.delivered, tr.delivered)
	sizes := map[int]int{}
	for _, p := range tr.sent {
		sizes[p.size]++
	}
	t.Logf("%v: %d sent, %d delivered: %d initiations, %d responses, %d keepalives", time.Duration(s.length), len(tr.sent), len(tr.delivered),
		sizes[device.MessageInitiationSize], sizes[device.MessageResponseSize], sizes[device.MessageKeepaliveSize])
	return sizes
}

func TestIsTheEngine(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("random ", seed), func(t *testing.T) {
			s := randomScript(seed, int64(24*time.Hour))
			s.known, s.reorders = seed%2 == 1, seed >= 2
			if sizes := compareWithEngine(t, s); sizes[device.MessageInitiationSize] < 100 || sizes[device.MessageKeepaliveSize] < 100 {
				t.Error("too little happened to say anything")
			}
		})
	}
	for name, keepalive := range map[string][2]time.Duration{
		"client's persistent keepalive": {25 * time.Second, 0}, "both's": {7 * time.Second, 60 * time.Second}, "server's": {0, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := randomScript(9, int64(8*time.Hour))
			s.keepalive = keepalive
			compareWithEngine(t, s)
		})
	}
}

// every returns a script that seals at even distances, up and down in turn where both is set.
func every(from, step, to int64, up, both bool) (seals []sealing) {
	for at := from; at < to; at += step {
		seals = append(seals, sealing{at, up, 100})
		up = up != both
	}
	return seals
}

// The rare turns of the state machine, each on purpose.
func TestIsTheEngineAtTheEdges(t *testing.T) {
	second := int64(time.Second)
	up := func(at int64) []sealing { return []sealing{{at, true, 60}} }
	bad := func(from, to int64, up, down bool) badTime {
		return badTime{from: from * second, to: to * second, loss: 1, up: up, down: down}
	}
	for name, s := range map[string]tunnelScript{
		"more is staged than fits":         {seals: every(1, ms, 300*ms, true, false), bad: []badTime{bad(0, 1, true, true)}},
		"the server speaks first, unheard": {seals: append(every(1, 3*second, 200*second, false, false), up(201*second)...)},
		"the server speaks first":          {seals: every(1, 3*second, 200*second, false, false), known: true},
		"both begin at once":               {seals: []sealing{{second, true, 60}, {second + ms, false, 60}}, known: true},
		"given up, and begun again":        {seals: append(up(1), up(300*second)...), bad: []badTime{bad(0, 200, true, true)}},
		"given up, and the keys are forgotten": {
			seals: append(every(1, second, 100*second, true, true), up(900*second)...), bad: []badTime{bad(100, 800, true, true)},
		},
		// Nine minutes after the handshake was given up whatever waits is dropped.
		"given up, and begun again as all is forgotten": {
			seals: append(up(1), every(630*second, second, 660*second, true, false)...), bad: []badTime{bad(0, 660, true, true)},
		},
		"given up while data comes": {
			seals: append(append(up(1), up(20*second)...), every(130*second, second, 170*second, false, false)...), bad: []badTime{bad(19, 300, true, false)},
		},
		// Keys are made 29 ms after the first packet. The response to an initiation before they are forgotten comes after.
		"a response to what is forgotten": {seals: append(up(1), up(540*second+10*ms)...)},
		"the response is lost":            {seals: every(1, second, 100*second, true, true), bad: []badTime{bad(0, 2, false, true)}},
		"the client only listens":         {seals: append(up(1), every(second, second, 700*second, false, false)...)},
		"the client only listens, unheard": {
			seals: append(up(1), every(160*second, 100*ms, 180*second, false, false)...), bad: []badTime{bad(100, 300, true, false)},
		},
		"the server only listens": {seals: every(1, second, 700*second, true, false)},
		"keys expire with packets on their way": {
			seals: append(every(1, second, 100*second, true, true), every(179*second, ms, 183*second, false, false)...), known: true,
		},
		"keys expire at the server first": {
			seals: append(up(1), every(180*second, ms, 180*second+60*ms, true, false)...), bad: []badTime{bad(100, 300, false, true)},
		},
		"everything comes twice":    {seals: every(1, second, 300*second, true, true), again: 300 * ms},
		"initiations come together": {seals: every(1, second, 30*second, true, false), held: [2]int64{1, 12 * second}},
		"nothing comes back":        {seals: every(1, 7*second, 600*second, true, true), bad: []badTime{bad(50, 400, false, true)}},
		// The server begins handshakes, whose responses are lost; then the client's own takes the place of the one that it answered,
		// and of the keys under which the server still sends.
		"an answered handshake is overtaken": {
			seals: slices.Concat(up(1), []sealing{{104 * second, false, 60}}, up(136*second+ms/10), every(136*second+ms, ms, 136*second+80*ms, false, false)),
			bad:   []badTime{bad(100, 130, true, false), bad(130, 136, false, true)}, known: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.length = 1200 * second
			compareWithEngine(t, s)
		})
	}
}
