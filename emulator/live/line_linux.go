package live

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"glasshouse/devices"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// line is a lasting service: one connection, or one UDP socket, for as long as the device lives. Exchanges follow each
// other on it. When it breaks, the next exchange opens it again.
type line struct {
	host  *Host
	s     *devices.Service
	queue chan errand
	done  chan struct{}
	once  sync.Once

	conn *connection // of streams; nil while down
	udp  *udpSocket  // of datagrams
	was  bool        // it was up once: opening it again is a reconnect
}

type errand struct {
	ctx    context.Context
	x      *devices.Exchange
	at     int64
	tag    truth.Tag
	result chan<- error
}

func newLine(h *Host, s *devices.Service) *line {
	l := &line{host: h, s: s, queue: make(chan errand, 1024), done: make(chan struct{})}
	h.wg.Go(l.run)
	return l
}

var errStopped = errors.New("the host has stopped")

func (l *line) enqueue(ctx context.Context, x *devices.Exchange, at int64, tag truth.Tag, result chan<- error) {
	select {
	case l.queue <- errand{ctx, x, at, tag, result}:
	default:
		result <- errors.New("too many exchanges wait for the connection")
	}
}

func (l *line) stop() { l.once.Do(func() { close(l.done) }) }

func (l *line) run() {
	defer l.hangUp()
	for {
		select {
		case <-l.done:
			return
		case e := <-l.queue:
			e.result <- l.perform(e)
		}
	}
}

func (l *line) hangUp() {
	if l.conn != nil {
		l.conn.drop()
		l.conn = nil
	}
	if l.udp != nil {
		l.udp.close()
		l.udp = nil
	}
}

func (l *line) perform(e errand) error {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	defer context.AfterFunc(l.host.ctx, cancel)()
	select {
	case <-l.host.ready:
	case <-ctx.Done():
		return errStopped
	}
	if e.x.Op == devices.OpConnect {
		if err := l.host.c.Clock.Sleep(ctx, e.at); err != nil {
			return err
		}
		return l.open(ctx, e.tag, packet.RoleTCPHandshake)
	}
	if l.s.Stream() {
		return l.stream(ctx, e)
	}
	if err := l.open(ctx, e.tag, packet.RoleTCPHandshake); err != nil {
		return err
	}
	return l.udp.walk(ctx, newJob(e.x.Messages, e.at, e.tag))
}

func (l *line) stream(ctx context.Context, e errand) error {
	l.host.mu.Lock()
	boot := l.host.boot
	l.host.mu.Unlock()
	if err := l.open(ctx, boot, packet.RoleReconnect); err != nil {
		return err
	}
	err := l.conn.walk(ctx, newJob(e.x.Messages, e.at, e.tag))
	if err == nil {
		return nil
	}
	l.conn.drop()
	l.conn = nil
	if ctx.Err() == nil {
		_ = l.open(ctx, boot, packet.RoleReconnect)
	}
	return err
}

// Reconnects wait this long at first, then twice as long each time.
const (
	backoffFirst = time.Second
	backoffTries = 4
)

// open brings the line up if it is down.
func (l *line) open(ctx context.Context, tag truth.Tag, role packet.Role) error {
	if !l.s.Stream() {
		if l.udp != nil {
			return nil
		}
		var err error
		l.udp, err = l.host.openUDP(ctx, l.s, tag)
		return err
	}
	if l.conn != nil {
		return nil
	}
	if !l.was {
		role = packet.RoleTCPHandshake
	}
	wait := backoffFirst
	var err error
	for range backoffTries {
		if err = l.login(ctx, tag, role); err == nil {
			l.was = true
			return nil
		}
		if l.host.c.Clock.Sleep(ctx, l.host.c.Clock.Now()+int64(wait)) != nil {
			break
		}
		wait *= 2
	}
	return err
}

func (l *line) login(ctx context.Context, tag truth.Tag, role packet.Role) error {
	// The connection outlives the exchange that opens it: it ends with the host.
	c, err := l.host.connect(l.host.ctx, l.s, tag, role)
	if err != nil {
		return err
	}
	if m := l.s.LoginMessages(); m != nil {
		if err := c.walk(ctx, newJob(m, l.host.c.Clock.Now(), tagged(tag, roleOr(role, packet.RoleData)))); err != nil {
			c.drop()
			return err
		}
	}
	l.conn = c
	return nil
}

// udpSocket is a device's end of a datagram flow, connected to one remote.
type udpSocket struct {
	host   *Host
	conn   tagger
	flow   *truth.Flow
	remote netip.AddrPort
	noise  *noise
	wg     sync.WaitGroup
}

func (h *Host) openUDP(ctx context.Context, s *devices.Service, tag truth.Tag) (*udpSocket, error) {
	addr, err := h.far(ctx, s, tag)
	if err != nil {
		return nil, err
	}
	remote := netip.AddrPortFrom(addr, s.Port)
	raw, flow, err := h.dial(ctx, truth.ProtoUDP, remote, tagged(tag, packet.RoleData), false)
	if err != nil {
		return nil, err
	}
	u := &udpSocket{host: h, flow: flow, remote: remote, noise: newNoise(h.draw()), conn: truth.NewDatagramConn(raw, flow, packet.Up, tag)}
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
		if j, i := u.host.c.Sessions.parse(buf[:n]); j != nil {
			j.got[0].arrived(i)
		}
	}
}

// walk does a job on the flow; the far end walks it, too, from its first datagram on.
func (u *udpSocket) walk(ctx context.Context, j *job) error {
	s := u.host.c.Sessions
	s.register(j)
	defer time.AfterFunc(5*time.Second, func() { s.unregister(j) }) // late datagrams still find it
	u.conn.SetTag(j.tag)
	if len(j.messages) > 0 && j.messages[0].Dir == devices.Down && !s.push(u.flow.Key(), j) {
		return errors.New("the far end of the flow is not there to push")
	}
	return walkDatagrams(ctx, u.host.c.Clock, s, packet.Up, j, u.noise, func(p []byte) error {
		_, err := u.conn.Write(p)
		if errors.Is(err, errRefused) {
			return nil
		}
		return err
	})
}

func (u *udpSocket) close() {
	_ = u.conn.Close()
	u.wg.Wait()
	u.host.c.Registry.Close(u.flow, u.host.c.Clock.Now())
}
