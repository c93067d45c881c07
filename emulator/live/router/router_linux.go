package router

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/beevik/ntp"
	"github.com/miekg/dns"

	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/wire"
)

// Config is what a home router does by itself.
type Config struct {
	NS    *netns.Namespace
	Clock exchange.Clock
	DNS   netip.Addr
	NTP   netip.Addr
	Name  string // that it looks up before it asks the time
}

// Run asks names and the time, as a router does after it came up, until ctx ends.
func Run(ctx context.Context, c Config) {
	poll := int64(policy.NTPFirstPoll)
	for at := int64(policy.RouterStart); c.Clock.Sleep(ctx, at) == nil; at += poll {
		c.lookUp(ctx)
		_, _ = ntp.QueryWithOptions(c.NTP.String(), ntp.QueryOptions{Timeout: policy.ResolveTimeout, Dialer: func(_, _ string) (net.Conn, error) {
			return c.dial(ctx, netip.AddrPortFrom(c.NTP, wire.PortNTP))
		}})
		if at > int64(policy.NTPFirstPoll) {
			poll = min(2*poll, int64(policy.NTPLastPoll))
		}
	}
}

func (c *Config) dial(ctx context.Context, to netip.AddrPort) (conn net.Conn, err error) {
	err = c.NS.Do(func() error {
		conn, err = (&net.Dialer{}).DialContext(ctx, "udp4", to.String())
		return err
	})
	return conn, err
}

func (c *Config) lookUp(ctx context.Context) {
	conn, err := c.dial(ctx, netip.AddrPortFrom(c.DNS, wire.PortDNS))
	if err != nil {
		return
	}
	defer conn.Close()
	out, err := new(dns.Msg).SetQuestion(dns.Fqdn(c.Name), dns.TypeA).Pack()
	if err != nil {
		return
	}
	_, _ = conn.Write(out)
	_ = conn.SetReadDeadline(time.Now().Add(policy.ResolveTimeout))
	_, _ = conn.Read(make([]byte, 1500))
}
