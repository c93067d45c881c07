package realdata

import (
	"container/heap"
	"net/netip"

	"glasshouse/testbed/frames"
)

// together is how close in time the segments of one transfer follow each other, ns.
const together = 50e6

// stream is one direction of a TCP connection.
type stream struct {
	unit   int
	up     bool
	local  uint16
	remote netip.AddrPort
}

// rest are bytes of a stream that were cut from a segment that was too large, and wait for more.
type rest struct {
	k    stream
	p    crossing // a packet with them alone
	left int      // bytes
	next uint32   // sequence number behind them
	done bool
}

// recutter makes packets fit a tunnel: a home behind one has its MTU on the LAN, too. TCP data is cut anew, as a sender with the
// lesser MSS would have done: what is left of a full segment goes with the next one of the transfer, so there are as many bytes and a few more
// segments. Other packets are fragmented. Acknowledgements are left as they are. What it gives is at most `together` out of order.
type recutter struct {
	mtu   int
	emit  func(crossing)
	open  map[stream]*rest
	order []*rest // as they came
}

func newRecutter(mtu int, emit func(crossing)) *recutter {
	return &recutter{mtu: mtu, emit: emit, open: make(map[stream]*rest)}
}

// add takes the next packet in the order of time.
func (c *recutter) add(p crossing) {
	c.expire(p.at - together)
	headers, data, ok := p.TCP()
	if !ok || data == 0 {
		p.Fragments(c.mtu, func(f *frames.Frame) {
			q := p
			q.Frame = *f
			c.emit(q)
		})
		return
	}
	local, remote, _ := p.ends()
	k, seq := stream{p.unit, p.up, local, remote}, p.Sequence()
	r := c.open[k]
	if r != nil && r.next != seq {
		c.flush(r)
		r = nil
	}
	if r == nil && p.Length <= c.mtu {
		c.emit(p)
		return
	}
	from, total := 0, data
	if r != nil {
		from, total = -r.left, data+r.left
		r.done = true
		delete(c.open, k)
	}
	for size := c.mtu - headers; total >= size; total, from = total-size, from+size {
		c.emit(p.part(headers, from, size))
	}
	if total == 0 {
		return
	}
	last := p.part(headers, from, total)
	if p.Length <= c.mtu { // the transfer's last
		c.emit(last)
		return
	}
	r = &rest{k: k, p: last, left: total, next: seq + uint32(data)}
	c.open[k], c.order = r, append(c.order, r)
}

// expire gives the rests of before a time.
func (c *recutter) expire(before int64) {
	for len(c.order) > 0 && (c.order[0].done || c.order[0].p.at < before) {
		if !c.order[0].done {
			c.flush(c.order[0])
		}
		c.order = c.order[1:]
	}
}

func (c *recutter) flush(r *rest) {
	r.done = true
	delete(c.open, r.k)
	c.emit(r.p)
}

// end gives what still waits.
func (c *recutter) end() {
	for _, r := range c.order {
		if !r.done {
			c.flush(r)
		}
	}
	c.order = nil
}

// part is a segment with the headers of p and so many bytes of data.
func (p *crossing) part(headers, from, size int) crossing {
	q := *p
	q.Frame = p.Part(headers, from, size)
	return q
}

// queue puts packets in the order of time that are out of it by no more than a while.
type queue struct {
	while  int64
	newest int64
	heads  heads
	n      int
	yield  func(crossing) error
}

// add takes a packet, and gives those that none can come before any more.
func (q *queue) add(p crossing) error {
	heap.Push(&q.heads, &head{p: p, order: q.n})
	q.n++
	q.newest = max(q.newest, p.at)
	return q.until(q.newest - q.while)
}

func (q *queue) until(at int64) error {
	for len(q.heads) > 0 && q.heads[0].p.at <= at {
		if err := q.yield(heap.Pop(&q.heads).(*head).p); err != nil {
			return err
		}
	}
	return nil
}
