// Package wgmodel is a WireGuard tunnel as an observer sees it: the messages that wireguard-go would send, at the same times, in the same
// sizes, with nothing encrypted. It needs no engine; tests compare it with wireguard-go, message by message.
//
// Everything runs on the clock's goroutine. What is not modelled stands at End.
package wgmodel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// Config describes one end of a modelled WireGuard tunnel.
type Config struct {
	Clock     clock.Clock
	Local     netip.AddrPort // of the outer packets that this end sends, IPv4
	Remote    netip.AddrPort // where to send them; invalid = learned from the first handshake that arrives
	MTU       int            // bytes of an inner packet, at most
	Keepalive int64          // persistent keepalive, ns; 0 = none
	Noise     *packet.Noise  // stands for what is encrypted
	Pool      *packet.Pool
	Seed      uint64 // of jitter, indices and the choice of noise
	// Fill is how many bytes of an outer data packet are surely written, from its start; the rest is left over from other packets.
	// 0 = all. Headers are always written, and checksums are those of the packet written in full.
	Fill int
	// Unsummed leaves out the UDP checksum of data packets, as RFC 768 allows: for packets that nobody keeps.
	Unsummed bool

	// Send takes a whole outer IPv4 packet. A data packet has the lineage of the inner packet that it carries; handshakes and
	// keepalives have the gateway's. It owns p.Data.
	Send func(p packet.Packet)
	// Deliver takes an inner packet, which was opened, with the lineage and time that its outer packet came with. It owns p.Data,
	// which is the very buffer that was given to Seal.
	Deliver func(p packet.Packet)
}

// Drops counts inner packets that an end lost.
type Drops struct {
	Unfit       int64 // no IP packet, or larger than the MTU: a router would not have sent it
	Overflow    int64 // the oldest of more than waited for a handshake
	NoHandshake int64 // waited for a handshake that was given up
	Lost        int64 // sealed, and not seen again: lost on the way, or come after more than flightLife
	Refused     int64 // arrived, and could not be opened any more: its key is gone or too old
	AtClose     int64
}

// End is one end of a modelled tunnel: a WireGuard that sends what wireguard-go would, at the same times, in the same
// sizes, and encrypts nothing. What is inside an outer packet waits at its sender until the outer packet arrives at the peer.
//
// It follows wireguard-go's state machine (device/send.go, receive.go, timers.go, noise-protocol.go) with its two ends joined,
// so that a message is genuine if its index says so. Not modelled: cookies and rate limits of a peer under load, key exhaustion
// by count, allowed addresses, the replay window beyond the packets on their way. Work takes no time: a packet leaves at the
// moment it came.
//
// Everything runs on the clock's goroutine. Send and Deliver may call back into either end.
type End struct {
	c     Config
	peer  *End
	wire  outerWire
	drops Drops

	rng    *rand.PCG                    // indices and jitter
	jitter func(now, after int64) int64 // ns to add to a timer of after
	closed bool

	handshake               handshakeState
	current, previous, next keypair
	attempts                int  // handshakes begun anew without an answer
	lastMinute              bool // a handshake was begun because the key is about to be refused
	alarms                  [numTimers]alarm

	staged  [stagedLimit]packet.Packet // a ring of what waits for a key; a keepalive has no data
	first   int
	waiting int
	ready   bool // what is staged goes out before the handler ends
	sending bool

	flight flight // inner packets on their way to the peer
}

// stagedLimit is the engine's QueueStagedSize. It is a number of our own so that no build of the engine changes a virtual run.
const stagedLimit = 128

// maxMTU keeps outer packets within a pooled buffer.
const maxMTU = packet.MaxSize - outerHeaders - outer.TransportSize

