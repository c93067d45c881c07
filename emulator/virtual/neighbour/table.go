// Package neighbour keeps a machine's table of who has which address on the LAN (RFC 826) as Linux does: an entry is good for a while
// after it was confirmed; when it is used after that, it is confirmed anew 5 s later, unless TCP has done so meanwhile. It runs on the
// goroutine of the home's clock.
//
// Not modelled: gratuitous ARP, address conflicts, IPv6's neighbour discovery.
package neighbour

import (
	"encoding/binary"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
)

// broadcast is the address of every interface on the LAN.
var broadcast = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Config says whose table it is.
type Config struct {
	Clock     *clock.Virtual
	Pool      *packet.Pool
	Rand      interface{ N(k int64) int64 } // a number from 0 to k-1
	Addr      uint32                        // the machine's
	MAC       [6]byte
	Reachable int64 // ns for which a confirmation holds, about; 0 = Linux's
	// Send takes a packet, an IP packet or an ARP message, for a machine on the LAN, and owns its bytes.
	Send func(b []byte, to [6]byte, kind uint16, l packet.Lineage)
}

// Table is the table of one machine.
type Table struct {
	c       Config
	entries map[uint32]*entry
	to      uint32 // of the entry that was used last
	last    *entry
}

type entry struct {
	mac       [6]byte
	known     bool
	asked     int
	confirmed int64
	good      int64 // ns after confirmed
	probing   bool
	waiting   []waitingPacket
}

type waitingPacket struct {
	b []byte
	l packet.Lineage
}

// Linux's neighbour table (net.ipv4.neigh.default): base_reachable_time 30 s, halved to one and a half times; delay_first_probe
// 5 s; retrans_time 1 s; three tries; packets that wait for an answer.
const (
	reachable    = int64(30e9)
	probeDelay   = int64(5e9)
	probeAgain   = int64(1e9)
	probeTries   = 3
	waitingLimit = 100
)

// New makes a machine's table.
func New(c Config) *Table {
	if c.Reachable == 0 {
		c.Reachable = reachable
	}
	return &Table{c: c, entries: make(map[uint32]*entry)}
}

// Send sends an IP packet to a machine on the LAN.
func (t *Table) Send(to uint32, ip []byte, l packet.Lineage) {
	e := t.last
	if to != t.to || e == nil {
		if e = t.entries[to]; e == nil {
			e = &entry{}
			t.entries[to] = e
		}
		t.to, t.last = to, e
	}
	if !e.known {
		if len(e.waiting) >= waitingLimit {
			t.c.Pool.Put(ip)
			return
		}
		e.waiting = append(e.waiting, waitingPacket{ip, l})
		if e.asked == 0 {
			t.ask(to, e)
		}
		return
	}
	t.c.Send(ip, e.mac, packet.EtherTypeIPv4, l)
	if now := t.c.Clock.Now(); !e.probing && now > e.confirmed+e.good {
		e.probing = true
		t.c.Clock.At(now+probeDelay, func() { t.probe(to, e) })
	}
}

// ask asks everybody, up to three times.
func (t *Table) ask(to uint32, e *entry) {
	if e.known {
		return
	}
	if e.asked++; e.asked > probeTries {
		for _, w := range e.waiting {
			t.c.Pool.Put(w.b)
		}
		e.waiting, e.asked = nil, 0
		return
	}
	t.message(packet.ARPRequest, broadcast, [6]byte{}, to)
	t.c.Clock.At(t.c.Clock.Now()+probeAgain, func() { t.ask(to, e) })
}

// probe asks the machine itself whether it is still there, if nothing has told so.
func (t *Table) probe(to uint32, e *entry) {
	if t.c.Clock.Now() <= e.confirmed+e.good {
		e.probing = false
		return
	}
	t.message(packet.ARPRequest, e.mac, e.mac, to)
	t.c.Clock.At(t.c.Clock.Now()+probeAgain, func() { e.probing = false })
}

// message sends an ARP message.
func (t *Table) message(op uint16, to, target [6]byte, addr uint32) {
	b := t.c.Pool.Get()[packet.EthernetHeader : packet.EthernetHeader+packet.ARPSize]
	if op == packet.ARPRequest {
		target = [6]byte{}
	}
	packet.ARP(b).Encode(&packet.ARPFields{
		Operation: op, SenderHardware: t.c.MAC, SenderProtocol: bytes(t.c.Addr), TargetHardware: target, TargetProtocol: bytes(addr),
	})
	t.c.Send(b, to, packet.EtherTypeARP, packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone})
}

// Receive takes an ARP message.
func (t *Table) Receive(b []byte) {
	a, ok := packet.ParseARP(b)
	if !ok || a.TargetProtocol() != bytes(t.c.Addr) {
		return
	}
	sender := a.SenderProtocol()
	from, mac := binary.BigEndian.Uint32(sender[:]), a.SenderHardware()
	e := t.entries[from]
	switch {
	case a.Operation() == packet.ARPRequest:
		if e == nil { // who asks is known from then on, but not confirmed
			e = &entry{}
			t.entries[from] = e
		}
		t.message(packet.ARPReply, mac, mac, from)
		if !e.known {
			e.known, e.mac, e.confirmed, e.good = true, mac, t.c.Clock.Now(), 0
			t.flush(e)
		}
	case e != nil:
		e.known, e.mac = true, mac
		e.confirmed, e.good = t.c.Clock.Now(), t.c.Reachable/2+t.c.Rand.N(t.c.Reachable)
		e.probing, e.asked = false, 0
		t.flush(e)
	}
}

func (t *Table) flush(e *entry) {
	w := e.waiting
	e.waiting = nil
	for _, x := range w {
		t.c.Send(x.b, e.mac, packet.EtherTypeIPv4, x.l)
	}
}

// Confirm notes that something of a machine on the LAN, or from behind it, has got through.
func (t *Table) Confirm(to uint32) {
	e := t.last
	if to != t.to {
		e = t.entries[to]
	}
	if e != nil && e.known && e.good > 0 {
		e.confirmed = t.c.Clock.Now()
	}
}

// Query asks for a machine's address: the machine itself where it is known, and else everybody.
func (t *Table) Query(to uint32) {
	if e := t.entries[to]; e != nil && e.known {
		t.message(packet.ARPRequest, e.mac, e.mac, to)
		return
	}
	t.QueryAll(to)
}

// QueryAll asks everybody.
func (t *Table) QueryAll(to uint32) { t.message(packet.ARPRequest, broadcast, [6]byte{}, to) }

func bytes(a uint32) [4]byte { return [4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)} }
