package cloud

import (
	"fmt"
	"net/netip"

	"github.com/miekg/dns"

	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

// plain starts the DNS and the NTP server.
func (cl *Servers) plain() error {
	conn, err := cl.c.NS.ListenUDP(netip.AddrPortFrom(cl.c.DNS, wire.PortDNS))
	if err != nil {
		return fmt.Errorf("serving DNS: %w", err)
	}
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(cl.answer)}
	cl.closers = append(cl.closers, conn)
	cl.wg.Go(func() { _ = srv.ActivateAndServe() })

	clockConn, err := cl.c.NS.ListenUDP(netip.AddrPortFrom(cl.c.NTP, wire.PortNTP))
	if err != nil {
		return fmt.Errorf("serving NTP: %w", err)
	}
	cl.closers = append(cl.closers, clockConn)
	cl.wg.Go(func() { serveNTP(clockConn) })
	return nil
}

func (cl *Servers) answer(w dns.ResponseWriter, q *dns.Msg) {
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
