package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
)

// HostConfig says which device a host is, and whom it knows.
type HostConfig struct {
	NS        *netns.Namespace
	Specimen  *script.Specimen
	Registry  *truth.Registry
	Clock     exchange.Clock
	Authority *transport.Authority
	Sessions  *exchange.Sessions
	Activity  func(name string) uint16 // number of an activity in the run's vocabulary
	NTP       netip.Addr
	Log       *slog.Logger
}

// Host is one device with its own kernel: it performs activities over real sockets. Its interface wlan0 must exist, and
// somebody must move its frames.
type Host struct {
	c     HostConfig
	name  string
	lease lease
	ready chan struct{} // closed when it has its address

	mu       sync.Mutex
	nextPort uint16
	echoID   uint16
	names    map[string]cachedName
	lasting  map[string]*lasting // lasting services
	peer     *Host               // the household's phone, if there is one
	boot     packet.Tag          // the event under which connections are opened again
	seeds    *rand.Rand

	discoveries map[profile.Transport]*groupSocket // set by Boot

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

type cachedName struct {
	addr    netip.Addr
	expires int64
}

// NewHost sets a device's kernel up.
func NewHost(c HostConfig) (*Host, error) {
	p := c.Specimen.Profile
	onoff := func(b bool) string {
		if b {
			return "1"
		}
		return "0"
	}
	for _, s := range [][2]string{
		{"net.ipv4.tcp_timestamps", onoff(p.Stack.TCPTimestamps)},
		{"net.ipv4.ip_default_ttl", strconv.Itoa(max(p.Stack.TTL, 1))},
		{"net.ipv4.conf.all.rp_filter", "0"},
		{"net.ipv4.conf.wlan0.rp_filter", "0"},
	} {
		if err := c.NS.Sysctl(s[0], s[1]); err != nil {
			return nil, fmt.Errorf("setting up %s: %w", c.Specimen.Name, err)
		}
	}
	if err := c.NS.TrustNeighbours("wlan0", p.Stack.ARP); err != nil {
		return nil, fmt.Errorf("setting up %s: %w", c.Specimen.Name, err)
	}
	seeds := rand.New(rand.NewPCG(c.Specimen.Seed, 0x686f7374))
	h := &Host{
		c: c, name: c.Specimen.Name, ready: make(chan struct{}), seeds: seeds,
		nextPort: uint16(policy.FirstEphemeral + seeds.IntN(policy.LastEphemeral-policy.FirstEphemeral)), echoID: uint16(seeds.Uint32()),
		names: make(map[string]cachedName), lasting: make(map[string]*lasting), discoveries: make(map[profile.Transport]*groupSocket),
	}
	h.boot.Event = packet.EventNone
	h.ctx, h.cancel = context.WithCancel(context.Background())
	for i := range p.Services {
		if s := &p.Services[i]; s.Lasting {
			h.lasting[s.Name] = newLasting(h, s)
		}
	}
	return h, nil
}

// Boot gets an address by DHCP, and keeps it until Close. It is called once.
func (h *Host) Boot(ctx context.Context) error {
	mac := h.c.Specimen.MAC
	if h.c.Specimen.Profile.Stack.IPv6 {
		if err := h.start6(); err != nil {
			return err
		}
	}
	l, err := obtain(ctx, h.c.NS, mac[:])
	if err != nil {
		return err
	}
	if l.prefix.Addr() != h.c.Specimen.Addr {
		return fmt.Errorf("the lease is %s, not the reserved %s", l.prefix.Addr(), h.c.Specimen.Addr)
	}
	if err := h.c.NS.SetMTU("wlan0", l.mtu); err != nil {
		return err
	}
	if err := h.c.NS.AddAddr("wlan0", l.prefix); err != nil {
		return err
	}
	if err := h.c.NS.AddRoute("wlan0", netip.MustParsePrefix("0.0.0.0/0"), l.router); err != nil {
		return err
	}
	h.lease = l
	if err := errors.Join(h.listen(), h.serveApps()); err != nil {
		return err
	}
	close(h.ready)
	h.wg.Go(func() { h.keepLease(l) })
	return nil
}

// DNS is the DNS server that the host's lease names. It is known once Boot has returned.
func (h *Host) DNS() netip.Addr { return h.lease.dns }

func (h *Host) bootTag() packet.Tag {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.boot
}

// SetPeer tells the host of the household's phone, for services on the LAN.
func (h *Host) SetPeer(phone *Host) { h.peer = phone }

// Perform does an activity at its scripted time. It returns at once; done is called when the last exchange is over, with
// "ok" or "failed" and the script time. When ctx ends, or the host is closed, so do the exchanges, and done is not called.
func (h *Host) Perform(ctx context.Context, act script.Activity, event int64, done func(outcome string, at int64)) {
	tag := packet.Tag{Event: event, Activity: h.c.Activity(act.Name), Role: packet.RoleData}
	if act.Name == profile.ActivityBoot {
		h.mu.Lock()
		h.boot = tag
		h.mu.Unlock()
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.ctx, cancel)
	results := make([]chan error, len(act.Exchanges))
	for i := range act.Exchanges { // queued here, so that exchanges on one connection keep their order
		x := &act.Exchanges[i]
		results[i] = make(chan error, 1)
		h.begin(ctx, x, act.At+x.Offset, tag, results[i])
	}
	h.wg.Go(func() {
		defer cancel()
		defer stop()
		outcome := "ok"
		if len(results) == 0 && h.c.Clock.Sleep(ctx, act.At) != nil { // a change of state, say: at its moment
			return
		}
		for i, r := range results {
			select {
			case err := <-r:
				if err != nil && ctx.Err() == nil {
					h.c.Log.Debug("exchange failed", "unit", h.name, "activity", act.Name, "service", act.Exchanges[i].Service, "error", err)
					outcome = "failed"
				}
			case <-h.ctx.Done():
				return
			}
		}
		if ctx.Err() == nil {
			done(outcome, h.c.Clock.Now())
		}
	})
}

// begin starts one exchange and answers on result when it is over.
func (h *Host) begin(ctx context.Context, x *script.Exchange, at int64, tag packet.Tag, result chan<- error) {
	s := h.c.Specimen.Profile.Service(x.Service)
	if s == nil {
		result <- fmt.Errorf("the profile has no service %q", x.Service)
		return
	}
	if l := h.lasting[s.Name]; l != nil && !x.Fresh && x.Op.OnLine() {
		l.enqueue(ctx, x, at, tag, result)
		return
	}
	h.wg.Go(func() { result <- h.once(ctx, s, x, at, tag) })
}

// once performs an exchange that has no lasting connection.
func (h *Host) once(ctx context.Context, s *profile.Service, x *script.Exchange, at int64, tag packet.Tag) error {
	select {
	case <-h.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := h.c.Clock.Sleep(ctx, at); err != nil {
		return err
	}
	switch x.Op {
	case profile.OpResolve:
		_, err := h.resolve(ctx, s.Host, tag, true)
		return err
	case profile.OpTimeSync:
		return h.timeSync(ctx, tag)
	case profile.OpPing:
		return h.ping(ctx, s, x, tag)
	case profile.OpQuery, profile.OpAnnounce:
		return h.discover(x.Op, s)
	case profile.OpARP:
		return h.askRouter()
	case profile.OpScan:
		return h.scan(ctx)
	case profile.OpDialogue, profile.OpConnect, profile.OpReconnect, profile.OpDisconnect:
	}
	switch s.Transport {
	case profile.TransportNTP:
		return h.timeSync(ctx, tag)
	case profile.TransportICMP:
		return h.ping(ctx, s, x, tag)
	case profile.TransportHTTP:
		return h.http(ctx, s, x, tag)
	case profile.TransportH2:
		return h.http2(ctx, s, x, tag)
	case profile.TransportQUIC:
		return h.quic(ctx, s, x, tag)
	case profile.TransportApp:
		return h.called(ctx, s, x, tag)
	case profile.TransportUDP, profile.TransportLAN:
		return h.datagrams(ctx, s, x, at, tag)
	case profile.TransportTLS12, profile.TransportTLS13, profile.TransportTCP, profile.TransportMQTT, profile.TransportMDNS,
		profile.TransportMDNS6, profile.TransportSSDP, profile.TransportARP:
	}
	c, err := h.connect(ctx, s, tag, packet.RoleTCPHandshake)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.walk(ctx, exchange.NewJob(x.Messages, h.c.Clock.Now(), tag))
}

// port hands out local ports one after the other, so that none comes back soon.
func (h *Host) port() uint16 {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.nextPort
	h.nextPort = policy.NextEphemeral(h.nextPort)
	return p
}

func (h *Host) draw() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seeds.Uint64()
}

// dial opens a socket as dialAnd does, and tells nobody.
func (h *Host) dial(ctx context.Context, proto uint8, remote netip.AddrPort, tag packet.Tag, plain bool) (net.Conn, *truth.Flow, error) {
	return h.dialAnd(ctx, target{proto: proto, remote: remote, tag: tag, plain: plain, before: func(truth.Key) {}})
}

// target is what a socket is opened to.
type target struct {
	proto  uint8
	remote netip.AddrPort
	tag    packet.Tag
	plain  bool            // a plain server is there, which announces nothing
	before func(truth.Key) // is told of each flow that is tried
}

// dialAnd opens a socket from a port that is registered in the truth before the first packet leaves. Ports whose flow to that remote
// the truth still knows are passed over: it must not lose their owner.
func (h *Host) dialAnd(ctx context.Context, to target) (net.Conn, *truth.Flow, error) {
	var last error
	for range 64 { // a port may be taken
		local := netip.AddrPortFrom(h.lease.prefix.Addr(), h.port())
		key := truth.KeyOf(to.proto, local, to.remote)
		if h.c.Registry.Find(key) != nil {
			last = errAddrInUse
			continue
		}
		flow := h.c.Registry.Open(key, h.c.Specimen.Index, to.tag, to.plain)
		to.before(key)
		d, network := h.dialer(to.proto, local)
		var c net.Conn
		err := h.c.NS.Do(func() (err error) {
			c, err = d.DialContext(ctx, network, to.remote.String())
			return err
		})
		if err == nil {
			return c, flow, nil
		}
		h.c.Registry.Close(flow, h.c.Clock.Now())
		h.c.Sessions.Ungreet(key)
		last = err
		if !errors.Is(err, errAddrInUse) {
			break
		}
	}
	return nil, nil, fmt.Errorf("reaching %s: %w", to.remote, last)
}

// dialer returns how the device's stack opens a socket, from a local port.
func (h *Host) dialer(proto uint8, local netip.AddrPort) (d net.Dialer, network string) {
	d = net.Dialer{Timeout: policy.DialTimeout, KeepAlive: -1, FallbackDelay: -1}
	if proto != packet.ProtoTCP {
		d.LocalAddr = net.UDPAddrFromAddrPort(local)
		return d, "udp4"
	}
	d.SetMultipathTCP(false)
	d.LocalAddr = net.TCPAddrFromAddrPort(local)
	stack := &h.c.Specimen.Profile.Stack
	if k := stack.Keepalive; k > 0 {
		d.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: time.Duration(k), Interval: time.Duration(k), Count: 5}
	}
	d.Control = func(_, _ string, c syscall.RawConn) error { return transport.SetCongestionControl(c) }
	if stack.MSS > 0 && stack.MSS < policy.MSS {
		d.Control = func(_, _ string, c syscall.RawConn) (err error) {
			if err := transport.SetCongestionControl(c); err != nil {
				return err
			}
			if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, stack.MSS) }); e != nil {
				return e
			}
			return err
		}
	}
	return d, "tcp4"
}

// Close ends all that the host does and waits for it.
func (h *Host) Close() error {
	h.cancel()
	for _, l := range h.lasting {
		l.stop()
	}
	h.wg.Wait()
	return nil
}
