package live

import (
	"context"
	"errors"
	"sync"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

// lasting is a lasting service: one connection, or one UDP socket, for as long as the device lives. Exchanges follow each
// other on it. When it breaks it is opened again, under the event of the boot. All but queue and done belong to run.
type lasting struct {
	host  *Host
	s     *profile.Service
	queue chan task
	done  chan struct{}
	once  sync.Once

	conn   *connection // of streams; nil while down
	udp    *udpSocket  // of datagrams
	wanted bool        // somebody asked for it: it is kept up
	was    bool        // it was up once: opening it again is a reconnect
	pause  time.Duration
}

type task struct {
	ctx    context.Context
	x      *script.Exchange
	at     int64
	tag    packet.Tag
	result chan<- error
}

func newLasting(h *Host, s *profile.Service) *lasting {
	l := &lasting{host: h, s: s, queue: make(chan task, 1024), done: make(chan struct{}), pause: policy.ReconnectFirst}
	h.wg.Go(l.run)
	return l
}

var errStopped = errors.New("the host has stopped")

func (l *lasting) enqueue(ctx context.Context, x *script.Exchange, at int64, tag packet.Tag, result chan<- error) {
	select {
	case l.queue <- task{ctx, x, at, tag, result}:
	default:
		result <- errors.New("too many exchanges wait for the connection")
	}
}

func (l *lasting) stop() { l.once.Do(func() { close(l.done) }) }

func (l *lasting) run() {
	defer l.hangUp()
	for {
		due, rest := l.watch()
		select {
		case <-l.done:
			rest()
			return
		case e := <-l.queue:
			rest()
			select {
			case <-due: // it broke just now: not under this exchange
				l.mend()
			default:
			}
			e.result <- l.perform(e)
		case <-due:
			rest()
			l.mend()
		}
	}
}

// watch tells when the line must be mended: its connection broke, or another try is due. rest ends the watch.
func (l *lasting) watch() (due <-chan struct{}, rest func()) {
	switch {
	case l.conn != nil:
		return l.conn.watch()
	case l.wanted && l.s.Stream():
		again := make(chan struct{})
		t := time.AfterFunc(l.backoff(), func() { close(again) })
		return again, func() { t.Stop() }
	}
	return nil, func() {}
}

// mend closes what the far end has closed, and tries once to open it again.
func (l *lasting) mend() {
	if l.conn != nil {
		l.conn.takeLeave()
		l.conn = nil
	}
	_ = l.login(l.host.ctx, l.host.bootTag(), packet.RoleReconnect, nil) // after a failure, watch sets the time of the next try
}

// backoff returns how long to wait before the next try.
func (l *lasting) backoff() time.Duration {
	pause := l.pause
	l.pause = min(2*pause, policy.ReconnectMost)
	return pause
}

func (l *lasting) hangUp() {
	if l.conn != nil {
		l.conn.drop()
		l.conn = nil
	}
	if l.udp != nil {
		l.udp.Close()
		l.udp = nil
	}
}

func (l *lasting) perform(e task) error {
	select {
	case <-l.host.ready:
	case <-e.ctx.Done():
		return errStopped
	}
	if e.x.Op == profile.OpConnect {
		if err := l.host.c.Clock.Sleep(e.ctx, e.at); err != nil {
			return err
		}
		return l.Open(e.ctx, e.tag, packet.RoleTCPHandshake, e.x.Messages)
	}
	if e.x.Op == profile.OpReconnect || e.x.Op == profile.OpDisconnect {
		if err := l.host.c.Clock.Sleep(e.ctx, e.at); err != nil {
			return err
		}
		l.Close()
		if e.x.Op == profile.OpDisconnect {
			return nil
		}
		return l.Open(e.ctx, e.tag, packet.RoleReconnect, e.x.Messages)
	}
	if l.s.Stream() {
		return l.stream(e)
	}
	if err := l.Open(e.ctx, e.tag, packet.RoleTCPHandshake, nil); err != nil {
		return err
	}
	return l.udp.walk(e.ctx, exchange.NewJob(e.x.Messages, e.at, e.tag))
}

// Close ends the connection, if there is one, in order; nobody wants it until it is opened again.
func (l *lasting) Close() {
	l.wanted = false
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

func (l *lasting) stream(e task) error {
	boot := l.host.bootTag()
	if err := l.Open(e.ctx, boot, packet.RoleReconnect, nil); err != nil {
		return err
	}
	err := l.conn.walk(e.ctx, exchange.NewJob(e.x.Messages, e.at, e.tag))
	if err == nil {
		return nil
	}
	l.conn.drop()
	l.conn = nil
	if e.ctx.Err() == nil {
		_ = l.Open(e.ctx, boot, packet.RoleReconnect, nil)
	}
	return err
}

// Open brings the line up if it is down. first is what is said on it at first; nil: what the service's log-in says.
func (l *lasting) Open(ctx context.Context, tag packet.Tag, role packet.Role, first []script.Message) error {
	l.wanted = true
	if !l.s.Stream() {
		return l.openDatagrams(ctx, tag)
	}
	for try := 1; l.conn == nil; try++ {
		err := l.login(ctx, tag, role, first)
		if err == nil {
			break
		}
		if try == policy.ReconnectTries || l.host.c.Clock.Sleep(ctx, l.host.c.Clock.Now()+int64(l.backoff())) != nil {
			return err
		}
	}
	return nil
}

// openDatagrams opens the socket and logs in. A log-in that is lost is not repeated: the far end knows the device by the
// next datagram.
func (l *lasting) openDatagrams(ctx context.Context, tag packet.Tag) error {
	if l.udp != nil {
		return nil
	}
	u, err := l.host.openUDP(ctx, l.s, tag)
	if err != nil {
		return err
	}
	u.host.c.Sessions.Expect(u.flow.Key())
	l.udp = u
	if m := script.LoginMessages(l.s, l.host.draw); m != nil {
		return u.walk(ctx, exchange.NewJob(m, l.host.c.Clock.Now(), tag))
	}
	return nil
}

// login opens the connection and says its first messages. The connection outlives the exchange that opens it: it ends
// with the host.
func (l *lasting) login(ctx context.Context, tag packet.Tag, role packet.Role, first []script.Message) error {
	if !l.was {
		role = packet.RoleTCPHandshake
	}
	c, err := l.host.connect(l.host.ctx, l.s, tag, role)
	if err != nil {
		return err
	}
	if first == nil {
		first = script.LoginMessages(l.s, l.host.draw)
	}
	if first != nil {
		if err := c.walk(ctx, exchange.NewJob(first, l.host.c.Clock.Now(), tag.As(roleOr(role, packet.RoleData)))); err != nil {
			c.drop()
			return err
		}
	}
	l.conn, l.was, l.pause = c, true, policy.ReconnectFirst
	return nil
}
