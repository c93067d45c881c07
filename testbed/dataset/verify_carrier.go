package dataset

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// carrier compares a row with the LAN frame that is said to carry it: the frame is of the device's own interface, and holds
// the same packet, or one of the size that is inside the tunnel's.
func (c *homeCheck) carrier(r *Row, f Frame) {
	if r.LANFrame > int64(len(c.lan)) || r.LANFrame < 0 {
		c.v.problem("row %d: there is no LAN frame %d", r.Frame, r.LANFrame)
		return
	}
	lan := &c.lan[r.LANFrame-1]
	if lan.used {
		c.v.problem("row %d: LAN frame %d carries another packet already", r.Frame, r.LANFrame)
	}
	lan.used = true
	station := lan.src
	if r.Dir < 0 {
		station = lan.dst
	}
	if mac := c.macs[r.Unit]; station != mac {
		c.v.problem("row %d: labelled %s (%s), but LAN frame %d is of %s",
			r.Frame, r.Unit, net.HardwareAddr(mac[:]), r.LANFrame, net.HardwareAddr(station[:]))
	}
	switch path := c.d.Manifest.Path; {
	case path == "napt" && len(f.Data) == f.Length && !lan.cut && lan.payload != payloadOf(f.Data):
		c.v.problem("row %d: LAN frame %d does not carry this packet", r.Frame, r.LANFrame)
	case path == "vpn" && f.Length != EthernetHeader+tunnelSize(lan.size):
		c.v.problem("row %d: LAN frame %d holds %d bytes of IP, which a packet of %d does not carry", r.Frame, r.LANFrame, lan.size, f.Length)
	}
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

// lanDigests returns what is compared of each LAN frame.
func lanDigests(path string) ([]lanFrame, error) {
	r, err := OpenCapture(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []lanFrame
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		l := lanFrame{payload: payloadOf(f.Data), cut: len(f.Data) < f.Length}
		if len(f.Data) >= EthernetHeader+20 {
			l.dst, l.src = [6]byte(f.Data[:6]), [6]byte(f.Data[6:12])
			l.size = int(binary.BigEndian.Uint16(f.Data[EthernetHeader+2:]))
		}
		out = append(out, l)
	}
}

// payloadID tells packets apart by what NAPT leaves alone.
type payloadID struct {
	proto uint8
	size  int
	sum   uint64
}

func payloadOf(frame []byte) payloadID {
	if len(frame) < EthernetHeader+20 || frame[12] != 8 || frame[13] != 0 {
		return payloadID{}
	}
	ip := frame[EthernetHeader:]
	ihl := int(ip[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if ihl < 20 || total < ihl || total > len(ip) {
		return payloadID{}
	}
	l4 := ip[ihl:total]
	id := payloadID{proto: ip[9], size: len(l4)}
	switch {
	case ip[9] == 6 && len(l4) >= 20: // sequence and acknowledgement numbers, flags, window, payload
		id.sum = fnv(fnv(fnvBasis, l4[4:16]), l4[18:])
	case ip[9] == 17 && len(l4) >= 8:
		id.sum = fnv(fnvBasis, l4[8:])
	case ip[9] == 1 && len(l4) >= 8 && (l4[0] == 0 || l4[0] == 8):
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
