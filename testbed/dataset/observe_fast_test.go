package dataset

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"

	"glasshouse/testbed/dataset/datasettest"
)

// oracle observes a frame by gopacket's decoders alone.
type oracle struct {
	eth layers.Ethernet
	ip4 layers.IPv4
	ip6 layers.IPv6
	tcp layers.TCP
	udp layers.UDP
}

func (g *oracle) observe(dir int8, frame []byte) Observation {
	o := Observation{Dir: dir, Length: int32(len(frame)), AppProto: AppNone}
	if g.eth.DecodeFromBytes(frame, gopacket.NilDecodeFeedback) != nil {
		return o
	}
	switch g.eth.NextLayerType() {
	case layers.LayerTypeIPv4:
		if g.ip4.DecodeFromBytes(g.eth.Payload, gopacket.NilDecodeFeedback) != nil {
			return o
		}
		o.IPProto, o.RemoteAddr = uint8(g.ip4.Protocol), g.ip4.DstIP.String()
		if dir < 0 {
			o.RemoteAddr = g.ip4.SrcIP.String()
		}
		if g.ip4.FragOffset == 0 { // gopacket stops at a first fragment, too
			g.transport(&o, g.ip4.Payload)
		}
	case layers.LayerTypeIPv6:
		if g.ip6.DecodeFromBytes(g.eth.Payload, gopacket.NilDecodeFeedback) != nil {
			return o
		}
		o.IPProto, o.RemoteAddr = uint8(g.ip6.NextHeader), NewParser().remote(dir, g.ip6.SrcIP, g.ip6.DstIP)
		g.transport(&o, g.ip6.Payload)
	}
	return o
}

func (g *oracle) transport(o *Observation, b []byte) {
	switch o.IPProto {
	case 6:
		if err := g.tcp.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil && len(b) < 20 {
			return
		}
		o.ports(uint16(g.tcp.SrcPort), uint16(g.tcp.DstPort))
		o.TCPFlags = b[13]
		if head := 4 * int(b[12]>>4); head >= 20 && head <= len(b) {
			o.PayloadLength = int32(len(b) - head)
			o.AppProto = streamProto(uint16(g.tcp.SrcPort), uint16(g.tcp.DstPort), b[head:])
		}
	case 17:
		if g.udp.DecodeFromBytes(b, gopacket.NilDecodeFeedback) == nil {
			o.ports(uint16(g.udp.SrcPort), uint16(g.udp.DstPort))
			o.PayloadLength = int32(len(g.udp.Payload))
			o.AppProto = datagramProto(uint16(g.udp.SrcPort), uint16(g.udp.DstPort), g.udp.Payload, len(g.udp.Payload))
		}
	}
}

// drawFrame makes frames of which most are whole, and many are damaged in one place or another.
func drawFrame(r *rand.Rand) []byte {
	payload := make([]byte, r.IntN(300))
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	starts := [][]byte{
		{23, 3, 3, 0, 9}, []byte("GET /x"), []byte("POST /"), {0xd0, 0}, {4, 0, 0, 0}, {1, 0, 0, 0}, {0xc3, 0, 0, 0, 1, 8, 9}, {0x23}, {1, 2, 1, 0, 0, 1},
	}
	copy(payload, starts[r.IntN(len(starts))])
	ports := []uint16{53, 67, 68, 80, 123, 443, 1883, 8053, 51820, 40000}
	src, dst := ports[r.IntN(len(ports))], ports[r.IntN(len(ports))]
	var ip []byte
	switch r.IntN(4) {
	case 0, 1:
		ip = datasettest.TCP(datasettest.Home, datasettest.Cloud, src, dst, byte(r.Uint32()), payload)
		ip[32] = byte(5+r.IntN(3)*r.IntN(2)) << 4
	case 2:
		ip = datasettest.UDP(datasettest.Home, datasettest.Cloud, src, dst, payload)
	default:
		ip = datasettest.UDP(datasettest.Home, datasettest.Cloud, src, dst, payload)
		ip[9] = byte(r.IntN(20))
	}
	if r.IntN(4) == 0 { // options
		n := 1 + r.IntN(10)
		options := make([]byte, 4*n)
		for i := range options {
			options[i] = byte(r.IntN(5))
		}
		ip = append(append(append([]byte(nil), ip[:20]...), options...), ip[20:]...)
		ip[0] = 0x45 + byte(n)
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	}
	frame := datasettest.Ethernet(ip)
	switch r.IntN(6) {
	case 0: // a header's byte is another
		frame[12+r.IntN(min(len(frame)-12, 44))] = byte(r.Uint32())
	case 1: // padding
		frame = append(frame, make([]byte, r.IntN(20))...)
	case 2:
		frame = frame[:r.IntN(len(frame)+1)]
	}
	return frame
}

// What is read directly is what gopacket's decoders read, of frames of any kind.
func TestObserveAgreesWithGopacket(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p, g := NewParser(), &oracle{}
	direct := 0
	for range 200000 {
		frame := drawFrame(r)
		for _, dir := range []int8{1, -1} {
			if got, want := p.Observe(0, dir, frame), g.observe(dir, frame); got != want {
				t.Fatalf("% x\n%s", frame, cmp.Diff(want, got))
			}
		}
		if len(frame) > EthernetHeader {
			if p.ObserveIP(new(Observation), 0, 1, frame[EthernetHeader:], len(frame)-EthernetHeader) {
				direct++
			}
		}
	}
	if direct < 100000 {
		t.Errorf("only %d of 200000 frames were read directly: the test does not test", direct)
	}
}

func FuzzObserveAgrees(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 30 {
		f.Add(drawFrame(r))
	}
	p, g := NewParser(), &oracle{}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, dir := range []int8{1, -1} {
			if got, want := p.Observe(0, dir, b), g.observe(dir, b); got != want {
				t.Fatal(cmp.Diff(want, got))
			}
		}
	})
}

// The beginning of a frame is observed as the whole frame, from the headers and 8 bytes on.
func TestObserveLen(t *testing.T) {
	p := NewParser()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		frame := drawFrame(r)
		keep := min(len(frame), EthernetHeader+60+60+8)
		keep += rapid.IntRange(0, len(frame)-keep).Draw(t, "more")
		want := p.Observe(1, 1, frame)
		if got := p.ObserveLen(1, 1, frame[:keep], len(frame)); got != want {
			t.Fatalf("%d of %d bytes % x\n%s", keep, len(frame), frame, cmp.Diff(want, got))
		}
		for n := range keep { // any beginning is read without a fault
			if o := p.ObserveLen(1, 1, frame[:n], len(frame)); int(o.Length) != len(frame) || o.PayloadLength > o.Length {
				t.Fatalf("%+v", o)
			}
		}
	})
}

func TestObserveAllocatesNothing(t *testing.T) {
	p := NewParser()
	frames := [][]byte{
		datasettest.Ethernet(datasettest.TCP(datasettest.Home, datasettest.Cloud, 4000, 443, 0x18, append([]byte{23, 3, 3, 4, 0}, make([]byte, 1024)...))),
		datasettest.Ethernet(datasettest.UDP(datasettest.Home, datasettest.Cloud, 4000, 53, make([]byte, 40))),
	}
	if n := testing.AllocsPerRun(1000, func() {
		for _, f := range frames {
			p.ObserveLen(1, 1, f[:60], len(f))
			p.Observe(1, -1, f)
		}
	}); n > 0 {
		t.Errorf("%.1f allocations", n)
	}
}
