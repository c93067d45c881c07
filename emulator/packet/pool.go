package packet

import "sync"

// MaxSize is the capacity of a pooled buffer: more than any frame at an MTU of 1500.
const MaxSize = 2048

// Pool recycles the buffers of packets in flight. The zero value is ready; it is safe for concurrent use.
type Pool struct{ p sync.Pool }

// Get returns a buffer of MaxSize bytes.
func (p *Pool) Get() []byte {
	if b, ok := p.p.Get().(*[MaxSize]byte); ok {
		return b[:]
	}
	return make([]byte, MaxSize)
}

// Put takes back a buffer that came from Get, whatever its length is now. Other buffers are left to the collector.
func (p *Pool) Put(b []byte) {
	if cap(b) == MaxSize {
		p.p.Put((*[MaxSize]byte)(b[:MaxSize]))
	}
}

// Copy returns a pooled copy of b, which must not be longer than MaxSize.
func (p *Pool) Copy(b []byte) []byte {
	c := p.Get()
	return c[:copy(c, b)]
}
