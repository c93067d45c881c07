package wan

import (
	"io"
	"net/netip"
	"sync"
	"sync/atomic"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/link"
)

// FarTUN puts the distance between a VPN server and the clouds into the server's TUN: what the clouds send becomes
// readable only after their delay. Writes pass at once, as on the way without a tunnel. A packet that has been delayed must not wait
// for the reader, or it would hold up the clock that all of the WAN's packets share: where the queue is full it is dropped.
type FarTUN struct {
	tun   io.ReadWriteCloser
	pool  *packet.Pool
	delay map[netip.Addr]int64
	clock clock.Clock
	line  *link.DelayLine
	ready chan []byte
	lost  atomic.Int64 // packets that found the queue full
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

var _ io.ReadWriteCloser = (*FarTUN)(nil)

// farQueue is how many packets may wait to be encrypted.
const farQueue = 4096

// NewFarTUN returns a writer to the TUN interface on the internet's side.
func NewFarTUN(tun io.ReadWriteCloser, c clock.Clock, pool *packet.Pool, delay map[netip.Addr]int64) *FarTUN {
	f := &FarTUN{tun: tun, pool: pool, delay: delay, clock: c, ready: make(chan []byte, farQueue), done: make(chan struct{})}
	f.line = link.NewDelayLine(c, func(p *packet.Packet) { f.offer(p.Data) })
	f.wg.Go(f.pump)
	return f
}

func (f *FarTUN) pump() {
	for {
		b := f.pool.Get()
		n, err := f.tun.Read(b)
		if err != nil {
			return
		}
		b = b[:n]
		var extra int64
		if n >= 20 {
			extra = f.delay[packet.IPv4(b).SourceAddr()]
		}
		if extra == 0 {
			f.wait(b)
			continue
		}
		now := f.clock.Now()
		f.line.Send(&packet.Packet{Data: b, At: now}, now+extra)
	}
}

// offer queues a packet, on the clock's goroutine, if there is room.
func (f *FarTUN) offer(b []byte) {
	select {
	case f.ready <- b:
	default:
		f.lost.Add(1)
		f.pool.Put(b)
	}
}

// Dropped is how many packets found the queue full.
func (f *FarTUN) Dropped() int64 { return f.lost.Load() }

// wait queues a packet when there is room. The pump waits alone: the kernel's queue of the TUN fills behind it.
func (f *FarTUN) wait(b []byte) {
	select {
	case f.ready <- b:
	case <-f.done:
		f.pool.Put(b)
	}
}

// Read implements io.Reader: one packet a call.
func (f *FarTUN) Read(p []byte) (int, error) {
	select {
	case b := <-f.ready:
		n := copy(p, b)
		f.pool.Put(b)
		return n, nil
	case <-f.done:
		return 0, io.EOF
	}
}

// Write implements io.Writer: one packet a call.
func (f *FarTUN) Write(p []byte) (int, error) { return f.tun.Write(p) }

// Close ends reads and closes the TUN.
func (f *FarTUN) Close() error {
	var err error
	f.once.Do(func() {
		close(f.done)
		err = f.tun.Close()
		f.line.Close()
		f.wg.Wait()
	})
	return err
}