// NewPair returns both ends of a tunnel that was just brought up: no handshake has taken place. At least one must know
// where its peer is.
func NewPair(client, server Config) (c, s *End, err error) {
	if c, err = newEnd(client, 1); err != nil {
		return nil, nil, fmt.Errorf("tunnel client: %w", err)
	}
	if s, err = newEnd(server, 2); err != nil {
		return nil, nil, fmt.Errorf("tunnel server: %w", err)
	}
	if !client.Remote.IsValid() && !server.Remote.IsValid() {
		return nil, nil, errors.New("tunnel: one end must know its peer's address")
	}
	c.peer, s.peer = s, c
	return c, s, nil
}

func newEnd(c Config, stream uint64) (*End, error) {
	switch {
	case c.Clock == nil || c.Noise == nil || c.Pool == nil || c.Send == nil || c.Deliver == nil:
		return nil, errors.New("it needs a Clock, Noise, a Pool, Send and Deliver")
	case c.MTU < 1 || c.MTU > maxMTU:
		return nil, fmt.Errorf("an MTU of %d: it must be 1 to %d", c.MTU, maxMTU)
	case c.Keepalive < 0 || c.Fill < 0:
		return nil, errors.New("a tunnel's Keepalive and Fill must not be negative")
	case !c.Local.Addr().Is4() || c.Remote.IsValid() && !c.Remote.Addr().Is4():
		return nil, fmt.Errorf("outer addresses %v and %v: they must be IPv4", c.Local, c.Remote)
	}
	now := c.Clock.Now()
	e := &End{c: c, rng: rand.NewPCG(c.Seed, stream), handshake: newHandshakeState(now), flight: newFlight()}
	e.wire.place = e.rng.Uint64()
	e.wire.aim(c.Local, c.Remote)
	e.jitter = e.drawJitter
	for i := range e.alarms {
		e.alarms[i] = alarm{due: clock.Forever, armed: clock.Forever}
	}
	if c.Keepalive > 0 {
		e.set(persistentKeepalive, now, 0)
	}
	return e, nil
}

// Drops returns the counts so far.
func (e *End) Drops() Drops {
	d := e.drops
	d.Lost = e.flight.lost
	return d
}

// Close ends this end: it sends and opens nothing more, and gives back what waits, or is on its way, from here.
func (e *End) Close() {
	e.closed = true
	e.unstage(&e.drops.AtClose)
	e.drops.AtClose += e.flight.clear(e.c.Pool)
}

// Seal sends an inner IP packet through the tunnel, or keeps it until there is a key. It owns p.Data.
func (e *End) Seal(p packet.Packet) {
	if e.closed || !fit(p.Data, e.c.MTU) {
		if e.closed {
			e.drops.AtClose++
		} else {
			e.drops.Unfit++
		}
		e.c.Pool.Put(p.Data)
		return
	}
	now := e.c.Clock.Now()
	if e.waiting == 0 && !e.sending && e.current.sends(now) {
		e.transmit(now, p)
		return
	}
	e.stage(p)
	if e.sending {
		return // called back from Send, in the middle of the queue: its turn comes
	}
	e.sendStaged(now)
	e.flush(now)
}

// fit tells whether a TUN would have handed over a packet.
func fit(ip []byte, mtu int) bool {
	if len(ip) > mtu {
		return false
	}
	return len(ip) >= 20 && ip[0]>>4 == 4 || len(ip) >= 40 && ip[0]>>4 == 6
}

// stage queues a packet; the oldest makes room for it.
func (e *End) stage(p packet.Packet) {
	if e.waiting == stagedLimit {
		e.drops.Overflow += e.release(e.unqueue())
	}
	e.staged[(e.first+e.waiting)%stagedLimit] = p
	e.waiting++
}

func (e *End) unqueue() packet.Packet {
	p := e.staged[e.first]
	e.staged[e.first].Data = nil
	e.first = (e.first + 1) % stagedLimit
	e.waiting--
	return p
}

// release gives a buffer back, and returns how many packets that were.
func (e *End) release(p packet.Packet) int64 {
	if p.Data == nil {
		return 0
	}
	e.c.Pool.Put(p.Data)
	return 1
}

func (e *End) unstage(count *int64) {
	for e.waiting > 0 {
		*count += e.release(e.unqueue())
	}
}

