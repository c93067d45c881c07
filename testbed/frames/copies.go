package frames

import (
	"hash/maphash"
)

// Copies finds packets that were captured twice, as a port that is mirrored both ways, or an interface and its bridge, give them. A copy is
// the same packet, apart from what a router changes, soon after; a packet that is sent again has another identification or comes later.
// The zero value is not ready: use NewCopies.
type Copies struct {
	seed maphash.Seed
	ring [recentPackets]seenPacket
	n    int
	buf  []byte
}

type seenPacket struct {
	hash   uint64
	at     int64
	length int
}

const (
	recentPackets = 32 // editcap -d looks at 5
	copyWithin    = int64(1e6)
	// A sender that does not number its packets (RFC 6864: where they are not fragmented it need not) may well send two that are alike; a
	// network's copy is sooner than that.
	copyAnonymous = int64(100e3)
)

// NewCopies returns a filter of copies.
func NewCopies() *Copies { return &Copies{seed: maphash.MakeSeed()} }

// Seen tells whether a packet is a copy of one before. A copy of a copy is one, too.
func (c *Copies) Seen(f *Frame) bool {
	h := c.hash(f)
	within := copyWithin
	if f.Is6() || f.ID == 0 {
		within = copyAnonymous
	}
	for i := range c.ring {
		s := &c.ring[i]
		if d := f.At - s.at; s.length == f.Length && s.hash == h && d >= -within && d <= within {
			return true
		}
	}
	c.ring[c.n%recentPackets] = seenPacket{h, f.At, f.Length}
	c.n++
	return false
}

// hash is of what routers leave as it is.
func (c *Copies) hash(f *Frame) uint64 {
	c.buf = append(c.buf[:0], f.IP...)
	if f.Is6() {
		c.buf[7] = 0
	} else {
		c.buf[8], c.buf[10], c.buf[11] = 0, 0, 0
	}
	return maphash.Bytes(c.seed, c.buf)
}
