package cloud

import (
	"fmt"
	"net/netip"

	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

func (cl *Servers) listenDatagrams(at netip.AddrPort) error {
	conn, err := cl.c.NS.ListenUDP(at)
	if err != nil {
		return fmt.Errorf("serving UDP at %s: %w", at, err)
	}
	cl.closers = append(cl.closers, conn)
	f := exchange.NewServer(cl.ctx, exchange.ServerConfig{
		Conn: conn, Sessions: cl.c.Sessions, Clock: cl.c.Clock, Group: &cl.wg,
		Flow: func(seen netip.AddrPort) *truth.Flow {
			lan, ok := cl.c.Peer(packet.ProtoUDP, seen)
			if !ok {
				return nil
			}
			return cl.c.Registry.Find(truth.KeyOf(packet.ProtoUDP, lan, at))
		},
	})
	cl.wg.Go(f.Run)
	return nil
}
