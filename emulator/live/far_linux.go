package live

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
	"glasshouse/emulator/wire"
)

// farUDP is the far end of datagram flows: a cloud's, or the phone's on the LAN.
type farUDP struct {
	ctx      context.Context
	conn     *net.UDPConn
	here     netip.AddrPort
	sessions *Sessions
	clock    clockwork
	flow     func(seen netip.AddrPort) *truth.Flow // nil on the LAN
	wg       *sync.WaitGroup

	mu      sync.Mutex
	walking map[uint32]bool
}

func (f *farUDP) run() {
	buf := make([]byte, 2048)
	for {
		n, from, err := f.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		j, i := f.sessions.parse(buf[:n])
		if j == nil {
			continue
		}
		j.got[1].arrived(i)
		if f.begin(j) {
			f.answer(j, from)
		}
	}
}

// begin notes that a job is walked here; false if it was already.
func (f *farUDP) begin(j *job) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.walking[j.handle] {
		return false
	}
	f.walking[j.handle] = true
	return true
}

// answer walks a job at the address from which its first datagram came. It looks up anew with each job who is there: a
// translated port may have been another device's before. From then on the device's end can start jobs here.
func (f *farUDP) answer(j *job, from netip.AddrPort) {
	var flow *truth.Flow
	if f.flow != nil {
		if flow = f.flow(from); flow == nil {
			return
		}
		f.sessions.pusher(flow.Key(), func(j *job) {
			if f.begin(j) {
				f.wg.Go(func() { f.walk(j, flow, from) })
			}
		})
	}
	f.wg.Go(func() { f.walk(j, flow, from) })
}

// walk walks a job at this end; flow is nil on the LAN.
func (f *farUDP) walk(j *job, flow *truth.Flow, to netip.AddrPort) {
	_ = walkDatagrams(f.ctx, f.clock, f.sessions, packet.Down, j, newNoise(uint64(j.handle)), func(p []byte) error {
		if flow != nil {
			flow.Datagram(packet.Down, p, j.tag)
		}
		_, err := f.conn.WriteToUDPAddrPort(p, to)
		return err
	})
	time.AfterFunc(10*time.Second, func() {
		f.mu.Lock()
		delete(f.walking, j.handle)
		f.mu.Unlock()
	})
}

func (cl *Cloud) listenDatagrams(at netip.AddrPort) error {
	conn, err := listenUDP(cl.c.NS, at)
	if err != nil {
		return fmt.Errorf("serving UDP at %s: %w", at, err)
	}
	cl.closers = append(cl.closers, conn)
	f := &farUDP{
		ctx: cl.ctx, conn: conn, here: at, sessions: cl.c.Sessions, clock: cl.c.Clock, wg: &cl.wg,
		walking: make(map[uint32]bool),
		flow: func(seen netip.AddrPort) *truth.Flow {
			lan, ok := cl.c.Peer(packet.ProtoUDP, seen)
			if !ok {
				return nil
			}
			return cl.c.Registry.Find(truth.KeyOf(packet.ProtoUDP, lan, at))
		},
	}
	cl.wg.Go(f.run)
	return nil
}

// ServeLAN answers on a UDP port of this host, for devices of the same home: the phone's end of what it views locally.
func (h *Host) ServeLAN(port uint16) error {
	at := netip.AddrPortFrom(h.lease.prefix.Addr(), port)
	conn, err := listenUDP(h.c.NS, at)
	if err != nil {
		return fmt.Errorf("%s: serving UDP port %d: %w", h.name, port, err)
	}
	context.AfterFunc(h.ctx, func() { _ = conn.Close() })
	f := &farUDP{
		ctx: h.ctx, conn: conn, here: at, sessions: h.c.Sessions, clock: h.c.Clock, wg: &h.wg,
		walking: make(map[uint32]bool),
	}
	h.wg.Go(f.run)
	return nil
}

func listenUDP(ns *Namespace, at netip.AddrPort) (conn *net.UDPConn, err error) {
	err = ns.Do(func() error {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		return err
	})
	return conn, err
}

// plain starts the DNS and the NTP server.
func (cl *Cloud) plain() error {
	conn, err := listenUDP(cl.c.NS, netip.AddrPortFrom(cl.c.DNS, wire.PortDNS))
	if err != nil {
		return fmt.Errorf("serving DNS: %w", err)
	}
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(cl.answer)}
	cl.closers = append(cl.closers, conn)
	cl.wg.Go(func() { _ = srv.ActivateAndServe() })

	clockConn, err := listenUDP(cl.c.NS, netip.AddrPortFrom(cl.c.NTP, wire.PortNTP))
	if err != nil {
		return fmt.Errorf("serving NTP: %w", err)
	}
	cl.closers = append(cl.closers, clockConn)
	cl.wg.Go(func() { serveNTP(clockConn) })
	return nil
}

func (cl *Cloud) answer(w dns.ResponseWriter, q *dns.Msg) {
	a := new(dns.Msg).SetReply(q)
	a.RecursionAvailable = true
	if len(q.Question) == 1 {
		name := q.Question[0].Name
		addr, ok := cl.c.Names[name[:max(len(name)-1, 0)]]
		switch {
		case !ok:
			a.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeA:
			a.Answer = append(a.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: policy.NameTTL}, A: addr.AsSlice(),
			})
		}
	}
	_ = w.WriteMsg(a)
}
