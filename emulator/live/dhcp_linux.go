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

// ServeDHCP answers on an interface of a namespace until the returned server is closed.
func ServeDHCP(ns *Namespace, iface string, c DHCPConfig) (*server4.Server, error) {
	var s *server4.Server
	err := ns.Do(func() (err error) {
		s, err = server4.NewServer(iface, &net.UDPAddr{IP: net.IPv4zero, Port: dhcpv4.ServerPort}, c.answer)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("starting the DHCP server: %w", err)
	}
	go func() { _ = s.Serve() }() // ends with an error when it is closed
	return s, nil
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
	got, err := client.Request(ctx)
	if err != nil {
		return lease{}, fmt.Errorf("asking for an address: %w", err)
	}
	return readLease(got.ACK)
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
