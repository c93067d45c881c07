package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/wire"
)

// QueryGroups asks on the LAN who listens to which group, as an IGMP querier does, until ctx ends.
func QueryGroups(ctx context.Context, ns *netns.Namespace, clock exchange.Clock, own netip.Addr, every int64) error {
	if every <= 0 {
		return nil
	}
	var c net.PacketConn
	err := ns.Do(func() (err error) {
		c, err = (&net.ListenConfig{}).ListenPacket(ctx, "ip4:"+fmt.Sprint(wire.ProtoIGMP), own.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("opening a socket for IGMP: %w", err)
	}
	defer c.Close()
	raw, err := c.(*net.IPConn).SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = errors.Join(
			unix.SetsockoptInet4Addr(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, own.As4()),
			unix.SetsockoptString(int(fd), unix.IPPROTO_IP, unix.IP_OPTIONS, "\x94\x04\x00\x00"), // router alert
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, 0xc0),
		)
	})
	if err := errors.Join(err, set); err != nil {
		return fmt.Errorf("setting up a socket for IGMP: %w", err)
	}
	for at := every; clock.Sleep(ctx, at) == nil; at += every {
		if _, err := c.WriteTo(wire.AppendIGMPQuery(nil), &net.IPAddr{IP: net.IPv4allsys}); err != nil {
			return fmt.Errorf("asking who listens: %w", err)
		}
	}
	return nil
}
