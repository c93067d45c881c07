package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
)

func netParse(p netip.Prefix) (net.IP, *net.IPNet, error) { return net.ParseCIDR(p.Masked().String()) }

// DHCPConfig is what a home's DHCP server hands out.
type DHCPConfig struct {
	Server netip.Addr
	Prefix netip.Prefix
	Leases map[[6]byte]netip.Addr // reservations; nobody else gets an address
	Router netip.Addr
	DNS    netip.Addr
	MTU    int
	Lease  time.Duration
}

// DHCPServer is a home's DHCP server.
type DHCPServer struct {
	s    *server4.Server
	done chan struct{}
}

// Close ends the server and waits for it.
func (d *DHCPServer) Close() error {
	err := d.s.Close()
	<-d.done
	return err
}

// ServeDHCP answers on an interface of a namespace until the returned server is closed.
func ServeDHCP(ns *Namespace, iface string, c DHCPConfig) (*DHCPServer, error) {
	var s *server4.Server
	err := ns.Do(func() (err error) {
		s, err = server4.NewServer(iface, &net.UDPAddr{IP: net.IPv4zero, Port: dhcpv4.ServerPort}, c.answer)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("starting the DHCP server: %w", err)
	}
	d := &DHCPServer{s: s, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		_ = s.Serve() // ends with an error when it is closed
	}()
	return d, nil
}

func (c *DHCPConfig) answer(conn net.PacketConn, peer net.Addr, req *dhcpv4.DHCPv4) {
	var kind dhcpv4.MessageType
	switch req.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		kind = dhcpv4.MessageTypeOffer
	case dhcpv4.MessageTypeRequest:
		kind = dhcpv4.MessageTypeAck
	default:
		return
	}
	if len(req.ClientHWAddr) != 6 {
		return
	}
	addr, ok := c.Leases[[6]byte(req.ClientHWAddr)]
	if !ok {
		return
	}
	mtu := dhcpv4.Option{Code: dhcpv4.OptionInterfaceMTU, Value: dhcpv4.Uint16(uint16(c.MTU))}
	_, ipnet, _ := netParse(c.Prefix)
	resp, err := dhcpv4.NewReplyFromRequest(req,
		dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(addr.AsSlice()), dhcpv4.WithServerIP(c.Server.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(c.Server.AsSlice())), dhcpv4.WithNetmask(ipnet.Mask),
		dhcpv4.WithRouter(c.Router.AsSlice()), dhcpv4.WithDNS(c.DNS.AsSlice()),
		dhcpv4.WithLeaseTime(uint32(c.Lease.Seconds())), dhcpv4.WithOption(mtu))
	if err != nil {
		return
	}
	_, _ = conn.WriteTo(resp.ToBytes(), peer)
}

// lease is what a device got.
type lease struct {
	prefix netip.Prefix
	router netip.Addr
	dns    netip.Addr
	mtu    int
	got    *nclient4.Lease
}

// obtain does the four-way exchange on wlan0.
func obtain(ctx context.Context, ns *Namespace, mac net.HardwareAddr) (lease, error) {
	var client *nclient4.Client
	err := ns.Do(func() (err error) {
		client, err = nclient4.New("wlan0", nclient4.WithHWAddr(mac), nclient4.WithTimeout(time.Second), nclient4.WithRetry(8))
		return err
	})
	if err != nil {
		return lease{}, fmt.Errorf("starting the DHCP client: %w", err)
	}
	defer client.Close()
	got, err := client.Request(ctx, dhcpv4.WithRequestedOptions(dhcpv4.OptionInterfaceMTU))
	if err != nil {
		return lease{}, fmt.Errorf("asking for an address: %w", err)
	}
	l, err := readLease(got.ACK)
	l.got = got
	return l, err
}

// leastRetry is how long a client waits at least before it asks again for a renewal (RFC 2131, section 4.4.5).
const leastRetry = time.Minute

// keepLease renews the lease when half of it is over, and on failure when half of what is left is, until the host is
// closed. A lease that could not be renewed in time is kept all the same: the home's reservations never change.
func (h *Host) keepLease(l lease) {
	whole := l.got.ACK.IPAddressLeaseTime(0)
	for whole > 0 {
		left := whole
		for {
			wait := max(left/2, min(leastRetry, left))
			if left == whole {
				wait = l.got.ACK.IPAddressRenewalTime(whole / 2)
			}
			if h.c.Clock.Sleep(h.ctx, h.c.Clock.Now()+int64(wait)) != nil {
				return
			}
			err := h.renew(&l)
			if err == nil {
				break
			}
			if h.ctx.Err() != nil {
				return
			}
			h.c.Log.Warn("the lease is not renewed", "unit", h.name, "error", err)
			if left -= wait; left <= 0 {
				return
			}
		}
		whole = l.got.ACK.IPAddressLeaseTime(0)
	}
}

// renew asks the server that gave the lease, by unicast, to prolong it.
func (h *Host) renew(l *lease) error {
	server := l.got.ACK.ServerIdentifier()
	mac := h.c.Specimen.MAC
	var client *nclient4.Client
	if err := h.c.NS.Do(func() (err error) {
		client, err = nclient4.New("wlan0", nclient4.WithHWAddr(mac[:]), nclient4.WithTimeout(4*time.Second), nclient4.WithRetry(1),
			nclient4.WithUnicast(&net.UDPAddr{IP: l.prefix.Addr().AsSlice(), Port: dhcpv4.ClientPort}),
			nclient4.WithServerAddr(&net.UDPAddr{IP: server, Port: dhcpv4.ServerPort}))
		return err
	}); err != nil {
		return fmt.Errorf("starting the DHCP client: %w", err)
	}
	defer client.Close()
	got, err := client.Renew(h.ctx, l.got)
	if err != nil {
		return fmt.Errorf("renewing the lease: %w", err)
	}
	l.got = got
	return nil
}

func readLease(ack *dhcpv4.DHCPv4) (lease, error) {
	var l lease
	addr, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok {
		return l, errors.New("the lease has no address")
	}
	ones, _ := ack.SubnetMask().Size()
	l.prefix = netip.PrefixFrom(addr, ones)
	if r := ack.Router(); len(r) > 0 {
		l.router, _ = netip.AddrFromSlice(r[0].To4())
	}
	if d := ack.DNS(); len(d) > 0 {
		l.dns, _ = netip.AddrFromSlice(d[0].To4())
	}
	l.mtu = 1500
	if m, err := dhcpv4.GetUint16(dhcpv4.OptionInterfaceMTU, ack.Options); err == nil {
		l.mtu = int(m)
	}
	return l, nil
}
