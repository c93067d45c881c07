package virtual

import (
	"glasshouse/emulator/packet"
)

var broadcastMAC = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// neighbours is a machine's table of who has which address on the LAN (RFC 826), kept as Linux does: an entry is good for a
// while after it was confirmed; when it is used after that, it is confirmed anew 5 s later, unless TCP has done so meanwhile.
type neighbours struct {
	n    *Net
	addr uint32
	mac  [6]byte
	out  func(b []byte, to [6]byte, kind uint16, l packet.Lineage)
	m    map[uint32]*neighbour
	d    draws
	base int64  // ns for which a confirmation holds, about
	to   uint32 // of the entry that was used last
	last *neighbour
}

type neighbour struct {
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

// newNeighbours makes a machine's table; base is its base_reachable_time, 0 = Linux's.
func newNeighbours(n *Net, addr uint32, mac [6]byte, out func([]byte, [6]byte, uint16, packet.Lineage), base int64) neighbours {
	if base == 0 {
		base = reachable
	}
	return neighbours{
		n: n, addr: addr, mac: mac, out: out, m: make(map[uint32]*neighbour), d: newDraws(n.c.Seed^uint64(addr), 0x617270), base: base,
	}
}

// send sends an IP packet to a machine on the LAN.
func (t *neighbours) send(to uint32, ip []byte, l packet.Lineage) {
	e := t.last
	if to != t.to || e == nil {
		if e = t.m[to]; e == nil {
			e = &neighbour{}
			t.m[to] = e
		}
		t.to, t.last = to, e
	}
	if !e.known {
		if len(e.waiting) >= waitingLimit {
			t.n.pool.Put(ip)
			return
		}
		e.waiting = append(e.waiting, waitingPacket{ip, l})
		if e.asked == 0 {
			t.ask(to, e)
		}
		return
	}
	t.out(ip, e.mac, packet.EtherTypeIPv4, l)
	if now := t.n.clock.Now(); !e.probing && now > e.confirmed+e.good {
		e.probing = true
		t.n.at(now+probeDelay, func() { t.probe(to, e) })
	}
}

// ask asks everybody, up to three times.
func (t *neighbours) ask(to uint32, e *neighbour) {
	if e.known {
		return
	}
	if e.asked++; e.asked > probeTries {
		for _, w := range e.waiting {
			t.n.pool.Put(w.b)
		}
		e.waiting, e.asked = nil, 0
		return
	}
	t.message(packet.ARPRequest, broadcastMAC, [6]byte{}, to)
	t.n.at(t.n.clock.Now()+probeAgain, func() { t.ask(to, e) })
}

// probe asks the machine itself whether it is still there, if nothing has told so.
func (t *neighbours) probe(to uint32, e *neighbour) {
	if t.n.clock.Now() <= e.confirmed+e.good {
		e.probing = false
		return
	}
	t.message(packet.ARPRequest, e.mac, e.mac, to)
	t.n.at(t.n.clock.Now()+probeAgain, func() { e.probing = false })
}

// message sends an ARP message.
func (t *neighbours) message(op uint16, to, target [6]byte, addr uint32) {
	b := t.n.pool.Get()[packet.EthernetHeader : packet.EthernetHeader+packet.ARPSize]
	if op == packet.ARPRequest {
		target = [6]byte{}
	}
	packet.ARP(b).Encode(&packet.ARPFields{
		Operation: op, SenderHardware: t.mac, SenderProtocol: addr4(t.addr), TargetHardware: target, TargetProtocol: addr4(addr),
	})
	t.out(b, to, packet.EtherTypeARP, packet.Lineage{Unit: packet.UnitGateway, Event: packet.EventNone})
}

// receive takes an ARP message.
func (t *neighbours) receive(b []byte) {
	a, ok := packet.ParseARP(b)
	if !ok || a.TargetProtocol() != addr4(t.addr) {
		return
	}
	sender := a.SenderProtocol()
	from, mac := be32(sender[:]), a.SenderHardware()
	e := t.m[from]
	switch {
	case a.Operation() == packet.ARPRequest:
		if e == nil { // who asks is known from then on, but not confirmed
			e = &neighbour{}
			t.m[from] = e
		}
		t.message(2, mac, mac, from)
		if !e.known {
			e.known, e.mac, e.confirmed, e.good = true, mac, t.n.clock.Now(), 0
			t.flush(e)
		}
	case e != nil:
		e.known, e.mac = true, mac
		e.confirmed, e.good = t.n.clock.Now(), t.base/2+t.d.n(t.base)
		e.probing, e.asked = false, 0
		t.flush(e)
	}
}

func (t *neighbours) flush(e *neighbour) {
	w := e.waiting
	e.waiting = nil
	for _, x := range w {
		t.out(x.b, e.mac, packet.EtherTypeIPv4, x.l)
	}
}

// confirm notes that something of the machine, or from behind it, has got through.
func (t *neighbours) confirm(src uint32) {
	to := src
	if !t.n.onLAN(src) {
		to = u32(t.n.c.Router)
	}
	e := t.last
	if to != t.to {
		e = t.m[to]
	}
	if e != nil && e.known && e.good > 0 {
		e.confirmed = t.n.clock.Now()
	}
}
