package exchange

import (
	"context"
	"net"
	"time"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
)

// Clock is what walkers need of time.
type Clock interface {
	Now() int64
	Sleep(ctx context.Context, at int64) error
}

// Discard reads exactly size bytes. The first of them may take as long as first, those that follow policy.StreamTimeout each time.
func Discard(c net.Conn, size int, first time.Duration, buf []byte) error {
	for patience := first; size > 0; patience = policy.StreamTimeout {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		n, err := c.Read(buf[:min(size, len(buf))])
		size -= n
		if err != nil && size > 0 {
			return err
		}
	}
	return nil
}

// Stream is one end of a stream, which walks jobs.
type Stream struct {
	Clock  Clock
	Conn   net.Conn
	Dir    int8 // what this end sends
	Noise  *Noise
	Buffer []byte // that it reads into
}

// Walk walks a job. Times run from the job's start, message by message, so that lateness never adds up.
func (s *Stream) Walk(ctx context.Context, j *Job) error {
	base := j.Start
	for i := range j.Messages {
		m := &j.Messages[i]
		if m.Dir == s.Dir {
			base += m.Wait
			if err := s.Clock.Sleep(ctx, base); err != nil {
				return err
			}
			if err := s.Noise.say(s.Conn, m.Size); err != nil {
				return err
			}
			continue
		}
		patience := time.Duration(max(j.Start-s.Clock.Now(), 0)+m.Wait) + policy.StreamTimeout
		if err := Discard(s.Conn, m.Size, patience, s.Buffer); err != nil {
			return err
		}
		base = s.Clock.Now()
	}
	return nil
}

// Datagrams is one end of a datagram flow, which walks jobs.
type Datagrams struct {
	Clock    Clock
	Sessions *Sessions
	Dir      int8 // what this end sends
	Noise    *Noise
	Send     func([]byte) error
}

// Walk walks a job. What is lost is given up after a while.
func (d *Datagrams) Walk(ctx context.Context, j *Job) error {
	end := 0
	if d.Dir == packet.Down {
		end = 1
	}
	base := j.Start
	buf := make([]byte, 2048)
	for i := range j.Messages {
		m := &j.Messages[i]
		if m.Dir == d.Dir {
			base += m.Wait
			if err := d.Clock.Sleep(ctx, base); err != nil {
				return err
			}
			p := buf[:min(m.Size, len(buf))]
			d.Noise.Fill(p)
			if len(p) >= TokenSize {
				d.Sessions.head(p, j, i)
			}
			if err := d.Send(p); err != nil {
				return err
			}
			continue
		}
		if err := await(ctx, d.Clock, &j.got[end], i, max(base, d.Clock.Now())+m.Wait); err != nil {
			return err
		}
		base = max(base, d.Clock.Now())
	}
	return nil
}

// await returns when message i, or a later one, has arrived, or when it must be taken for lost.
func await(ctx context.Context, t Clock, p *progress, i int, due int64) error {
	timer := time.NewTimer(time.Duration(due-t.Now()) + policy.DatagramTimeout)
	defer timer.Stop()
	for p.newest.Load() <= int64(i) {
		select {
		case <-p.note:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// TaggedConn is a connection that announces what it writes.
type TaggedConn interface {
	net.Conn
	SetTag(t packet.Tag)
}

var (
	_ TaggedConn = (*truth.StreamConn)(nil)
	_ TaggedConn = (*truth.DatagramConn)(nil)
)
