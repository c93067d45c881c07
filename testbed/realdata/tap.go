package realdata

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/link"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/wgmodel"
	"glasshouse/testbed/frames"
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

// source gives the packets of a home in the order of time.
type source func(yield func(p crossing) error) error

// connections remembers TCP connections that were seen within a while, in two maps that take turns: memory does not grow with a capture.
type connections struct {
	now, before map[connection]bool
	turned      int64
}

type connection struct{ lan, remote netip.AddrPort }

// rememberOpen is longer than the table keeps an open connection without a packet (RFC 5382: 2 h 4 min).
const rememberOpen = int64(3 * 3600e9)

// seen tells whether a connection was seen before.
func (c *connections) seen(at int64, x connection) bool {
	if c.now == nil || at-c.turned > rememberOpen {
		c.before, c.now, c.turned = c.now, make(map[connection]bool), at
	}
	old := c.now[x] || c.before[x]
	c.now[x] = true
	return old
}

// napt passes the packets of a home through a NAPT's table. What comes from outside was let in where it was captured, so it is here.
// A TCP connection that was open before the capture began is taken for open: its port stays as long as an open one's does. IPv6 is routed as
// it is.
func napt(packets source, tap tapped) error {
	table := nat.NewTable(nat.TableConfig{WAN: wanAddr, Filtering: nat.FilterNone})
	var opened connections
	return packets(func(p crossing) error {
		port := uint16(0)
		local, remote, ok := p.ends()
		switch {
		case !ok:
		case p.Is6():
			port = local
		default:
			lan := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 200, byte(10 + p.unit)}), local)
			flags := p.Flags()
			out, in := flags, uint8(0)
			if !p.up {
				out, in = 0, flags
			}
			if p.Proto == frames.ProtoTCP && !opened.seen(p.at, connection{lan, remote}) && flags&flagSYN == 0 {
				out, in = out|flagSYN, in|flagSYN
			}
			if wan, ok := table.Out(p.at, p.Proto, lan, remote, out); ok {
				port = wan.Port()
				if in != 0 {
					table.In(p.at, p.Proto, port, remote, in)
				}
			}
		}
		tap(p.at, p.up, p.IP, p.Length, port, p.lineage())
		return nil
	})
}

// tunnel passes the packets of a home through a modelled WireGuard tunnel. They pass the tap when they were captured; what waits for the
// tunnel's handshake, later, and what does not fit WireGuard's queue there is lost: it is counted by reason.
func tunnel(ctx context.Context, packets source, tap tapped) (lost frames.LeftOut, err error) {
	const before = 1e9 // of the home's start: what came first from outside was on its way
	c, pool, noise := clock.NewVirtual(-before), packet.NewLocalPool(), packet.NewNoise(seedTunnel, 1)
	var client, server *wgmodel.End
	see := func(p packet.Packet, up bool) { tap(c.Now(), up, p.Data, len(p.Data), 0, p.Lineage) }
	toServer := link.NewDelayLine(c, func(p *packet.Packet) { server.Open(*p) })
	toClient := link.NewDelayLine(c, func(p *packet.Packet) {
		see(*p, false)
		client.Open(*p)
	})
	end := wgmodel.Config{
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
	if client, server, err = wgmodel.NewPair(near, far); err != nil {
		return nil, err
	}
	last := int64(0)
	order := queue{while: together + farAway, newest: -before, yield: func(p crossing) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.Run(max(p.at, c.Now()))
		b := pool.Get()[:p.Length]
		clear(b[copy(b, p.IP):])
		if p.up {
			client.Seal(packet.Packet{Data: b, At: c.Now(), Lineage: p.lineage()})
		} else {
			server.Seal(packet.Packet{Data: b, At: c.Now(), Lineage: p.lineage()})
		}
		last = p.at
		return nil
	}}
	var failed error
	cut := newRecutter(mtuTunnel, func(p crossing) {
		if !p.up {
			p.at -= farAway
		}
		if failed == nil {
			failed = order.add(p)
		}
	})
	if err := packets(func(p crossing) error {
		cut.add(p)
		return failed
	}); err != nil {
		return nil, err
	}
	cut.end()
	if err := errors.Join(failed, order.until(math.MaxInt64)); err != nil {
		return nil, err
	}
	c.Run(last + before)
	lost = make(frames.LeftOut)
	for _, d := range []wgmodel.Drops{client.Drops(), server.Drops()} {
		if n := d.Unfit + d.Lost + d.Refused; n > 0 { // packets were cut to fit, and the modelled way loses nothing
			return nil, fmt.Errorf("the tunnel lost %d packets: %+v", n, d)
		}
		for reason, n := range map[string]int64{leftQueue: d.Overflow, leftHandshake: d.NoHandshake} {
			if n > 0 {
				lost[reason] += n
			}
		}
	}
	return lost, nil
}

// Reasons for which WireGuard loses a packet: more than 128 waited for a handshake, or it was given up.
const (
	leftQueue     = "tunnel_queue_full"
	leftHandshake = "tunnel_no_handshake"
)
