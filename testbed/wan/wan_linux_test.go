package wan

import (
	"sync"
	"testing"
	"time"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/nat"
	"glasshouse/gateway/tunnel/outer"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/label"
)

// emptyDatagram is an IPv4 packet with an empty UDP datagram, in a buffer of a pool.
func emptyDatagram(pool *packet.Pool, from, to [4]byte, id uint16) []byte {
	b := pool.Get()[:28]
	clear(b)
	b[0], b[3], b[4], b[5], b[8], b[9] = 0x45, 28, byte(id>>8), byte(id), 64, packet.ProtoUDP
	copy(b[12:], from[:])
	copy(b[16:], to[:])
	b[25] = 8
	return b
}

// nowhere is a world that takes packets back.
type nowhere struct{ pool *packet.Pool }

func (n nowhere) Owner(*packet.Packet, nat.Result, outer.Kind, outer.Key) packet.Lineage {
	return packet.Unattributed()
}
func (n nowhere) ToHome(p *packet.Packet)      { n.pool.Put(p.Data) }
func (n nowhere) ToISP(p *packet.Packet)       { n.pool.Put(p.Data) }
func (n nowhere) Done(now int64, _ Step) int64 { return now }

// wallWAN is a WAN of the live world without rate, delay or loss: packets pass on the goroutines of those who send them.
func wallWAN(t *testing.T, rows *label.Rows) *WAN {
	t.Helper()
	wall, err := clock.NewWall(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pool := &packet.Pool{}
	w := New(Config{Home: &scenarios.Home{}, Tunnel: true, Clock: wall, Pool: pool, Rows: rows, World: nowhere{pool}})
	t.Cleanup(func() {
		w.Close()
		_ = wall.Close()
	})
	return w
}

// Without a delay both directions cross the WAN at once, each on a goroutine of its own. The race detector judges what they share.
func TestWANWithoutDelay(t *testing.T) {
	var frames, up, down int64
	w := wallWAN(t, label.NewRows(func(at int64, dir int8, _ []byte, o *dataset.Observation) {
		frames++
		*o = dataset.Observation{Frame: frames, TsNs: at, Dir: dir}
	}, func(o *dataset.Observation, _ packet.Lineage, _ bool) {
		if o.Dir == packet.Up {
			up++
		} else {
			down++
		}
	}))
	home, far := [4]byte{100, 64, 0, 9}, [4]byte{198, 18, 1, 1}
	const packets = 5000
	var sending sync.WaitGroup
	for _, send := range []struct {
		via      func(*packet.Packet)
		from, to [4]byte
	}{{w.Up, home, far}, {w.Down, far, home}} {
		sending.Go(func() {
			for i := range uint16(packets) {
				send.via(&packet.Packet{Data: emptyDatagram(w.pool, send.from, send.to, i), At: w.clock.Now(), Lineage: label.Gateway()})
			}
		})
	}
	sending.Wait()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if w.upLine.Len()+w.upPathLine.Len()+w.farLine.Len()+w.downLine.Len() == 0 {
			break
		}
	}
	w.rows.Close()
	if up != packets || down != packets || w.Dropped() != (Drops{}) {
		t.Errorf("%d packets passed up and %d down, want %d each; %+v", up, down, packets, w.Dropped())
	}
}