// sendKeepalive sends an empty packet, or what waits instead of it.
func (e *End) sendKeepalive(now int64) {
	if e.waiting == 0 {
		e.stage(packet.Packet{Lineage: lineage(packet.RoleTunnelKeepalive)})
	}
	e.sendStaged(now)
}

// sendStaged lets go what waits if there is a key, and asks for one if not.
func (e *End) sendStaged(now int64) {
	switch {
	case e.waiting == 0:
	case e.current.sends(now):
		e.ready = true
	default:
		e.initiate(now, false)
	}
}

// flush is called at the end of each handler. The engine's sender is another goroutine: what a handler lets go is encrypted and
// sent after the handler has set its timers, and the sender's effect on them is the last.
func (e *End) flush(now int64) {
	if !e.ready || e.sending {
		return
	}
	for e.sending = true; e.waiting > 0; {
		e.transmit(now, e.unqueue())
	}
	e.sending, e.ready = false, false
}

// transmit sends a packet under the current key, which is known to be good. Where there is one, the peer's address is known.
func (e *End) transmit(now int64, p packet.Packet) {
	key := outer.Key{Receiver: e.current.remote, Counter: e.current.counter}
	e.current.counter++
	e.traversed(now)
	e.stop(sendKeepalive)
	if len(p.Data) > 0 && !e.pending(newHandshake) {
		e.set(newHandshake, now, withJitter(e, now, keepaliveTimeout+rekeyTimeout))
	}
	out := packet.Packet{Data: e.wire.data(&e.c, key, len(p.Data)), At: now, Lineage: p.Lineage}
	e.flight.put(key, p.Data, now, e.c.Pool)
	e.c.Send(out)
	if e.current.initiator && now-e.current.created > rekeyAfterTime {
		e.initiate(now, false)
	}
}

// Open takes an outer packet that arrived, whatever it is. It owns p.Data.
func (e *End) Open(p packet.Packet) {
	from, message := udpMessage(p.Data)
	kind, key := outer.Parse(message)
	switch {
	case e.closed:
		if kind == outer.Data {
			e.refuse(key)
		}
	case kind == outer.Initiation:
		e.answer(e.c.Clock.Now(), from, message)
	case kind == outer.Response:
		e.complete(e.c.Clock.Now(), from, message)
	case kind == outer.Keepalive || kind == outer.Data:
		if inner, ok := e.open(e.c.Clock.Now(), from, kind, key); ok {
			e.c.Pool.Put(p.Data)
			p.Data = inner
			e.c.Deliver(p)
			return
		}
	}
	e.c.Pool.Put(p.Data)
}

// open does for a transport message all but deliver it; ok is false where there is nothing to deliver.
func (e *End) open(now int64, from netip.AddrPort, kind outer.Kind, key outer.Key) (inner []byte, ok bool) {
	s := e.keypair(key.Receiver)
	if s == nil || now > s.created+rejectAfterTime {
		e.refuse(key)
		return nil, false
	}
	inner, ok = e.peer.flight.take(key)
	if !ok {
		return nil, false // a second copy, or forged
	}
	if s == &e.next { // the peer has the key too
		e.previous, e.current, e.next = e.current, e.next, keypair{}
		e.completed()
		e.sendStaged(now)
	}
	e.wire.aim(e.c.Local, from)
	e.keepFreshReceiving(now)
	e.traversed(now)
	e.stop(newHandshake)
	if kind == outer.Data && !e.pending(sendKeepalive) {
		e.set(sendKeepalive, now, keepaliveTimeout)
	}
	e.flush(now)
	return inner, kind == outer.Data
}

// refuse gives back what is inside an outer packet that cannot be opened.
func (e *End) refuse(key outer.Key) {
	if inner, ok := e.peer.flight.take(key); ok && inner != nil {
		e.drops.Refused++
		e.c.Pool.Put(inner)
	}
}

// lineage is that of what the tunnel sends on its own.
func lineage(r packet.Role) packet.Lineage {
	return packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone, Role: r}
}
