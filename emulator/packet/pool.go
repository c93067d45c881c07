package packet

import (
	"sync"
	"unsafe"
)

// MaxSize is the capacity of a pooled buffer: more than any frame at an MTU of 1500.
const MaxSize = 2048

// EthernetHeader is the size of the header before an IP packet on the LAN, bytes. A pooled buffer may be given back without it.
const EthernetHeader = 14

// Pool recycles the buffers of packets in flight. The zero value is ready; it is safe for concurrent use, unless it is local.
type Pool struct {
	p     sync.Pool
	local bool
	free  []*[MaxSize]byte
	slab  []byte
}

// A local pool cuts its buffers from slabs, a cache line apart: the headers of packets in flight would share two places in a
// core's cache if all began at a multiple of MaxSize.
const (
	slabStride  = MaxSize + 64
	slabBuffers = 31
)

// NewLocalPool returns a pool for one goroutine, which takes no lock and gives nothing to the collector.
func NewLocalPool() *Pool { return &Pool{local: true} }

// Get returns a buffer of MaxSize bytes. What it holds is left over.
func (p *Pool) Get() []byte {
	if p.local {
		if n := len(p.free); n > 0 {
			b := p.free[n-1]
			p.free = p.free[:n-1]
			return b[:]
		}
		if len(p.slab) < slabStride {
			p.slab = make([]byte, slabBuffers*slabStride)
		}
		b := (*[MaxSize]byte)(p.slab)
		p.slab = p.slab[slabStride:]
		return b[:]
	} else if b, ok := p.p.Get().(*[MaxSize]byte); ok {
		return b[:]
	}
	return make([]byte, MaxSize)
}

// Put takes back a buffer that came from Get, whatever its length is now, and also where it begins after the Ethernet header.
// Buffers of other capacities are left to the collector.
func (p *Pool) Put(b []byte) {
	var whole *[MaxSize]byte
	switch cap(b) {
	case MaxSize:
		whole = (*[MaxSize]byte)(b[:MaxSize])
	case MaxSize - EthernetHeader:
		if !p.local { // another's buffer may have this capacity
			return
		}
		whole = (*[MaxSize]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), -EthernetHeader))
	default:
		return
	}
	if p.local {
		p.free = append(p.free, whole)
	} else {
		p.p.Put(whole)
	}
}

// Copy returns a pooled copy of b, which must not be longer than MaxSize.
func (p *Pool) Copy(b []byte) []byte {
	c := p.Get()
	return c[:copy(c, b)]
}

// Framed returns the buffer of an IP packet with room for an Ethernet header before it. The packet must begin after such room
// in a buffer of a pool.
func Framed(ip []byte) []byte {
	if cap(ip) != MaxSize-EthernetHeader {
		panic("the packet has no room for a header")
	}
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(ip)), -EthernetHeader)), MaxSize)[:EthernetHeader+len(ip)]
}
