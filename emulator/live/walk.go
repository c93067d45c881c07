package live

import (
	"context"
	"math/rand/v2"
	"net"
	"time"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
	"glasshouse/emulator/wire"
)

// clockwork is what walkers need of time.
type clockwork interface {
	Now() int64
	Sleep(ctx context.Context, at int64) error
}

// noise is random-looking payload. It is drawn from a seed, so that nothing in it tells the plan. Used by one goroutine.
type noise struct {
	buf  []byte
	rng  *rand.ChaCha8
	mqtt *wire.MQTTEnd // of MQTT: what messages look like; nil where they are noise alone
}

const noiseSize = 1 << 16

func newNoise(seed uint64) *noise {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	n := &noise{buf: make([]byte, noiseSize), rng: rand.NewChaCha8(key)}
	_, _ = n.rng.Read(n.buf)
	return n
}

// fill writes random-looking bytes into p.
func (n *noise) fill(p []byte) { _, _ = n.rng.Read(p) }

// say sends a message of size bytes.
func (n *noise) say(c net.Conn, size int) error {
	switch {
	case n.mqtt == nil:
		return n.write(c, "", size)
	case size <= noiseSize:
		return n.write(c, string(n.mqtt.AppendMessage(nil, n.rng, size)), 0)
	}
	for rest := size; rest > 0; {
		head, k := n.mqtt.AppendPacketHead(nil, n.rng, size, rest)
		if err := n.write(c, string(head), k-len(head)); err != nil {
			return err
		}
		rest -= k
	}
	return nil
}

// write sends head and size bytes after it: in one Write up to 64 KiB, so that a message of one TLS record is one.
func (n *noise) write(c net.Conn, head string, size int) error {
	for size > 0 || head != "" {
		k := min(len(head)+size, noiseSize)
		if k <= 4096 {
			n.fill(n.buf[:k])
		}
		h := copy(n.buf[:k], head)
		if err := c.SetWriteDeadline(time.Now().Add(policy.StreamTimeout)); err != nil {
			return err
		}
		if _, err := c.Write(n.buf[:k]); err != nil {
			return err
		}
		head, size = head[h:], size-(k-h)
	}
	return nil
}

// discard reads exactly size bytes. The first of them may take as long as first, those that follow policy.StreamTimeout each time.
func discard(c net.Conn, size int, first time.Duration, buf []byte) error {
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

// walkStream walks a job at one end of a stream: dir is what this end sends. Times run from the job's start, message by
// message, so that lateness never adds up.
func walkStream(ctx context.Context, t clockwork, c net.Conn, dir int8, j *job, n *noise, buf []byte) error {
	base := j.start
	for i := range j.messages {
		m := &j.messages[i]
		if m.Dir == dir {
			base += m.Wait
			if err := t.Sleep(ctx, base); err != nil {
				return err
			}
			if err := n.say(c, m.Size); err != nil {
				return err
			}
			continue
		}
		patience := time.Duration(max(j.start-t.Now(), 0)+m.Wait) + policy.StreamTimeout
		if err := discard(c, m.Size, patience, buf); err != nil {
			return err
		}
		base = t.Now()
	}
	return nil
}

// walkDatagrams walks a job at one end of a datagram flow. What is lost is given up after a while.
func walkDatagrams(ctx context.Context, t clockwork, s *Sessions, dir int8, j *job, n *noise, send func([]byte) error) error {
	end := 0
	if dir == packet.Down {
		end = 1
	}
	base := j.start
	buf := make([]byte, 2048)
	for i := range j.messages {
		m := &j.messages[i]
		if m.Dir == dir {
			base += m.Wait
			if err := t.Sleep(ctx, base); err != nil {
				return err
			}
			p := buf[:min(m.Size, len(buf))]
			n.fill(p)
			if len(p) >= tokenSize {
				s.head(p, j, i)
			}
			if err := send(p); err != nil {
				return err
			}
			continue
		}
		if err := await(ctx, t, &j.got[end], i, max(base, t.Now())+m.Wait); err != nil {
			return err
		}
		base = max(base, t.Now())
	}
	return nil
}

// await returns when message i, or a later one, has arrived, or when it must be taken for lost.
func await(ctx context.Context, t clockwork, p *progress, i int, due int64) error {
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

// tagger is a connection that announces what it writes.
type tagger interface {
	net.Conn
	SetTag(t packet.Tag)
}

var (
	_ tagger = (*truth.StreamConn)(nil)
	_ tagger = (*truth.DatagramConn)(nil)
)
