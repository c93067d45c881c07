package live

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// udpSocket is a device's end of a datagram flow, connected to one remote.
type udpSocket struct {
	host  *Host
	conn  exchange.TaggedConn
	flow  *truth.Flow
	noise *exchange.Noise
	wg    sync.WaitGroup
}

func (h *Host) openUDP(ctx context.Context, s *profile.Service, tag packet.Tag) (*udpSocket, error) {
	addr, err := h.far(ctx, s, tag)
	if err != nil {
		return nil, err
	}
	raw, flow, err := h.dial(ctx, packet.ProtoUDP, netip.AddrPortFrom(addr, s.Port), tag.As(packet.RoleData), false)
	if err != nil {
		return nil, err
	}
	u := &udpSocket{host: h, flow: flow, noise: exchange.NewNoise(h.draw()), conn: truth.NewDatagramConn(raw, flow, packet.Up, tag)}
	u.wg.Go(u.receive)
	return u, nil
}

func (u *udpSocket) receive() {
	buf := make([]byte, 2048)
	for {
		n, err := u.conn.Read(buf)
		if errors.Is(err, errRefused) { // an ICMP error reached the socket
			continue
		}
		if err != nil {
			return
		}
		if j, i := u.host.c.Sessions.Parse(buf[:n]); j != nil {
			j.Arrived(packet.Down, i)
		}
	}
}

// walk does a job on the flow; the server walks it, too, from its first datagram on.
func (u *udpSocket) walk(ctx context.Context, j *exchange.Job) error {
	s := u.host.c.Sessions
	s.Register(j)
	defer time.AfterFunc(5*time.Second, func() { s.Unregister(j) }) // late datagrams still find it
	u.conn.SetTag(j.Tag)
	if len(j.Messages) > 0 && j.Messages[0].Dir == profile.Down && !s.Push(u.flow.Key(), j) {
		return errors.New("the server has not heard from the device: it cannot send first")
	}
	end := exchange.Datagrams{Clock: u.host.c.Clock, Sessions: s, Dir: packet.Up, Noise: u.noise, Send: func(p []byte) error {
		_, err := u.conn.Write(p)
		if errors.Is(err, errRefused) {
			return nil
		}
		return err
	}}
	return end.Walk(ctx, j)
}

func (u *udpSocket) Close() {
	_ = u.conn.Close()
	u.wg.Wait()
	u.host.c.Sessions.Unexpect(u.flow.Key())
	u.host.c.Registry.Close(u.flow, u.host.c.Clock.Now())
}
