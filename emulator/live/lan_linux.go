package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"glasshouse/devices/profile"
	"glasshouse/emulator/discovery"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/wire"
)

// groupSocket is a device's socket for a kind of service on the LAN. It has joined the group, so its kernel reports that, and
// answers a router's question.
type groupSocket struct {
	conn  *net.UDPConn
	group netip.AddrPort
}

// listen joins the groups that the device's services belong to.
func (h *Host) listen() error {
	profile := h.c.Specimen.Profile
	for i := range profile.Services {
		s := &profile.Services[i]
		if !s.Multicast() || h.discoveries[s.Transport] != nil {
			continue
		}
		d, err := h.joinGroup(s)
		if err != nil {
			return fmt.Errorf("joining the group of %s: %w", s.Transport, err)
		}
		h.discoveries[s.Transport] = d
		context.AfterFunc(h.ctx, func() { _ = d.conn.Close() })
		h.wg.Go(func() { h.hear(s.Transport, d) })
	}
	return nil
}

// hear reads what others say by a kind of groupSocket until the host is closed, and answers who looks for what the device offers.
func (h *Host) hear(t profile.Transport, d *groupSocket) {
	offers := discovery.Offers(h.c.Specimen.Profile, t)
	said := make(map[string]int64) // until when an answer about a service is not said again, ns
	buf := make([]byte, 2048)
	for {
		n, from, err := d.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if !offers {
			continue
		}
		now := h.c.Clock.Now()
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		for _, a := range discovery.Answers(t, buf[:n], from, h.c.Specimen, h.addrOf(t)) {
			if a.Once && now < said[a.Service] {
				continue
			}
			at := now + a.After + int64(h.draw()%uint64(a.Within))
			if a.Once {
				said[a.Service] = at + discovery.MDNSQuiet
			}
			to := a.To
			if to.Addr().IsMulticast() {
				to = d.group
			}
			h.wg.Go(func() {
				if h.c.Clock.Sleep(h.ctx, at) == nil {
					_, _ = d.conn.WriteToUDPAddrPort(a.Payload, to) // lost, if the host is being closed
				}
			})
		}
	}
}

// addrOf returns the device's address on the family that a kind of groupSocket uses.
func (h *Host) addrOf(t profile.Transport) netip.Addr {
	if t == profile.TransportMDNS6 {
		return wire.LinkLocal(h.c.Specimen.MAC)
	}
	return h.lease.prefix.Addr()
}

func (h *Host) joinGroup(s *profile.Service) (*groupSocket, error) {
	x := discovery.New(profile.OpQuery, s, h.c.Specimen, h.lease.prefix.Addr())
	d := &groupSocket{group: x.To}
	network, six := "udp4", x.To.Addr().Is6()
	if six {
		network = "udp6"
	}
	return d, h.c.NS.Do(func() error {
		wlan, err := net.InterfaceByName("wlan0")
		if err != nil {
			return err
		}
		if six {
			d.group = netip.AddrPortFrom(x.To.Addr().WithZone("wlan0"), x.To.Port())
		}
		if d.conn, err = net.ListenUDP(network, &net.UDPAddr{Port: int(x.Own)}); err != nil {
			return err
		}
		group := &net.UDPAddr{IP: x.To.Addr().AsSlice()}
		if six {
			p := ipv6.NewPacketConn(d.conn)
			return errors.Join(p.JoinGroup(wlan, group), p.SetMulticastInterface(wlan), p.SetMulticastHopLimit(x.Hops),
				p.SetMulticastLoopback(false))
		}
		p := ipv4.NewPacketConn(d.conn)
		return errors.Join(p.JoinGroup(wlan, group), p.SetMulticastInterface(wlan), p.SetMulticastTTL(x.Hops), p.SetMulticastLoopback(false))
	})
}

