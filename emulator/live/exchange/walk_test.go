package exchange

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
)

// bubble is a clock inside testing/synctest.
type bubble struct{ start time.Time }

func (b bubble) Now() int64 { return int64(time.Since(b.start)) }

func (b bubble) Sleep(ctx context.Context, at int64) error {
	t := time.NewTimer(time.Duration(at - b.Now()))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sessions(t *testing.T) *Sessions {
	t.Helper()
	s, err := NewSessions()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dialogue(t *rapid.T, least int) []script.Message {
	messages := make([]script.Message, rapid.IntRange(1, 20).Draw(t, "messages"))
	for i := range messages {
		messages[i] = script.Message{
			Dir: rapid.SampledFrom([]int8{profile.Up, profile.Down}).Draw(t, "dir"), Size: rapid.IntRange(least, 1300).Draw(t, "size"),
			Wait: int64(rapid.IntRange(0, 300).Draw(t, "wait ms")) * 1e6,
		}
	}
	return messages
}

// counted counts what is written, by message: one Write a message.
type counted struct {
	net.Conn
	mu    sync.Mutex
	sizes []int
	times []time.Time
}

func (c *counted) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.sizes, c.times = append(c.sizes, len(p)), append(c.times, time.Now())
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// Both ends walk one exchange to its end; each message is one write of its size, at its time.
func TestBothEndsWalkAStream(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		messages := dialogue(rt, 1)
		synctest.Test(t, func(t *testing.T) {
			clock := bubble{time.Now()}
			a, b := net.Pipe()
			up, down := &counted{Conn: a}, &counted{Conn: b}
			j := NewJob(messages, int64(time.Second), packet.Tag{})
			var wg sync.WaitGroup
			errs := make([]error, 2)
			wg.Go(func() {
				errs[0] = (&Stream{Clock: clock, Conn: up, Dir: packet.Up, Noise: NewNoise(1), Buffer: make([]byte, 512)}).Walk(t.Context(), j)
			})
			wg.Go(func() {
				errs[1] = (&Stream{Clock: clock, Conn: down, Dir: packet.Down, Noise: NewNoise(2), Buffer: make([]byte, 512)}).Walk(t.Context(), j)
			})
			wg.Wait()
			if errs[0] != nil || errs[1] != nil {
				t.Fatal(errs)
			}
			at := time.Second
			for _, m := range messages {
				c := up
				if m.Dir == profile.Down {
					c = down
				}
				at += time.Duration(m.Wait)
				if c.sizes[0] != m.Size || c.times[0].Sub(clock.start) != at {
					t.Fatalf("a write of %d bytes at %s, want %d at %s", c.sizes[0], c.times[0].Sub(clock.start), m.Size, at)
				}
				c.sizes, c.times = c.sizes[1:], c.times[1:]
			}
			_ = a.Close()
			_ = b.Close()
		})
	})
}

// slow is a line on which every write takes its time.
type slow struct {
	net.Conn
	each time.Duration
}

func (s slow) Write(p []byte) (int, error) {
	time.Sleep(s.each)
	return s.Conn.Write(p)
}

// Patience is for the next bytes, not for the whole message: a long one may take longer than that.
func TestPatienceIsForProgress(t *testing.T) {
	for _, c := range []struct {
		each time.Duration
		ok   bool
	}{{policy.StreamTimeout / 3, true}, {2 * policy.StreamTimeout, false}} {
		synctest.Test(t, func(t *testing.T) {
			clock := bubble{time.Now()}
			a, b := net.Pipe()
			j := NewJob([]script.Message{{Dir: profile.Up, Size: 1 << 20}, {Dir: profile.Down, Size: 1 << 20}}, 0, packet.Tag{})
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for i, end := range []net.Conn{slow{a, c.each}, slow{b, c.each}} {
				wg.Go(func() {
					errs[i] = (&Stream{Clock: clock, Conn: end, Dir: []int8{packet.Up, packet.Down}[i], Noise: NewNoise(1), Buffer: make([]byte, MaxWrite)}).Walk(t.Context(), j)
					if errs[i] != nil {
						_ = end.Close()
					}
				})
			}
			wg.Wait()
			if ok := errs[0] == nil && errs[1] == nil; ok != c.ok {
				t.Errorf("%s a write: %v", c.each, errs)
			}
			_ = a.Close()
			_ = b.Close()
		})
	}
}

// Datagrams may be lost: both ends come to the end of the exchange all the same.
func TestBothEndsWalkDatagramsUnderLoss(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		messages := dialogue(rt, TokenSize)
		loss := rapid.Float64Range(0, 0.9).Draw(rt, "loss")
		synctest.Test(t, func(t *testing.T) {
			clock, s := bubble{time.Now()}, sessions(t)
			j := NewJob(messages, 0, packet.Tag{})
			s.Register(j)
			r := rand.New(rand.NewPCG(1, 2))
			var mu sync.Mutex
			send := func(end int) func([]byte) error {
				return func(p []byte) error {
					mu.Lock()
					lost := r.Float64() < loss
					mu.Unlock()
					if p[0] >= 0x40 || p[1]&0xf0 == 0x40 {
						t.Errorf("a datagram begins with %#x: RTP's version, or the type of ISO 8602", p[:2])
					}
					if got, i := s.Parse(p); got != j || messages[i].Size != len(p) {
						t.Errorf("a datagram of %d bytes names message %d", len(p), i)
					} else if !lost {
						j.got[end].arrived(i)
					}
					return nil
				}
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				end := Datagrams{Clock: clock, Sessions: s, Dir: packet.Up, Noise: NewNoise(1), Send: send(1)}
				if err := end.Walk(t.Context(), j); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				end := Datagrams{Clock: clock, Sessions: s, Dir: packet.Down, Noise: NewNoise(2), Send: send(0)}
				if err := end.Walk(t.Context(), j); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
		})
	})
}

func TestStrangeDatagramsNameNoJob(t *testing.T) {
	s := sessions(t)
	j := NewJob(make([]script.Message, 3), 0, packet.Tag{})
	s.Register(j)
	r := rand.New(rand.NewPCG(5, 5))
	p := make([]byte, 40)
	for range 20_000 {
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		if got, _ := s.Parse(p[:r.IntN(40)]); got != nil {
			t.Fatal("random bytes name a job")
		}
	}
	s.head(p, j, 2)
	if got, i := s.Parse(p); got != j || i != 2 {
		t.Fatalf("%v %d", got, i)
	}
	s.Unregister(j)
	if got, _ := s.Parse(p); got != nil {
		t.Fatal("a job that is over is named")
	}
}

func TestTokensAreNeitherTLSNorHTTP(t *testing.T) {
	s := sessions(t)
	for range 1000 {
		x, token, err := s.Open()
		if err != nil || token[0] < 0x80 || s.Find(token) != x {
			t.Fatalf("%x %v", token, err)
		}
		s.Forget(token)
		if s.Find(token) != nil {
			t.Fatal("a forgotten session is found")
		}
	}
}
