// Package mix counts the protocols of one device's frames, as the paper's table 1 does: each frame has the protocol that tshark 4.0 shows
// by default. It has a dissector of its own; a test compares it with tshark, frame by frame.
//
// Not modelled: what tshark makes of a stream with holes (a segment that was lost before the capture, or came out of order):
// there it takes some segments for records that they are not. Ports: tshark knows many hundred, this package those that the
// catalogue's devices use, and TLS and HTTP by their first bytes on any other.
package mix

import (
	"errors"
	"fmt"
	"io"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset/pcapng"
)

// Protocol is the protocol above TCP or UDP, from the frame's bytes and those before it in its stream.
type Protocol uint8

// The protocols of table 1. A segment with only a part of a record, or of a message, is Plain.
const (
	Plain Protocol = iota
	TLS
	HTTP
	DNS
)

// Mix counts frames.
type Mix struct {
	Frames, IPv4, UDP, TCP, TLS, HTTP, DNS int64
}

// Columns returns table 1's columns in order.
func Columns() []string { return []string{"IPv4", "UDP", "TCP", "TLS", "HTTP", "DNS", "O"} }

// Percent returns a column as a percentage of all frames; O is frames that are not IPv4.
func (m *Mix) Percent(column string) float64 {
	if m.Frames == 0 {
		return 0
	}
	n := map[string]int64{
		"IPv4": m.IPv4, "UDP": m.UDP, "TCP": m.TCP, "TLS": m.TLS, "HTTP": m.HTTP, "DNS": m.DNS, "O": m.Frames - m.IPv4,
	}[column]
	return 100 * float64(n) / float64(m.Frames)
}

// Count counts the frames of a capture that one of the devices sent, and the unicast frames sent to one of them.
func Count(path string, macs map[[6]byte]bool) (*Mix, error) {
	m := &Mix{}
	err := Walk(path, macs, func(_ int64, f *Frame) error {
		m.add(f)
		return nil
	})
	return m, err
}

// Frame is a dissected frame.
type Frame struct {
	EtherType uint16
	IPProto   uint8 // 0 if it is not IPv4
	Protocol  Protocol
}

func (m *Mix) add(f *Frame) {
	m.Frames++
	if f.EtherType != packet.EtherTypeIPv4 {
		return
	}
	m.IPv4++
	switch f.IPProto {
	case packet.ProtoUDP:
		m.UDP++
	case packet.ProtoTCP:
		m.TCP++
	}
	switch f.Protocol {
	case TLS:
		m.TLS++
	case HTTP:
		m.HTTP++
	case DNS:
		m.DNS++
	case Plain:
	}
}

const (
	portDNS   = 53
	dnsHeader = 12 // bytes (RFC 1035, section 4.1.1)
)

// Walk calls each for the frames that Count counts, or for all if macs is nil; number is the frame's number in the capture, from 1.
func Walk(path string, macs map[[6]byte]bool, each func(number int64, f *Frame) error) error {
	r, err := pcapng.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	s := newStreams()
	for n := int64(1); ; n++ {
		c, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(c.Data) < c.Length {
			return fmt.Errorf("%s: frame %d is truncated: record boundaries are unknown; capture whole frames", path, n)
		}
		if len(c.Data) < packet.EthernetHeader {
			continue
		}
		f := s.dissect(c.Data)
		if macs != nil && !macs[packet.Ethernet(c.Data).Source()] && !macs[packet.Ethernet(c.Data).Destination()] {
			continue
		}
		if err := each(n, &f); err != nil {
			return err
		}
	}
}

// dissect classifies a frame. It must be called for all frames of a capture in order, since it reassembles streams.
func (s *streams) dissect(b []byte) (f Frame) {
	f.EtherType = packet.Ethernet(b).EtherType()
	ip, ok := packet.IPv4Of(b)
	if !ok || !ip.Complete() {
		return f
	}
	if f.IPProto = ip.Protocol(); ip.Fragment() {
		return f
	}
	switch f.IPProto {
	case packet.ProtoUDP:
		u, ok := packet.ParseUDP(ip.Payload())
		if ok && len(u.Payload()) >= dnsHeader && (u.SourcePort() == portDNS || u.DestinationPort() == portDNS) {
			f.Protocol = DNS
		}
	case packet.ProtoTCP:
		if t, ok := packet.ParseTCP(ip.Payload()); ok {
			f.Protocol = s.segment(ip, t)
		}
	}
	return f
}
