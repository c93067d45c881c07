package tunnel

import (
	"sync"

	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// trail follows packets through wireguard-go by the address of their buffer's first byte. An entry is made when the engine
// fills a buffer and taken when it hands the same buffer out.
type trail struct {
	c       *Config
	mu      sync.Mutex
	sealing marks[packet.Lineage]
	opening marks[outer.Key]
}

func newTrail(c *Config) *trail {
	return &trail{c: c, sealing: newMarks[packet.Lineage](), opening: newMarks[outer.Key]()}
}

// marks are what buffers carry. A packet that the engine drops leaves its mark behind, and a mark keeps its buffer of 64 KiB
// alive, so those that can belong to nothing in flight are thrown out.
type marks[V any] struct {
	m      map[*byte]mark[V]
	serial uint64
}

type mark[V any] struct {
	v      V
	serial uint64
}

// marksInFlight is more than the engine holds for one peer: 128 staged packets and 1024 in a queue. Its queues are first in,
// first out, so a mark set before that many others is a dropped packet's.
const marksInFlight = 2048

func newMarks[V any]() marks[V] { return marks[V]{m: make(map[*byte]mark[V])} }

func (k *marks[V]) set(b *byte, v V) {
	k.serial++
	k.m[b] = mark[V]{v, k.serial}
	if k.serial%marksInFlight != 0 {
		return
	}
	for b, m := range k.m {
		if m.serial+marksInFlight < k.serial {
			delete(k.m, b)
		}
	}
}

func (k *marks[V]) take(b *byte) (V, bool) {
	m, ok := k.m[b]
	delete(k.m, b)
	return m.v, ok
}

func (t *trail) read(buf, inner []byte) {
	if t.c.Sealing == nil {
		return
	}
	l := t.c.Sealing(inner)
	t.mu.Lock()
	t.sealing.set(&buf[0], l)
	t.mu.Unlock()
}

// send is called with each outer message before it goes out.
func (t *trail) send(message []byte) {
	if t.c.Sealed == nil {
		return
	}
	kind, key := outer.Parse(message)
	if kind != outer.Data {
		return // a keepalive or handshake carries nothing, even where its buffer once did
	}
	t.mu.Lock()
	l, ok := t.sealing.take(&message[0])
	t.mu.Unlock()
	if !ok {
		l = packet.Unattributed()
	}
	t.c.Sealed(key, l)
}

func (t *trail) receive(buf []byte, n int) {
	if t.c.Opened == nil {
		return
	}
	if kind, key := outer.Parse(buf[:n]); kind == outer.Data {
		t.mu.Lock()
		t.opening.set(&buf[0], key)
		t.mu.Unlock()
	}
}

func (t *trail) write(buf, inner []byte) {
	if t.c.Opened == nil {
		return
	}
	t.mu.Lock()
	key, ok := t.opening.take(&buf[0])
	t.mu.Unlock()
	if ok {
		t.c.Opened(key, inner)
	}
}
