package accesspoint

import "glasshouse/emulator/packet"

// lateAcks holds back what stations with a measured lateness acknowledge alone: many small stacks look only each quarter of a second
// whether an acknowledgement is due (lwIP's fast timer), which no kernel of ours does. An acknowledgement of one segment leaves as
// late behind that segment as the station's table says; one of two or more, and one that rides on data, leaves at once, and
// takes the place of what is held. It is used under the access point's lock.
type lateAcks struct {
	conns []ackConn
	by    map[ackKey]uint32
	hand  int // where a place that can be taken is looked for next
}

// ackKey names a TCP connection of a station: its own port, the far end's, and the far end.
type ackKey struct {
	station uint32
	ports   uint32
	remote  uint32
}

type ackConn struct {
	key    ackKey
	at     int64  // ns: when the first unacknowledged segment came to the station
	owed   int    // segments with data since the last acknowledgement
	serial uint32 // of the newest acknowledgement: those before it are out of date
}

// Memory is bounded by the connections that have something unacknowledged: from so many on, one that has nothing gives its place
// to the next, since nothing is known of it that matters; so does one whose station has said nothing for so long, ns.
const (
	manyAckConns = 1 << 14
	ackPatience  = 120e9
)

// tcpOf finds what counts of a frame with an unfragmented TCP segment in IPv4; ok is false of any other.
func tcpOf(frame []byte) (ports, src, dst uint32, flags byte, payload int, ok bool) {
	ip, ok := packet.IPv4Of(frame)
	if !ok || ip.Protocol() != packet.ProtoTCP || ip.Fragment() || !ip.Complete() {
		return 0, 0, 0, 0, 0, false
	}
	t, ok := packet.ParseTCP(ip.Payload())
	if !ok {
		return 0, 0, 0, 0, 0, false
	}
	return t.Ports(), ip.Source32(), ip.Destination32(), t.Flags(), len(t) - t.DataOffset(), true
}

// conn finds a connection of a station, and makes it.
func (l *lateAcks) conn(k ackKey, now int64) *ackConn {
	if i, ok := l.by[k]; ok {
		return &l.conns[i]
	}
	if l.by == nil {
		l.by = make(map[ackKey]uint32)
	}
	i := l.place(now)
	c := &l.conns[i]
	*c = ackConn{key: k, serial: c.serial + 1} // what was held of the one before is out of date
	l.by[k] = i
	return c
}

// place gives a place for a connection: a new one while there are few, later one that can be taken, if there is any.
func (l *lateAcks) place(now int64) uint32 {
	if len(l.conns) >= manyAckConns {
		for range l.conns {
			i := l.hand
			l.hand = (l.hand + 1) % len(l.conns)
			if c := &l.conns[i]; c.owed == 0 || now-c.at > ackPatience {
				delete(l.by, c.key)
				return uint32(i)
			}
		}
	}
	l.conns = append(l.conns, ackConn{})
	return uint32(len(l.conns) - 1)
}

// down notes a frame that comes to a station at a time.
func (l *lateAcks) down(station int, frame []byte, at int64) {
	ports, src, _, flags, payload, ok := tcpOf(frame)
	if !ok || payload == 0 && flags&(packet.FlagSYN|packet.FlagFIN|packet.FlagRST) == 0 {
		return
	}
	k := ackKey{uint32(station), ports<<16 | ports>>16, src}
	if flags&(packet.FlagSYN|packet.FlagFIN|packet.FlagRST) != 0 {
		if i, ok := l.by[k]; ok {
			l.conns[i].owed = 0
		}
		return
	}
	c := l.conn(k, at)
	if c.owed++; c.owed == 1 {
		c.at = at
	}
}

// up says whether a frame of a station is an acknowledgement to hold; since is when the segment came, and name tells later
// whether it is still the newest word on its connection.
func (l *lateAcks) up(station int, frame []byte) (since, name int64, hold bool) {
	ports, _, dst, flags, payload, ok := tcpOf(frame)
	if !ok {
		return 0, 0, false
	}
	i, ok := l.by[ackKey{uint32(station), ports, dst}]
	if !ok { // nothing came to it
		return 0, 0, false
	}
	c := &l.conns[i]
	c.serial++
	if payload > 0 || flags != packet.FlagACK || c.owed != 1 {
		c.owed = 0
		return 0, 0, false
	}
	return c.at, int64(i)<<32 | int64(c.serial), true
}

// due tells whether a held acknowledgement is still the newest word, and takes note that it goes.
func (l *lateAcks) due(name int64) bool {
	c := &l.conns[name>>32]
	if c.serial != uint32(name) {
		return false
	}
	c.owed = 0
	return true
}

// release sends an acknowledgement that was held, if nothing has taken its place. Row carries its name until here.
func (a *AccessPoint) release(p *packet.Packet) {
	name := p.Lineage.Row
	p.Lineage.Row = 0
	a.mu.Lock()
	due := a.late.due(name)
	i, known := 0, false
	if due {
		i, known = a.byMAC[packet.Ethernet(p.Data).Source()]
	}
	a.mu.Unlock()
	if !known {
		a.c.Pool.Put(p.Data)
		return
	}
	a.transmit(i, p)
}
