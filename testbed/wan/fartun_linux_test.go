package wan

import (
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"time"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

// burst is a TUN from which a number of packets can be read at once.
type burst struct {
	left   int
	from   netip.Addr
	closed chan struct{}
}

func (b *burst) Read(p []byte) (int, error) {
	if b.left == 0 {
		<-b.closed
		return 0, io.EOF
	}
	b.left--
	a := b.from.As4()
	copy(p[12:16], a[:])
	binary.BigEndian.PutUint32(p[16:], uint32(b.left))
	return 20, nil
}

func (b *burst) Write(p []byte) (int, error) { return len(p), nil }

func (b *burst) Close() error {
	close(b.closed)
	return nil
}

// A reader that is slower than what the clouds send holds nobody else's packets up: the clock that they share goes on, and what does
// not fit the queue is dropped and counted.
func TestFarTUNDoesNotHoldTheClockUp(t *testing.T) {
	wall, err := clock.NewWall(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer wall.Close()
	const extra, over = int64(20 * time.Millisecond), 700
	cloud := netip.MustParseAddr("198.18.0.9")
	f := NewFarTUN(&burst{left: farQueue + over, from: cloud, closed: make(chan struct{})}, wall, &packet.Pool{}, map[netip.Addr]int64{cloud: extra})
	defer f.Close()
	for deadline := time.Now().Add(10 * time.Second); f.Dropped() < over; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d packets were dropped, want %d: the clock waits for the reader", f.Dropped(), over)
		}
	}
	fired := make(chan struct{})
	wall.Schedule(wall.Now(), clock.Func(func(int64, uint64) { close(fired) }), 0)
	select {
	case <-fired:
	case <-time.After(10 * time.Second):
		t.Fatal("another timer of the clock does not fire")
	}
	b := make([]byte, 1500)
	for i := range farQueue {
		n, err := f.Read(b)
		if got, want := int(binary.BigEndian.Uint32(b[16:])), farQueue+over-1-i; err != nil || n != 20 || got != want {
			t.Fatalf("read %d: %d bytes, packet %d, want %d (%v)", i, n, got, want, err)
		}
	}
	if f.Dropped() != over {
		t.Errorf("%d packets were dropped, want %d", f.Dropped(), over)
	}
}
