package live

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/clock"
	"glasshouse/emulator/live/cloud"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/live/router"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// home is devices and an internet on one Ethernet: the internet's namespace is the devices' router, and the test is the
// switch between them, which attributes each packet that crosses.
type home struct {
	t        *testing.T
	clock    *clock.Wall
	registry *truth.Registry
	sessions *exchange.Sessions
	inet     *netns.Namespace
	cloud    *cloud.Servers
	config   cloud.Config
	dhcp     router.DHCPConfig
	leases   io.Closer
	ctx      context.Context
	cancel   context.CancelFunc
	readers  sync.WaitGroup
	undo     []func()

	mu    sync.Mutex
	ports []*port // the first is the internet's
	seen  []frame
	count [2]int64 // frames that crossed, when they are not kept
	quiet bool     // frames are counted, not kept
	drop  func(dir int8, ip []byte) bool
	lan   func(ip []byte) // is shown what is sent between a device and its router
}

type port struct {
	mac [6]byte
	tap *netns.Interface
}

// frame is one that crossed between a device and the internet.
type frame struct {
	at      int64
	dir     int8
	size    int
	ip      []byte
	lineage packet.Lineage
	ok      bool
}

func (f *frame) String() string {
	return fmt.Sprintf("dir %d, %d bytes, %+v: % x", f.dir, f.size, f.lineage, f.ip[:min(len(f.ip), 60)])
}

var (
	homeLAN     = netip.MustParsePrefix("192.168.77.0/24")
	homeGateway = netip.MustParseAddr("192.168.77.1")
	anyIP       = netip.MustParsePrefix("198.18.0.0/15")
	dnsAddr     = netip.MustParseAddr("198.18.0.53")
	ntpAddr     = netip.MustParseAddr("198.18.0.123")
	gatewayMAC  = [6]byte{0x02, 0, 0, 0, 0, 1}
)

// newHome makes a home whose clouds serve the profiles' services. The devices' MTU is what DHCP tells them.
func newHome(t *testing.T, mtu int, profiles ...*profile.Profile) *home {
	t.Helper()
	needNamespaces(t)
	h := &home{t: t, registry: truth.NewRegistry(), sessions: must(exchange.NewSessions())(t)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	t.Cleanup(h.Close)
	h.clock = must(clock.NewWall(time.Now()))(t)
	h.onClose(func() { _ = h.clock.Close() })
	h.inet = must(netns.New("internet"))(t)
	h.onClose(func() { _ = h.inet.Close() })
	tap := must(h.inet.AddTAP("lan0", gatewayMAC, 1500))(t)
	h.onClose(func() { _ = tap.Close() })
	check(t, h.inet.AddAddr("lan0", netip.PrefixFrom(homeGateway, homeLAN.Bits())))
	check(t, h.inet.AddLocal(anyIP))
	check(t, h.inet.Sysctl("net.ipv4.icmp_ratelimit", "0"))
	h.plug(gatewayMAC, tap)

	h.config = cloud.Config{
		NS: h.inet, Names: make(map[string]netip.Addr), DNS: dnsAddr, NTP: ntpAddr, Registry: h.registry,
		Sessions: h.sessions, Authority: must(transport.NewAuthority())(t), Clock: h.clock, Log: slog.Default(),
		Peer: func(_ uint8, seen netip.AddrPort) (netip.AddrPort, bool) { return seen, homeLAN.Contains(seen.Addr()) },
	}
	for _, p := range profiles {
		for i := range p.Services {
			h.serve(&p.Services[i])
		}
	}
	h.openCloud()
	h.onClose(func() { _ = h.cloud.Close() })
	h.dhcp = router.DHCPConfig{
		Server: homeGateway, Prefix: homeLAN, Leases: make(map[[6]byte]netip.Addr), Router: homeGateway, DNS: dnsAddr, MTU: mtu, Lease: time.Hour,
	}
	for i := range 8 {
		h.dhcp.Leases[macOf(i)] = addrOf(i)
	}
	h.serveDHCP()
	h.onClose(func() { _ = h.leases.Close() })
	return h
}

// serve gives a service's host an address and has the cloud listen there.
func (h *home) serve(s *profile.Service) {
	if !s.WAN() {
		return
	}
	addr, ok := h.config.Names[s.Host]
	if !ok {
		addr = netip.AddrFrom4([4]byte{198, 18, 1, byte(1 + len(h.config.Names))})
		h.config.Names[s.Host] = addr
	}
	switch {
	case s.Stream():
		if !slices.Contains(h.config.Streams, s.Port) {
			h.config.Streams = append(h.config.Streams, s.Port)
		}
	case s.Transport == profile.TransportQUIC:
		h.config.QUIC = append(h.config.QUIC, netip.AddrPortFrom(addr, s.Port))
	case s.Transport == profile.TransportUDP:
		if at := netip.AddrPortFrom(addr, s.Port); !slices.Contains(h.config.Datagrams, at) {
			h.config.Datagrams = append(h.config.Datagrams, at)
		}
	}
}

// serveDHCP starts the DHCP server, in place of the one that runs.
func (h *home) serveDHCP() {
	if h.leases != nil {
		_ = h.leases.Close()
	}
	h.leases = must(router.ServeDHCP(h.inet, "lan0", h.dhcp))(h.t)
}

func (h *home) openCloud() { h.cloud = must(cloud.New(h.config))(h.t) }

func macOf(i int) [6]byte     { return [6]byte{0x02, 0, 0, 0, 1, byte(i)} }
func addrOf(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 77, byte(100 + i)}) }

func activityNumber(name string) uint16 { return uint16(1 + len(name)) }