// discover sends what a device asks or announces to everybody on the LAN.
func (h *Host) discover(op profile.Op, s *profile.Service) error {
	d := h.discoveries[s.Transport]
	if d == nil {
		return fmt.Errorf("%s listens to no group of %s", h.name, s.Transport)
	}
	_, err := d.conn.WriteToUDPAddrPort(discovery.New(op, s, h.c.Specimen, h.addrOf(s.Transport)).Payload, d.group)
	return err
}

// start6 switches the kernel's IPv6 on: from then on it looks for routers and tells its groups by itself.
func (h *Host) start6() error {
	err := h.c.NS.Sysctl("net.ipv6.conf.wlan0.disable_ipv6", "0")
	if os.IsNotExist(err) { // a kernel without IPv6
		return nil
	}
	return err
}

// ARP's frame (RFC 826): Ethernet header, then hardware and protocol, operation, sender, target.
const arpFrame = 14 + 28

// askRouter asks by ARP whether the router is still there. The kernel takes the answer for its own table.
func (h *Host) askRouter() error {
	var b [arpFrame]byte
	h.arpRequest(b[:], h.routerMAC())
	copy(b[38:], h.lease.router.AsSlice())
	s, err := h.openPackets()
	if err != nil {
		return err
	}
	defer s.Close()
	return s.send(b[:])
}

// scan asks by ARP for one address of the LAN after the other. The kernel takes no answer that it has not asked for.
func (h *Host) scan(ctx context.Context) error {
	s, err := h.openPackets()
	if err != nil {
		return err
	}
	defer s.Close()
	var b [arpFrame]byte
	h.arpRequest(b[:], nil)
	at := h.c.Clock.Now()
	for _, target := range discovery.Neighbours(h.lease.prefix, h.lease.prefix.Addr()) {
		copy(b[38:], target.AsSlice())
		if err := s.send(b[:]); err != nil {
			return err
		}
		at += discovery.ScanPace
		if err := h.c.Clock.Sleep(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// arpRequest writes a question to one machine, or to everybody, whose target is still to be set.
func (h *Host) arpRequest(b []byte, to net.HardwareAddr) {
	mac := h.c.Specimen.MAC
	for i := range 6 {
		b[i] = 0xff
	}
	copy(b, to)
	copy(b[6:], mac[:])
	binary.BigEndian.PutUint16(b[12:], unix.ETH_P_ARP)
	copy(b[14:], "\x00\x01\x08\x00\x06\x04\x00\x01")
	copy(b[22:], mac[:])
	copy(b[28:], h.lease.prefix.Addr().AsSlice())
}

// packetSocket sends whole frames from a device's interface.
type packetSocket struct {
	fd int
	to unix.SockaddrLinklayer
}

func (h *Host) openPackets() (*packetSocket, error) {
	s := &packetSocket{}
	return s, h.c.NS.Do(func() error {
		wlan, err := net.InterfaceByName("wlan0")
		if err != nil {
			return err
		}
		s.to.Ifindex = wlan.Index
		if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return fmt.Errorf("opening a packet socket: %w", err)
		}
		return nil
	})
}

func (s *packetSocket) send(frame []byte) error { return unix.Sendto(s.fd, frame, 0, &s.to) }
func (s *packetSocket) Close()                  { _ = unix.Close(s.fd) }

// routerMAC returns the router's MAC address, if the kernel knows it.
func (h *Host) routerMAC() net.HardwareAddr {
	return h.c.NS.Neighbour("wlan0", h.lease.router)
}

// ServeLAN answers on a UDP port of this host, for devices of the same home: the phone's end of what it views locally.
func (h *Host) ServeLAN(port uint16) error {
	at := netip.AddrPortFrom(h.lease.prefix.Addr(), port)
	conn, err := h.c.NS.ListenUDP(at)
	if err != nil {
		return fmt.Errorf("%s: serving UDP port %d: %w", h.name, port, err)
	}
	context.AfterFunc(h.ctx, func() { _ = conn.Close() })
	f := exchange.NewServer(h.ctx, exchange.ServerConfig{Conn: conn, Sessions: h.c.Sessions, Clock: h.c.Clock, Group: &h.wg})
	h.wg.Go(f.Run)
	return nil
}
