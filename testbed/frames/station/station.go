// Package station reads from a capture what it holds of one device: a trace from which a profile is learned, or with which one is
// compared. Fragments are joined to their datagram; TCP streams are not put together.
package station

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"

	"glasshouse/devices/learn"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/frames"
)

// ErrNoDevice means that a capture holds no packet of the device.
var ErrNoDevice = errors.New("no IP packet of this device is in the capture")

// Trace reads what a capture holds of one device, whose packets are those of a MAC address or those of an IP address; path "-" is
// standard input. Payloads may be cut. The trace counts what is left out in LeftOut; its Doubts say what is odd about the capture.
func Trace(path string, o frames.Station) (*learn.Trace, error) {
	r, err := frames.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	t := newTracer(o)
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		t.Frame(f)
	}
	frames.LeftOut(t.t.LeftOut).Add(r.LeftOut())
	t.t.Doubts = r.Notes()
	trace := t.end()
	if len(trace.Packets) == 0 {
		if t.anonymous && !o.Addr.IsValid() {
			return nil, fmt.Errorf("%s: %w: its frames have no MAC address; --ip says whose packets are meant", path, ErrNoDevice)
		}
		return nil, fmt.Errorf("%s: %w; it has %s", path, ErrNoDevice, t.stations())
	}
	return trace, nil
}

// tracer picks a device's packets from frames.
type tracer struct {
	who       *frames.Matcher
	copies    *frames.Copies
	t         *learn.Trace
	macs      map[[6]byte]int
	anonymous bool // a frame without a MAC address was met
	v6        int  // packets of IPv6
	whole     int  // packets with a payload that is there
	cut       int  // and that is not
	opened    map[connectionKey]int
	datagrams map[datagramKey]datagram
	lone      map[datagramKey][]frames.Frame // fragments whose first one has not come yet
}

// connectionKey tells a device's connections apart, to find the SYN before a ClientHello.
type connectionKey struct {
	remote         netip.Addr
	local, remoteP uint16
}

func keyOf(p *learn.Packet) connectionKey { return connectionKey{p.Remote, p.LocalPort, p.RemotePort} }

// datagramKey is what fragments have in common (RFC 791, RFC 8200).
type datagramKey struct {
	src, dst netip.Addr
	proto    uint8
	id       uint32
}

// datagram is where a first fragment was put.
type datagram struct {
	index int
	at    int64
}

// reassembly is how long fragments of a datagram are waited for, ns (RFC 1122, section 3.3.2: 60 to 120 s).
const reassembly = 60e9

// Reasons of this reader's own for which a packet is left out.
const (
	leftLone          = frames.LoneFragment
	leftIPv6Multicast = "ipv6_multicast"
)

func newTracer(o frames.Station) *tracer {
	t := &learn.Trace{MAC: o.MAC, Names: make(map[netip.Addr]string), LeftOut: make(map[string]int64)}
	return &tracer{
		who: frames.NewMatcher(o), copies: frames.NewCopies(), t: t, macs: make(map[[6]byte]int), opened: make(map[connectionKey]int),
		datagrams: make(map[datagramKey]datagram), lone: make(map[datagramKey][]frames.Frame),
	}
}

// stations lists the senders of a capture, the busiest first.
func (t *tracer) stations() string {
	var all [][6]byte
	for m := range t.macs {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b [6]byte) int {
		if t.macs[a] != t.macs[b] {
			return t.macs[b] - t.macs[a]
		}
		return bytes.Compare(a[:], b[:])
	})
	var s []string
	for _, m := range all[:min(len(all), 8)] {
		s = append(s, net.HardwareAddr(m[:]).String())
	}
	if len(s) == 0 {
		return "no frame with a MAC address"
	}
	return strings.Join(s, ", ")
}

// Frame takes the next IP packet. Nothing that is in it makes it panic.
func (t *tracer) Frame(f *frames.Frame) {
	if f.HasSrc {
		t.macs[f.SrcMAC]++
	} else {
		t.anonymous = true
	}
	dir, reason := t.who.Match(f)
	near, far := f.Src, f.Dst
	if dir < 0 {
		near, far = far, near
	}
	switch {
	case dir == 0:
	case f.Is6() && far.IsMulticast():
		reason = leftIPv6Multicast
	case f.Is6() && !frames.Crosses(near, far):
		reason = learn.LeftLocal
	case t.copies.Seen(f):
		reason = frames.Copy
	default:
		reason = t.ip(f, dir > 0, far)
	}
	if reason != "" {
		t.t.LeftOut[reason]++
	}
}

// ip takes a packet of the device's, and tells why it is left out.
func (t *tracer) ip(f *frames.Frame, up bool, far netip.Addr) (reason string) {
	p := learn.Packet{At: f.At, Up: up, Remote: far, Length: dataset.EthernetHeader + f.Length, Proto: f.Proto, TTL: f.TTL}
	if f.Is6() {
		t.v6++
	}
	key := datagramKey{f.Src, f.Dst, f.Proto, f.ID}
	if f.Offset > 0 {
		if d, ok := t.datagrams[key]; ok && f.At-d.at < reassembly {
			t.join(&t.t.Packets[d.index], f)
		} else {
			later := *f
			later.IP = nil
			t.lone[key] = append(t.lone[key], later)
		}
		return ""
	}
	if !t.transport(&p, f) {
		return frames.Malformed
	}
	if p.Proto == frames.ProtoTCP && p.Up && p.Flags&0x12 == 2 {
		p.Host = t.t.Names[p.Remote]
		t.opened[keyOf(&p)] = len(t.t.Packets)
	}
	t.t.Packets = append(t.t.Packets, p)
	if f.More {
		t.datagrams[key] = datagram{len(t.t.Packets) - 1, f.At}
		for i := range t.lone[key] { // old stacks send the last fragment first
			if later := &t.lone[key][i]; f.At-later.At < reassembly {
				t.join(&t.t.Packets[len(t.t.Packets)-1], later)
			} else {
				t.t.LeftOut[leftLone]++
			}
		}
		delete(t.lone, key)
	}
	return ""
}

// join adds a later fragment to its datagram. UDP's header told the whole length already.
func (t *tracer) join(p *learn.Packet, f *frames.Frame) {
	p.Length += dataset.EthernetHeader + f.Length
	if p.Proto != frames.ProtoUDP {
		p.Payload += f.Length - f.Above
	}
}

func (t *tracer) end() *learn.Trace {
	slices.SortStableFunc(t.t.Packets, func(a, b learn.Packet) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	t.t.Cut = t.cut > t.whole
	for _, waiting := range t.lone {
		t.t.LeftOut[leftLone] += int64(len(waiting))
	}
	if mac, ok := t.who.Address(); ok {
		t.t.MAC = mac
	}
	t.t.Doubts = append(t.t.Doubts, t.who.Doubts()...)
	if n := t.t.LeftOut[frames.Copy]; n > 0 {
		t.t.Doubts = append(t.t.Doubts, fmt.Sprintf(
			"%d packets are copies of those before them, as of a port that is mirrored twice: they are left out", n))
	}
	if n := t.t.LeftOut[frames.IPv6]; n > 0 {
		t.t.Doubts = append(t.t.Doubts, fmt.Sprintf(
			"%d packets of IPv6 are left out, for the device was named by its IPv4 address: --mac takes them", n))
	}
	if t.v6 > 0 {
		t.t.Doubts = append(t.t.Doubts, fmt.Sprintf(
			"%d of its %d packets are IPv6, and are learned as if they were IPv4: its frames are 20 bytes longer than emulated ones",
			t.v6, len(t.t.Packets)))
	}
	return t.t
}
