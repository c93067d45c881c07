package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/beevik/ntp"
	"github.com/miekg/dns"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
	"glasshouse/emulator/wire"
)

const errRefused = unix.ECONNREFUSED

// resolve looks a host up, at the server that DHCP named, unless the answer is still fresh; force asks all the same.
func (h *Host) resolve(ctx context.Context, host string, tag packet.Tag, force bool) (netip.Addr, error) {
	now := h.c.Clock.Now()
	h.mu.Lock()
	known, ok := h.names[host]
	h.mu.Unlock()
	if ok && !force && now < known.expires {
		return known.addr, nil
	}
	raw, flow, err := h.dial(ctx, packet.ProtoUDP, netip.AddrPortFrom(h.lease.dns, wire.PortDNS), tag, true)
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() {
		_ = raw.Close()
		h.c.Registry.Close(flow, h.c.Clock.Now())
	}()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	conn := truth.NewDatagramConn(raw, flow, packet.Up, tag)
	q := new(dns.Msg).SetQuestion(dns.Fqdn(host), dns.TypeA)
	q.Id = uint16(h.draw())
	out, err := q.Pack()
	if err != nil {
		return netip.Addr{}, err
	}
	buf := make([]byte, 1500)
	for range policy.ResolveTries {
		if _, err = conn.Write(out); err != nil {
			break
		}
		_ = raw.SetReadDeadline(time.Now().Add(policy.ResolveTimeout))
		var n int
		if n, err = raw.Read(buf); err != nil {
			continue
		}
		answer := new(dns.Msg)
		if err = answer.Unpack(buf[:n]); err != nil || answer.Id != q.Id {
			continue
		}
		for _, rr := range answer.Answer {
			if a, ok := rr.(*dns.A); ok {
				addr, _ := netip.AddrFromSlice(a.A.To4())
				h.mu.Lock()
				h.names[host] = cachedName{addr, h.c.Clock.Now() + int64(a.Hdr.Ttl)*1e9}
				h.mu.Unlock()
				return addr, nil
			}
		}
		err = errors.New("no address in the answer")
		break
	}
	return netip.Addr{}, fmt.Errorf("looking %s up: %w", host, err)
}

// far returns the address that a datagram service talks to.
func (h *Host) far(ctx context.Context, s *profile.Service, tag packet.Tag) (netip.Addr, error) {
	if s.Transport != profile.TransportLAN {
		return h.resolve(ctx, s.Host, tag.As(packet.RoleData), false)
	}
	if s.Host == profile.HostPeer {
		if h.peer == nil {
			return netip.Addr{}, errNoPhone
		}
		return h.peer.lease.prefix.Addr(), nil
	}
	return broadcast(h.lease.prefix), nil
}

func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := range 32 - p.Bits() {
		b[3-i/8] |= 1 << (i % 8)
	}
	return netip.AddrFrom4(b)
}

// datagrams performs an exchange on a UDP socket of its own.
func (h *Host) datagrams(ctx context.Context, s *profile.Service, x *script.Exchange, at int64, tag packet.Tag) error {
	u, err := h.openUDP(ctx, s, tag)
	if err != nil {
		return err
	}
	defer u.Close()
	return u.walk(ctx, exchange.NewJob(x.Messages, at, tag))
}

// timeSync asks the time once.
func (h *Host) timeSync(ctx context.Context, tag packet.Tag) error {
	var flow *truth.Flow
	_, err := ntp.QueryWithOptions(h.c.NTP.String(), ntp.QueryOptions{
		Timeout: policy.ResolveTimeout,
		Dialer: func(_, _ string) (net.Conn, error) {
			raw, f, err := h.dial(ctx, packet.ProtoUDP, netip.AddrPortFrom(h.c.NTP, wire.PortNTP), tag, true)
			if err != nil {
				return nil, err
			}
			flow = f
			return truth.NewDatagramConn(raw, f, packet.Up, tag), nil
		},
	})
	if flow != nil {
		h.c.Registry.Close(flow, h.c.Clock.Now())
	}
	if err != nil {
		return fmt.Errorf("asking the time: %w", err)
	}
	return nil
}

// ping sends an echo request for each message up, and waits for each answer.
func (h *Host) ping(ctx context.Context, s *profile.Service, x *script.Exchange, tag packet.Tag) error {
	addr, err := h.resolve(ctx, s.Host, tag, false)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.echoID++
	id := h.echoID
	h.mu.Unlock()
	local := h.lease.prefix.Addr()
	key := truth.KeyOf(packet.ProtoICMP, netip.AddrPortFrom(local, id), netip.AddrPortFrom(addr, 0))
	flow := h.c.Registry.Open(key, h.c.Specimen.Index, tag, true)
	defer func() { h.c.Registry.Close(flow, h.c.Clock.Now()) }()
	var c *icmp.PacketConn
	if err := h.c.NS.Do(func() (err error) {
		c, err = icmp.ListenPacket("ip4:icmp", local.String())
		return err
	}); err != nil {
		return fmt.Errorf("opening a socket for echo: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	payload := exchange.NewNoise(h.draw())
	buf := make([]byte, 2048)
	answered := 0
	for seq, m := range x.Messages {
		if m.Dir != profile.Up {
			continue
		}
		if err := h.c.Clock.Sleep(ctx, h.c.Clock.Now()+m.Wait); err != nil {
			return err
		}
		data := buf[:min(m.Size, 1400)]
		payload.Fill(data)
		out, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: int(id), Seq: seq + 1, Data: data}}).Marshal(nil)
		if err != nil {
			return err
		}
		if _, err := c.WriteTo(out, &net.IPAddr{IP: addr.AsSlice()}); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(policy.DatagramTimeout))
		for {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				break // lost: the next one follows
			}
			if e, err := icmp.ParseMessage(1, buf[:n]); err == nil && e.Type == ipv4.ICMPTypeEchoReply && e.Body.(*icmp.Echo).ID == int(id) {
				answered++
				break
			}
		}
	}
	if answered == 0 {
		return fmt.Errorf("%s does not answer echo", s.Host)
	}
	return nil
}
