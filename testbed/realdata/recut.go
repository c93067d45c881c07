package realdata

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// together is how close in time the segments of one transfer follow each other, ns.
const together = 50e6

// stream is one direction of a TCP connection.
type stream struct {
	unit          int
	up            bool
	local, remote uint16
	far           [4]byte
}

// rest are bytes of a stream that were cut from a segment that was too large, and wait for more.
type rest struct {
	p    crossing // a packet with them alone
	left int      // bytes
	next uint32   // sequence number behind them
}

// recut makes packets fit a tunnel: a home behind one has its MTU on the LAN, too. TCP data is cut anew, as a sender with the
// lesser MSS would have done: what is left of a full segment goes with the next one of the transfer, so there are as many bytes and a few more
// segments. Other packets are fragmented (RFC 791). Acknowledgements are left as they are.
func recut(packets []crossing, mtu int) []crossing {
	out := make([]crossing, 0, len(packets))
	open := make(map[stream]*rest)
	flush := func(k stream, r *rest) {
		out = append(out, r.p)
		delete(open, k)
	}
	for _, p := range packets {
		k, seq, head, data, ok := p.segment()
		if !ok {
			out = append(out, fragments(p, mtu)...)
			continue
		}
		r := open[k]
		if r != nil && (p.at-r.p.at > together || r.next != seq) {
			flush(k, r)
			r = nil
		}
		if r == nil && p.length <= mtu {
			out = append(out, p)
			continue
		}
		total, at := data, seq
		if r != nil {
			total, at = data+r.left, seq-uint32(r.left)
			delete(open, k)
		}
		for size := mtu - head; total >= size; total, at = total-size, at+uint32(size) {
			out = append(out, p.part(head, size, at))
		}
		if total == 0 {
			continue
		}
		last := p.part(head, total, at)
		if p.length <= mtu { // the transfer's last
			out = append(out, last)
			continue
		}
		open[k] = &rest{p: last, left: total, next: seq + uint32(data)}
	}
	left := make([]crossing, 0, len(open))
	for _, r := range open {
		left = append(left, r.p)
	}
	slices.SortFunc(left, func(a, b crossing) int { return cmp.Or(cmp.Compare(a.at, b.at), slices.Compare(a.ip, b.ip)) })
	out = append(out, left...)
	slices.SortStableFunc(out, func(a, b crossing) int { return cmp.Compare(a.at, b.at) })
	return out
}

// segment reads a TCP segment with data: its stream, sequence number, bytes of headers and of data.
func (p *crossing) segment() (k stream, seq uint32, head, data int, ok bool) {
	b := p.ip
	ihl := int(b[0]&15) * 4
	if b[9] != protoTCP || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 || len(b) < ihl+20 {
		return k, 0, 0, 0, false
	}
	head = ihl + int(b[ihl+12]>>4)*4
	if data = p.length - head; head < ihl+20 || data <= 0 {
		return k, 0, 0, 0, false
	}
	_, local, remote, _ := p.ends()
	return stream{p.unit, p.up, local, remote.Port(), remote.Addr().As4()}, binary.BigEndian.Uint32(b[ihl+4:]), head, data, true
}

// part is a packet with the headers of p and so many bytes of data.
func (p *crossing) part(head, data int, seq uint32) crossing {
	q := *p
	q.length = head + data
	q.ip = append([]byte(nil), p.ip[:min(head, len(p.ip))]...)
	binary.BigEndian.PutUint16(q.ip[2:], uint16(q.length))
	binary.BigEndian.PutUint32(q.ip[int(q.ip[0]&15)*4+4:], seq)
	return q
}

// fragments cuts a packet as a router does.
func fragments(p crossing, mtu int) []crossing {
	if p.length <= mtu {
		return []crossing{p}
	}
	head := int(p.ip[0]&15) * 4
	word := binary.BigEndian.Uint16(p.ip[6:])
	offset, more := int(word&0x1fff)*8, word&0x2000
	var out []crossing
	for from := head; from < p.length; {
		size := p.length - from
		last := head+size <= mtu
		if !last {
			size = (mtu - head) / 8 * 8
		}
		q := p
		q.length = head + size
		q.ip = append([]byte(nil), p.ip[:head]...)
		if from < len(p.ip) {
			q.ip = append(q.ip, p.ip[from:min(from+size, len(p.ip))]...)
		}
		binary.BigEndian.PutUint16(q.ip[2:], uint16(q.length))
		flag := uint16(0x2000)
		if last {
			flag = more
		}
		binary.BigEndian.PutUint16(q.ip[6:], flag|uint16((offset+from-head)/8))
		out = append(out, q)
		from += size
	}
	return out
}
