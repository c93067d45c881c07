package verify

import (
	"errors"
	"fmt"
	"io"
	"net"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/pcapng"
)

// carrier compares a row with the LAN frame that is said to carry it: no other row names it; where there is a capture, the
// frame is of the device's own interface, and holds the same packet, or one of the size that is inside the tunnel's.
func (c *homeCheck) carrier(r *dataset.Row, f pcapng.Frame) error {
	lan, problem, err := c.lan.at(r.LANFrame)
	if err != nil {
		return err
	}
	if problem != "" {
		c.problem("row %d: LAN frame %d %s", r.Frame, r.LANFrame, problem)
		return nil
	}
	if lan.used {
		c.problem("row %d: LAN frame %d carries another packet already", r.Frame, r.LANFrame)
	}
	lan.used = true
	if c.lan.r == nil {
		return nil
	}
	station := lan.src
	if r.Dir < 0 {
		station = lan.dst
	}
	if mac := c.macs[r.Unit]; station != mac {
		c.problem("row %d: labelled %s (%s), but LAN frame %d is of %s",
			r.Frame, r.Unit, net.HardwareAddr(mac[:]), r.LANFrame, net.HardwareAddr(station[:]))
	}
	switch path := c.d.Manifest.Path; {
	case path == "napt" && c.wan != nil && len(f.Data) == f.Length && !lan.cut && lan.payload != payloadOf(f.Data):
		c.problem("row %d: LAN frame %d does not carry this packet", r.Frame, r.LANFrame)
	case path == "vpn" && int(r.Length) != dataset.EthernetHeader+tunnelSize(lan.size):
		c.problem("row %d: LAN frame %d holds %d bytes of IP, which a packet of %d does not carry", r.Frame, r.LANFrame, lan.size, r.Length)
	}
	return nil
}

// tunnelSize returns the bytes of the IPv4 packet that carries one of n bytes inside WireGuard: padded to 16, but not beyond
// the tunnel's MTU of 1420.
func tunnelSize(n int) int { return 20 + 8 + 32 + min((n+15)&^15, 1420) }

// lanFrame is what is compared of a LAN frame.
type lanFrame struct {
	src, dst [6]byte
	used     bool // a row has named it
	cut      bool // the capture holds only its beginning
	size     int  // of its IPv4 packet, bytes
	payload  payloadID
}

// lanWindow holds the LAN frames around those that rows name just now. A packet is on the WAN within seconds of its LAN frame,
// before or after, so that memory need not grow with the capture.
type lanWindow struct {
	r      *pcapng.Reader // nil where there is no capture: frames are told apart by their numbers alone
	count  int64          // frames that there are, if there is no capture
	read   int64          // frames that the window has seen
	frames []lanFrame     // frame n is at (n-1) modulo their number
	ended  bool
}

// lanWindowFrames is at least what passes on a LAN while a packet crosses the gateway: 10 s at the 20,000 a second that 200
// Mbit/s of full frames are.
const lanWindowFrames = 1 << 18

// openLANWindow opens a capture; without a path there is none, and count says how many frames there were.
func openLANWindow(path string, count int64) (*lanWindow, error) {
	w := &lanWindow{count: count}
	if path == "" {
		return w, nil
	}
	var err error
	w.r, err = pcapng.Open(path)
	return w, err
}

func (w *lanWindow) close() {
	if w.r != nil {
		_ = w.r.Close()
	}
}

// at returns a frame, which may be marked as used, or what is the matter with its number.
func (w *lanWindow) at(n int64) (f *lanFrame, problem string, err error) {
	for w.read < n && !w.ended {
		if err := w.next(); err != nil {
			return nil, "", err
		}
	}
	switch {
	case n < 1 || n > w.read:
		return nil, "is not there", nil
	case n <= w.read-lanWindowFrames:
		return nil, fmt.Sprintf("is %d frames away from its neighbours'", w.read-n), nil
	}
	return &w.frames[(n-1)%lanWindowFrames], "", nil
}

// next takes in another frame.
func (w *lanWindow) next() error {
	var l lanFrame
	if w.r == nil {
		if w.ended = w.read >= w.count; w.ended {
			return nil
		}
	} else {
		f, err := w.r.Read()
		if errors.Is(err, io.EOF) {
			w.ended = true
			return nil
		}
		if err != nil {
			return err
		}
		l = lanFrame{payload: payloadOf(f.Data), cut: len(f.Data) < f.Length}
		if len(f.Data) >= dataset.EthernetHeader+packet.IPv4Size {
			l.dst, l.src = [6]byte(f.Data[:6]), [6]byte(f.Data[6:12])
			l.size = packet.IPv4(f.Data[dataset.EthernetHeader:]).TotalLength()
		}
	}
	if len(w.frames) < lanWindowFrames {
		w.frames = append(w.frames, l)
	} else {
		w.frames[w.read%lanWindowFrames] = l
	}
	w.read++
	return nil
}

// rest reads to the end and returns the number of frames.
func (w *lanWindow) rest() (int64, error) {
	if w.r == nil {
		return w.count, nil
	}
	for !w.ended {
		if err := w.next(); err != nil {
			return w.read, err
		}
	}
	return w.read, nil
}

// payloadID tells packets apart by what NAPT leaves alone.
type payloadID struct {
	proto uint8
	size  int
	sum   uint64
}

func payloadOf(frame []byte) payloadID {
	ip, ok := packet.IPv4Of(frame)
	if !ok || !ip.Complete() {
		return payloadID{}
	}
	l4 := ip.Payload()
	id := payloadID{proto: ip.Protocol(), size: len(l4)}
	switch {
	case id.proto == packet.ProtoTCP && len(l4) >= packet.TCPSize: // sequence and acknowledgement numbers, flags, window, payload
		id.sum = fnv(fnv(fnvBasis, l4[4:16]), l4[18:])
	case id.proto == packet.ProtoUDP && len(l4) >= packet.UDPSize:
		id.sum = fnv(fnvBasis, l4[packet.UDPSize:])
	case id.proto == packet.ProtoICMP && len(l4) >= packet.ICMPSize && packet.ICMP(l4).Echo():
		id.sum = fnv(fnvBasis, l4[6:])
	}
	return id
}

const fnvBasis = uint64(14695981039346656037)

func fnv(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
