package realdata

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway"
)

// tapped takes what passes the tap: an IP packet of length bytes, of which the beginning is there, at ns from the home's start. port is the
// gateway's, 0 where there is none, or where the packet is the tunnel's.
type tapped func(at int64, up bool, ip []byte, length int, port uint16, of packet.Lineage)

// Addresses of the gateway and of the tunnel's far end: documentation networks (RFC 5737).
var (
	wanAddr   = netip.AddrFrom4([4]byte{192, 0, 2, 2})
	vpnServer = netip.AddrFrom4([4]byte{198, 51, 100, 1})
)

const (
	mtuTunnel  = 1420 // wg-quick's on an Ethernet of 1500
	tunnelPort = 51820
	farAway    = 10e6 // ns to the tunnel's far end
	seedTunnel = 0x7265616c
)

// lineage of a packet: roles are told by TCP's flags and lengths alone, so repeated ones are data, and keepalives acknowledgements.
func (p *crossing) lineage() packet.Lineage {
	l := packet.Lineage{Unit: int32(p.unit), Event: packet.EventNone, Role: packet.RoleData}
	if _, _, _, data, ok := p.segment(); ok && data > 0 {
		return l
	}
	head := int(p.ip[0]&15) * 4
	if p.ip[9] != protoTCP || len(p.ip) < head+14 {
		return l
	}
	switch flags := p.ip[head+13]; {
	case flags&2 != 0:
		l.Role = packet.RoleTCPHandshake
	case flags&5 != 0:
		l.Role = packet.RoleClose
	default:
		l.Role = packet.RoleAck
	}
	return l
}

// napt passes the packets of a home through a NAPT's table. What comes from outside was let in where it was captured, so it is here.
// A TCP connection that was open before the capture began is taken for open: its port stays as long as an open one's does.
func napt(packets []crossing, tap tapped) {
	type connection struct{ lan, remote netip.AddrPort }
	table := gateway.NewTable(gateway.TableConfig{WAN: wanAddr, Filtering: gateway.FilterNone})
	opened := make(map[connection]bool)
	for i := range packets {
		p := &packets[i]
		port := uint16(0)
		if proto, local, remote, ok := p.ends(); ok {
			lan := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 200, byte(10 + p.unit)}), local)
			flags := p.flags()
			out, in := flags, uint8(0)
			if !p.up {
				out, in = 0, flags
			}
			if c := (connection{lan, remote}); proto == protoTCP && !opened[c] {
				opened[c] = true
				if flags&flagSYN == 0 {
					out, in = out|flagSYN, in|flagSYN
				}
			}
			if wan, ok := table.Out(p.at, proto, lan, remote, out); ok {
				port = wan.Port()
				if in != 0 {
					table.In(p.at, proto, port, remote, in)
				}
			}
		}
		tap(p.at, p.up, p.ip, p.length, port, p.lineage())
	}
}

// flagSYN begins a TCP connection.
const flagSYN = 2

// flags are TCP's, 0 where there are none.
func (p *crossing) flags() uint8 {
	head := int(p.ip[0]&15) * 4
	if p.ip[9] != protoTCP || len(p.ip) < head+14 || binary.BigEndian.Uint16(p.ip[6:])&0x1fff != 0 {
		return 0
	}
	return p.ip[head+13]
}

// tunnel passes the packets of a home through a modelled WireGuard tunnel. They pass the tap when they were captured; what waits for the
// tunnel's handshake, later.
func tunnel(ctx context.Context, packets []crossing, tap tapped) error {
	const before = 1e9 // of the home's start: what came first from outside was on its way
	packets = recut(packets, mtuTunnel)
	c, pool, noise := clock.NewVirtual(-before), packet.NewLocalPool(), packet.NewNoise(seedTunnel, 1)
	var client, server *gateway.TunnelEnd
	see := func(p packet.Packet, up bool) { tap(c.Now(), up, p.Data, len(p.Data), 0, p.Lineage) }
	toServer := gateway.NewLine(c, func(p *packet.Packet) { server.Open(*p) })
	toClient := gateway.NewLine(c, func(p *packet.Packet) {
		see(*p, false)
		client.Open(*p)
	})
	end := gateway.TunnelModelConfig{
		Clock: c, MTU: mtuTunnel, Noise: noise, Pool: pool, Seed: seedTunnel, Deliver: func(p packet.Packet) { pool.Put(p.Data) },
	}
	near, far := end, end
	near.Local, near.Remote, near.Seed = netip.AddrPortFrom(wanAddr, tunnelPort), netip.AddrPortFrom(vpnServer, tunnelPort), seedTunnel^1
	near.Send = func(p packet.Packet) {
		see(p, true)
		toServer.Send(&p, c.Now()+farAway)
	}
	far.Local = netip.AddrPortFrom(vpnServer, tunnelPort)
	far.Send = func(p packet.Packet) { toClient.Send(&p, c.Now()+farAway) }
	var err error
	if client, server, err = gateway.NewTunnelPair(near, far); err != nil {
		return err
	}
	for i := range packets {
		p := &packets[i]
		at := p.at
		if !p.up {
			at -= farAway
		}
		packets[i].at = at
	}
	last := int64(0)
	for _, p := range inOrder(packets) {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.Run(max(p.at, c.Now()))
		b := pool.Get()[:p.length]
		clear(b[copy(b, p.ip):])
		if p.up {
			client.Seal(packet.Packet{Data: b, At: c.Now(), Lineage: p.lineage()})
		} else {
			server.Seal(packet.Packet{Data: b, At: c.Now(), Lineage: p.lineage()})
		}
		last = p.at
	}
	c.Run(last + before)
	lost := client.Drops()
	for _, d := range []gateway.TunnelDrops{lost, server.Drops()} {
		if n := d.Unfit + d.Overflow + d.NoHandshake + d.Lost + d.Refused; n > 0 {
			return fmt.Errorf("the tunnel lost %d packets: %+v", n, d)
		}
	}
	return nil
}
