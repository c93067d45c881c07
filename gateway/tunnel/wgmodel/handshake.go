package wgmodel

import (
	"encoding/binary"
	"math"
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// keypair is a pair of keys; one without a local index does not exist.
type keypair struct {
	local, remote uint32 // receiver indices: what the peer writes, what we write
	created       int64  // ns
	counter       uint64 // of the next message that we send
	initiator     bool
}

func (s *keypair) sends(now int64) bool { return s.local != 0 && now-s.created < rejectAfterTime }

// keypair finds the keys of a message that arrived.
func (e *End) keypair(index uint32) *keypair {
	if index == 0 {
		return nil
	}
	switch index {
	case e.current.local:
		return &e.current
	case e.next.local:
		return &e.next
	case e.previous.local:
		return &e.previous
	}
	return nil
}

// handshakeState is what an end remembers of handshakes.
type handshakeState struct {
	local    uint32 // index of the initiation that waits for its response; 0 = none
	sentAt   int64  // when an initiation or a response was sent last
	sent     [4]initiation
	n        int        // initiations sent
	consumed initiation // of the peer's, the last that was answered
	at       int64      // when
}

// initiation stands for the encrypted timestamp in a message: it tells an old initiation from a new one.
type initiation struct {
	index uint32
	stamp int64
}

func newHandshakeState(now int64) handshakeState {
	const never = math.MinInt64 / 2
	return handshakeState{sentAt: now - rekeyTimeout - 1e9, consumed: initiation{stamp: never}, at: never}
}

// genuine finds an initiation that this end sent. It knows the last four, which are at least 15 s of them.
func (h *handshakeState) genuine(index uint32) (initiation, bool) {
	for _, i := range h.sent {
		if i.index == index && index != 0 {
			return i, true
		}
	}
	return initiation{}, false
}

// newIndex draws an index that this end does not use.
func (e *End) newIndex() uint32 {
	for {
		i := uint32(e.rng.Uint64() >> 32)
		if i != 0 && i != e.handshake.local && e.keypair(i) == nil {
			return i
		}
	}
}

// initiate sends an initiation, unless a handshake message was sent a moment ago. A retry does not begin a new count of
// attempts.
func (e *End) initiate(now int64, retry bool) {
	if !retry {
		e.attempts = 0
	}
	h := &e.handshake
	if now-h.sentAt < rekeyTimeout {
		return
	}
	h.sentAt = now
	h.local = e.newIndex()
	h.sent[h.n%len(h.sent)] = initiation{h.local, now}
	h.n++
	e.traversed(now)
	e.stop(sendKeepalive)
	e.set(retransmitHandshake, now, withJitter(e, now, rekeyTimeout))
	e.sendHandshake(now, outer.TypeInitiation, outer.InitiationSize, h.local, 0)
}

// answer responds to an initiation. The new keys wait until the peer shows that it has them too.
func (e *End) answer(now int64, from netip.AddrPort, message []byte) {
	i, ok := e.peer.handshake.genuine(binary.LittleEndian.Uint32(message[4:]))
	h := &e.handshake
	if !ok || i.stamp <= h.consumed.stamp || now-h.at <= initiationPause {
		return
	}
	h.consumed, h.at = i, now
	e.wire.aim(e.c.Local, from)
	e.stop(newHandshake)
	h.sentAt = now
	h.local = 0 // an initiation of ours that crossed the peer's is forgotten
	e.next = keypair{local: e.newIndex(), remote: i.index, created: now}
	e.previous = keypair{}
	e.set(zeroKeys, now, 3*rejectAfterTime)
	e.traversed(now)
	e.stop(sendKeepalive)
	e.sendHandshake(now, outer.TypeResponse, outer.ResponseSize, e.next.local, i.index)
}

// complete takes a response: there are new keys, and the peer learns so by what waited, or by a keepalive.
func (e *End) complete(now int64, from netip.AddrPort, message []byte) {
	h := &e.handshake
	if h.local == 0 || binary.LittleEndian.Uint32(message[8:]) != h.local {
		return
	}
	e.wire.aim(e.c.Local, from)
	e.traversed(now)
	e.stop(newHandshake)
	if e.previous = e.current; e.next.local != 0 {
		e.previous, e.next = e.next, keypair{}
	}
	e.current = keypair{local: h.local, remote: binary.LittleEndian.Uint32(message[4:]), created: now, initiator: true}
	h.local = 0
	e.set(zeroKeys, now, 3*rejectAfterTime)
	e.completed()
	e.sendKeepalive(now)
	e.flush(now)
}

// completed notes that both ends have the current keys.
func (e *End) completed() {
	e.stop(retransmitHandshake)
	e.attempts = 0
	e.lastMinute = false
}

// keepFreshReceiving begins a handshake once where keys are about to be refused and nothing is sent that would begin one.
func (e *End) keepFreshReceiving(now int64) {
	if !e.lastMinute && e.current.initiator && now-e.current.created > rejectAfterTime-keepaliveTimeout-rekeyTimeout {
		e.lastMinute = true
		e.initiate(now, false)
	}
}

func (e *End) sendHandshake(now int64, kind uint32, size int, sender, receiver uint32) {
	if !e.wire.aimed {
		return
	}
	e.c.Send(packet.Packet{
		Data: e.wire.handshake(&e.c, kind, size, sender, receiver), At: now, Lineage: lineage(packet.RoleTunnelHandshake),
	})
}
