// Package outer reads what an observer sees of a WireGuard tunnel, its messages' kinds and keys, and keeps the lineage of what is inside
// by those keys. It decrypts nothing. Parse is pure; a LineageMap is safe for concurrent use.
package outer

import (
	"encoding/binary"
	"sync"

	"glasshouse/emulator/packet"
)

// Kind is the kind of a WireGuard message on the wire.
type Kind uint8

// WireGuard's messages (WireGuard paper, section 5.4), told apart by type and size.
const (
	Unknown Kind = iota
	Initiation
	Response
	Cookie
	Keepalive
	Data
)

// What a message starts with, as a little-endian 32-bit number (WireGuard paper, section 5.4).
const (
	TypeInitiation = 1
	TypeResponse   = 2
	TypeCookie     = 3
	TypeTransport  = 4
)

// Sizes of messages, as UDP payloads, bytes.
const (
	InitiationSize = 148
	ResponseSize   = 92
	CookieSize     = 64
	HeaderSize     = 16              // of a transport message, before what is encrypted
	TransportSize  = HeaderSize + 16 // of one that carries nothing, a keepalive: header and tag
)

// Key names a transport message: no two under one session share it.
type Key struct {
	Receiver uint32 // receiver index, bytes 4 to 7
	Counter  uint64 // bytes 8 to 15
}

// Parse classifies a UDP payload; the key is set for keepalives and data.
//
//	0      4          8                16
//	| type | receiver | counter (LE64) | encrypted inner, padded to 16, and a tag of 16 |
func Parse(b []byte) (Kind, Key) {
	if len(b) < TransportSize {
		return Unknown, Key{}
	}
	switch t := binary.LittleEndian.Uint32(b); {
	case t == TypeInitiation && len(b) == InitiationSize:
		return Initiation, Key{}
	case t == TypeResponse && len(b) == ResponseSize:
		return Response, Key{}
	case t == TypeCookie && len(b) == CookieSize:
		return Cookie, Key{}
	case t == TypeTransport:
		k := Key{Receiver: binary.LittleEndian.Uint32(b[4:]), Counter: binary.LittleEndian.Uint64(b[8:])}
		if len(b) == TransportSize {
			return Keepalive, k
		}
		return Data, k
	}
	return Unknown, Key{}
}

// LineageMap keeps the lineage of packets inside a tunnel by their outer key. Safe for concurrent use.
type LineageMap struct {
	mu      sync.Mutex
	m       map[Key]lineageEntry
	expired int64
}

type lineageEntry struct {
	lineage packet.Lineage
	at      int64
}

// lineageLife is how long an entry waits to be taken, ns.
const lineageLife = int64(5e9)

// lineageLimit bounds the entries that wait: many times what a tunnel carries in lineageLife at home rates.
const lineageLimit = 1 << 18

// NewLineageMap returns an empty map.
func NewLineageMap() *LineageMap { return &LineageMap{m: make(map[Key]lineageEntry)} }

// Put remembers a lineage at now (ns). Where too many wait it is not kept, and counts as expired.
func (m *LineageMap) Put(k Key, l packet.Lineage, now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.m) >= lineageLimit {
		m.expire(now)
		if len(m.m) >= lineageLimit {
			m.expired++
			return
		}
	}
	m.m[k] = lineageEntry{l, now}
}

// Take returns a lineage and forgets it.
func (m *LineageMap) Take(k Key) (packet.Lineage, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.m[k]
	if !ok {
		return packet.Unattributed(), false
	}
	delete(m.m, k)
	return e.lineage, true
}

// Expire forgets what has waited too long at now, and returns how many were forgotten so far.
func (m *LineageMap) Expire(now int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire(now)
	return m.expired
}

func (m *LineageMap) expire(now int64) {
	for k, e := range m.m {
		if now-e.at > lineageLife {
			delete(m.m, k)
			m.expired++
		}
	}
}
