package virtual

import (
	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/virtual/session"
)

// lasting is a lasting service: one connection, or one datagram socket, for as long as the device lives. Exchanges follow each
// other on it. When it breaks it is opened again, under the event of the boot.
type lasting struct {
	host   *Host
	svc    *profile.Service
	queue  []task
	busy   bool             // with the first of them, or with opening
	conn   *session.Session // of streams; nil while down
	udp    *socket          // of datagrams
	was    bool             // it was up once: opening it again is a reconnect
	wanted bool             // somebody asked for it: it is kept up
	pause  int64
	again  uint64 // number of the try that is due: older ones are off
}

type task struct {
	x    *script.Exchange
	at   int64
	tag  packet.Tag
	done func(error)
}

func (l *lasting) enqueue(e task) {
	l.queue = append(l.queue, e)
	l.host.whenOnline(l.next)
}

// next begins the first task if nothing is under way.
func (l *lasting) next() {
	if l.busy || len(l.queue) == 0 || !l.host.online {
		return
	}
	l.busy = true
	e := l.queue[0]
	l.queue = l.queue[1:]
	over := func(err error) {
		e.done(err)
		l.busy = false
		l.next()
	}
	switch {
	case e.x.Op == profile.OpConnect:
		l.host.n.clock.At(e.at+l.host.n.latency.Sleep(), func() { l.open(e.tag, packet.RoleTCPHandshake, e.x.Messages, 1, over) })
	case e.x.Op == profile.OpReconnect:
		l.host.n.clock.At(e.at+l.host.n.latency.Sleep(), func() {
			l.close()
			l.open(e.tag, packet.RoleReconnect, e.x.Messages, 1, over)
		})
	case e.x.Op == profile.OpDisconnect:
		l.host.n.clock.At(e.at+l.host.n.latency.Sleep(), func() {
			l.close()
			over(nil)
		})
	case l.svc.Stream():
		l.open(l.host.boot, packet.RoleReconnect, nil, 1, func(err error) {
			if err != nil {
				over(err)
				return
			}
			l.conn.Perform(&session.Job{Messages: e.x.Messages, Start: e.at, Tag: e.tag, Done: func(err error) {
				if err == nil {
					over(nil)
					return
				}
				l.conn = nil
				l.open(l.host.boot, packet.RoleReconnect, nil, 1, func(error) { over(err) })
			}})
		})
	default:
		l.open(e.tag, packet.RoleTCPHandshake, nil, 1, func(err error) {
			if err != nil {
				over(err)
				return
			}
			l.udp.flow.Walk(e.x.Messages, e.at, e.tag, over)
		})
	}
}

// close ends the connection, if there is one, in order; nobody wants it until it is opened again.
func (l *lasting) close() {
	l.wanted = false
	l.again++
	if c := l.conn; c != nil {
		l.conn = nil
		c.Close()
	}
}

// open brings the connection up if it is down. first is what is said on it at first; nil: what the service's log-in says.
func (l *lasting) open(t packet.Tag, role packet.Role, first []script.Message, try int, done func(error)) {
	l.wanted = true
	l.again++
	if !l.svc.Stream() {
		l.openUDP(t, done)
		return
	}
	if l.conn != nil {
		done(nil)
		return
	}
	l.login(t, role, first, func(err error) {
		if err == nil || try == policy.ReconnectTries {
			done(err)
			return
		}
		l.host.n.clock.At(l.host.n.clock.Now()+l.backoff(), func() { l.open(t, role, first, try+1, done) })
	})
}

func (l *lasting) openUDP(t packet.Tag, done func(error)) {
	if l.udp != nil {
		done(nil)
		return
	}
	l.host.openUDP(l.svc, t, func(u *socket, err error) {
		if err != nil {
			done(err)
			return
		}
		u.flow.Keep()
		l.udp = u
		if m := script.LoginMessages(l.svc, l.host.stack.draws.Uint64); m != nil {
			u.flow.Walk(m, l.host.n.clock.Now(), t, done)
			return
		}
		done(nil)
	})
}

// login opens the connection and says its first messages.
func (l *lasting) login(t packet.Tag, role packet.Role, first []script.Message, done func(error)) {
	if !l.was {
		role = packet.RoleTCPHandshake
	}
	l.host.connect(connection{service: l.svc, tag: t, role: role, lost: l.lost}, func(c *session.Session, err error) {
		if err != nil {
			done(err)
			return
		}
		up := func(err error) {
			if err == nil {
				l.conn, l.was, l.pause = c, true, int64(policy.ReconnectFirst)
			}
			done(err)
		}
		if first == nil {
			first = script.LoginMessages(l.svc, l.host.stack.draws.Uint64)
		}
		if first != nil {
			c.Perform(&session.Job{Messages: first, Start: l.host.n.clock.Now(), Tag: t.As(roleOr(role, packet.RoleData)), Done: up})
			return
		}
		up(nil)
	})
}

// lost is told that the connection broke while nobody used it.
func (l *lasting) lost() {
	l.conn = nil
	l.mend()
}

// mend tries to open the connection again until it is up or somebody else does.
func (l *lasting) mend() {
	if l.busy {
		return
	}
	l.busy = true
	l.login(l.host.boot, packet.RoleReconnect, nil, func(err error) {
		l.busy = false
		if err != nil && len(l.queue) == 0 {
			l.again++
			mine := l.again
			l.host.n.clock.At(l.host.n.clock.Now()+l.backoff(), func() {
				if l.again == mine {
					l.mend()
				}
			})
			return
		}
		l.next()
	})
}

// backoff returns how long to wait before the next try.
func (l *lasting) backoff() int64 {
	pause := l.pause
	l.pause = min(2*pause, int64(policy.ReconnectMost))
	return pause
}
