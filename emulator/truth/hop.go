package truth

import (
	"hash/maphash"
	"sync"

	"glasshouse/emulator/packet"
)

// hopLife is how long a packet may stay inside the kernel before it counts as lost there: as long as the kernel keeps one
// waiting for an ARP answer (three probes, a second apart).
const hopLife = int64(3e9)

// Hop finds a packet again on the far side of a kernel that forwards it: by its bytes, with what the kernel changes (TTL
// and header checksum) masked; equal packets come out first in, first out.
type Hop struct {
	mu      sync.Mutex
	waiting map[uint64][]hopEntry
	queue   []hopRef // in order of entry, for expiry
	expired int64
	lost    func(packet.Lineage)
}

type hopEntry struct {
	lineage packet.Lineage
	serial  int64
	at      int64
}

type hopRef struct {
	sum    uint64
	serial int64
	at     int64
}

// NewHop returns an empty hop. lost, if not nil, is told of each packet that went in and did not come out in time.
func NewHop(lost func(packet.Lineage)) *Hop {
	return &Hop{waiting: make(map[uint64][]hopEntry), lost: lost}
}

// Enter notes an IPv4 packet that is about to be handed to the kernel at now (ns).
func (h *Hop) Enter(ip []byte, l packet.Lineage, now int64) {
	sum := hopHash(ip)
	h.mu.Lock()
	serial := int64(0)
	if n := len(h.queue); n > 0 {
		serial = h.queue[n-1].serial + 1
	}
	h.waiting[sum] = append(h.waiting[sum], hopEntry{lineage: l, serial: serial, at: now})
	h.queue = append(h.queue, hopRef{sum: sum, serial: serial, at: now})
	h.mu.Unlock()
}

// Leave returns the lineage of a packet that the kernel has handed back; ok is false where none such went in.
func (h *Hop) Leave(ip []byte) (packet.Lineage, bool) {
	sum := hopHash(ip)
	h.mu.Lock()
	defer h.mu.Unlock()
	entries := h.waiting[sum]
	if len(entries) == 0 {
		return packet.Unattributed(), false
	}
	l := entries[0].lineage
	h.drop(sum, entries)
	return l, true
}

func (h *Hop) drop(sum uint64, entries []hopEntry) {
	if len(entries) == 1 {
		delete(h.waiting, sum)
		return
	}
	h.waiting[sum] = entries[1:]
}

// Expire gives up the packets that have been inside longer than a kernel keeps them at now, and returns how many were given up so far.
func (h *Hop) Expire(now int64) int64 {
	var gone []packet.Lineage
	h.mu.Lock()
	n := 0
	for n < len(h.queue) && now-h.queue[n].at > hopLife {
		ref := h.queue[n]
		n++
		if entries := h.waiting[ref.sum]; len(entries) > 0 && entries[0].serial <= ref.serial {
			gone = append(gone, entries[0].lineage)
			h.drop(ref.sum, entries)
			h.expired++
		}
	}
	h.queue = append(h.queue[:0], h.queue[n:]...)
	total := h.expired
	h.mu.Unlock()
	if h.lost != nil {
		for _, l := range gone {
			h.lost(l)
		}
	}
	return total
}

// hopHash hashes an IPv4 packet up to its total length, with TTL and header checksum masked.
func hopHash(ip []byte) uint64 {
	if len(ip) < packet.IPv4Size {
		return hash(ip)
	}
	if total := packet.IPv4(ip).TotalLength(); total >= packet.IPv4Size && total < len(ip) {
		ip = ip[:total]
	}
	var m maphash.Hash
	m.SetSeed(seed)
	_, _ = m.Write(ip[:8])
	_ = m.WriteByte(ip[9])
	_, _ = m.Write(ip[12:])
	return m.Sum64()
}