// host makes unit i of a model and boots it.
func (h *home) host(i int, p *profile.Profile) *Host {
	h.t.Helper()
	host := h.unbooted(i, p)
	ctx, cancel := context.WithTimeout(h.ctx, 20*time.Second)
	defer cancel()
	check(h.t, host.Boot(ctx))
	return host
}

func (h *home) unbooted(i int, p *profile.Profile) *Host {
	h.t.Helper()
	ns := must(netns.New(fmt.Sprintf("device-%d", i)))(h.t)
	h.onClose(func() { _ = ns.Close() })
	tap := must(ns.AddTAP("wlan0", macOf(i), 1500))(h.t)
	h.onClose(func() { _ = tap.Close() })
	h.plug(macOf(i), tap)
	host := must(NewHost(HostConfig{
		NS: ns, Specimen: &script.Specimen{Index: int32(i), Name: p.Device, Profile: p, MAC: macOf(i), Addr: addrOf(i), Seed: uint64(i) + 7},
		Registry: h.registry, Clock: h.clock, Authority: h.config.Authority, Sessions: h.sessions,
		Activity: activityNumber, NTP: ntpAddr, Log: slog.Default(),
	}))(h.t)
	h.onClose(func() { _ = host.Close() })
	return host
}

// boot opens the unit's lasting connections, as event.
func (h *home) boot(host *Host, event int64) {
	h.t.Helper()
	act := script.Activity{Name: profile.ActivityBoot, At: h.clock.Now()}
	p := host.c.Specimen.Profile
	for i := range p.Services {
		if s := &p.Services[i]; s.Lasting {
			act.Exchanges = append(act.Exchanges, script.Exchange{Op: profile.OpConnect, Service: s.Name, Messages: script.LoginMessages(s, host.draw)})
		}
	}
	h.perform(host, act, event)
}

// perform does an activity, which must succeed, and waits for its end.
func (h *home) perform(host *Host, act script.Activity, event int64) {
	h.t.Helper()
	done := make(chan string, 2)
	host.Perform(h.ctx, act, event, func(outcome string, _ int64) { done <- outcome })
	select {
	case got := <-done:
		if got != "ok" {
			h.t.Errorf("%s of %s: %s", act.Name, host.name, got)
		}
	case <-time.After(40 * time.Second):
		h.t.Fatalf("%s of %s does not end", act.Name, host.name)
	}
}

// say is a dialogue on a service, now.
func (h *home) say(name, service string, fresh bool, messages ...script.Message) script.Activity {
	return script.Activity{Name: name, At: h.clock.Now(), Exchanges: []script.Exchange{{Service: service, Fresh: fresh, Messages: messages}}}
}

func up(size int) script.Message   { return script.Message{Dir: profile.Up, Size: size} }
func down(size int) script.Message { return script.Message{Dir: profile.Down, Size: size, Wait: 1e6} }

// plug puts an interface on the switch.
func (h *home) plug(mac [6]byte, tap *netns.Interface) {
	h.mu.Lock()
	h.ports = append(h.ports, &port{mac, tap})
	p := h.ports[len(h.ports)-1]
	h.mu.Unlock()
	h.readers.Go(func() {
		b := make([]byte, packet.MaxSize)
		for {
			n, err := tap.Read(b)
			if err != nil {
				return
			}
			h.forward(p, b[:n])
		}
	})
}

// forward is called for frames of one port in their order.
func (h *home) forward(from *port, b []byte) {
	if len(b) < 14 {
		return
	}
	h.mu.Lock()
	ports := h.ports
	h.mu.Unlock()
	if b[0]&1 != 0 {
		for _, p := range ports {
			if p != from {
				_, _ = p.tap.Write(b)
			}
		}
		return
	}
	for _, p := range ports {
		if p.mac == [6]byte(b[:6]) {
			if h.crosses(from == ports[0], b) {
				_, _ = p.tap.Write(b)
			}
			return
		}
	}
}

// crosses attributes a packet between a device and the internet; false drops it.
func (h *home) crosses(fromInternet bool, b []byte) bool {
	if len(b) < 34 || b[12] != 8 || b[13] != 0 {
		return true
	}
	ip, dir, remote := b[14:], packet.Up, [4]byte(b[30:34])
	if fromInternet {
		dir, remote = packet.Down, [4]byte(b[26:30])
	}
	if homeLAN.Contains(netip.AddrFrom4(remote)) {
		h.mu.Lock()
		lan := h.lan
		h.mu.Unlock()
		if lan != nil {
			lan(ip)
		}
		return true
	}
	lineage, ok := h.registry.Attribute(ip, dir)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.quiet && ok {
		h.count[(1-dir)/2]++
	} else {
		h.seen = append(h.seen, frame{at: h.clock.Now(), dir: dir, size: len(b), ip: slices.Clone(ip), lineage: lineage, ok: ok})
	}
	return h.drop == nil || !h.drop(dir, ip)
}

// frames returns what has crossed so far, and fails the test for each that nobody accounts for.
func (h *home) frames() []frame {
	h.t.Helper()
	time.Sleep(30 * time.Millisecond) // the last acknowledgements are on their way
	h.mu.Lock()
	defer h.mu.Unlock()
	unknown := 0
	for i := range h.seen {
		if f := &h.seen[i]; !f.ok {
			if unknown++; unknown < 4 {
				h.t.Errorf("not attributed: %s", f)
			}
		}
	}
	if unknown > 0 {
		h.t.Errorf("%d of %d frames are not attributed", unknown, len(h.seen))
	}
	return slices.Clone(h.seen)
}

func (h *home) onClose(f func()) { h.undo = append(h.undo, f) }

func (h *home) Close() {
	h.cancel()
	for _, f := range slices.Backward(h.undo) {
		f()
	}
	h.undo = nil
	h.readers.Wait()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}
