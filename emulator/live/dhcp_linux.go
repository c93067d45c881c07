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

	"glasshouse/emulator/live/netns"
)

// lease is what a device got.
type lease struct {
	prefix netip.Prefix
	router netip.Addr
	dns    netip.Addr
	mtu    int
	got    *nclient4.Lease
}

// obtain does the four-way exchange on wlan0.
func obtain(ctx context.Context, ns *netns.Namespace, mac net.HardwareAddr) (lease, error) {
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
