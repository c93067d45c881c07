package router

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"

	"glasshouse/emulator/live/netns"
)

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
func ServeDHCP(ns *netns.Namespace, iface string, c DHCPConfig) (*DHCPServer, error) {
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
	_, ipnet, _ := net.ParseCIDR(c.Prefix.Masked().String())
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
