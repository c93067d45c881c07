package live

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/beevik/ntp"
	"github.com/miekg/dns"

	"glasshouse/emulator/policy"
	"glasshouse/emulator/unsolicited"
	"glasshouse/emulator/wire"
)

// RouterConfig is what a home router does by itself.
type RouterConfig struct {
	NS    *Namespace
	Clock clockwork
	DNS   netip.Addr
	NTP   netip.Addr
	Name  string // that it looks up before it asks the time
}

// RunRouter asks names and the time, as a router does after it came up, until ctx ends.
func RunRouter(ctx context.Context, c RouterConfig) {
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

func (c *RouterConfig) dial(ctx context.Context, to netip.AddrPort) (conn net.Conn, err error) {
	err = c.NS.Do(func() error {
		conn, err = (&net.Dialer{}).DialContext(ctx, "udp4", to.String())
		return err
	})
	return conn, err
}

func (c *RouterConfig) lookUp(ctx context.Context) {
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

// UnsolicitedConfig says which unsolicited packets a home gets.
type UnsolicitedConfig struct {
	NS     *Namespace
	Clock  clockwork
	Target netip.Addr
	Rate   int64 // millionths of packets an hour
	Seed   uint64
}

// SendUnsolicited sends the home packets that nobody asked for, from addresses all over the internet, until ctx ends: one
// TCP SYN, or one UDP datagram, at exponential intervals.
func SendUnsolicited(ctx context.Context, c UnsolicitedConfig) {
	source := unsolicited.New(c.Seed, c.Rate)
	r := rand.New(rand.NewPCG(c.Seed, 0x7363616e))
	for {
		s, ok := source.Next()
		if !ok {
			return
		}
		from := s.From
		to := net.JoinHostPort(c.Target.String(), strconv.Itoa(int(s.Port)))
		payload := make([]byte, s.Size)
		for i := range payload {
			payload[i] = byte(r.Uint32())
		}
		payload[0], payload[1] = payload[0]&0x3f, payload[1]&0x3f // see plainDatagram
		if c.Clock.Sleep(ctx, s.At) != nil {
			return
		}
		if s.TCP { // gives up before it would send the SYN again
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: 700 * time.Millisecond}
			_ = c.NS.Do(func() error {
				conn, err := d.DialContext(ctx, "tcp4", to)
				if err == nil {
					_ = conn.Close()
				}
				return err
			})
			continue
		}
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: from.AsSlice()}}
		_ = c.NS.Do(func() error {
			conn, err := d.DialContext(ctx, "udp4", to)
			if err == nil {
				_, err = conn.Write(payload)
				_ = conn.Close()
			}
			return err
		})
	}
}
