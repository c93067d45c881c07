package realdata

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/frames"
)

// ErrNothing means that a capture has no packet that would leave the home.
var ErrNothing = errors.New("no IP packet that crosses the gateway is in the capture")

// crossing is a packet that crosses the home's gateway.
type crossing struct {
	frames.Frame
	at   int64 // ns: UTC as captured, then from the home's start
	up   bool
	unit int
}

// ends are the device's port, and the address and port on the other side; ok is false where there are no ports.
func (p *crossing) ends() (local uint16, remote netip.AddrPort, ok bool) {
	addr := p.Src
	if p.up {
		addr = p.Dst
	}
	if src, dst, ok := p.Ports(); ok {
		if !p.up {
			src, dst = dst, src
		}
		return src, netip.AddrPortFrom(addr, dst), true
	}
	if b := p.IP[min(p.Above, len(p.IP)):]; p.Proto == frames.ProtoICMP && p.Offset == 0 && len(b) >= 6 && (b[0] == 8 || b[0] == 0) {
		return binary.BigEndian.Uint16(b[4:]), netip.AddrPortFrom(addr, 0), true // an echo's identifier (RFC 5508)
	}
	return 0, netip.AddrPortFrom(addr, 0), false
}

// enough is how much of a payload tells its protocol.
const enough = 6

// shows tells whether a packet has TCP data, and whether what is there of it is enough to show its protocol.
func (p *crossing) shows() (data, shown bool) {
	headers, n, ok := p.TCP()
	if !ok || n == 0 {
		return false, false
	}
	return true, len(p.IP)-headers >= min(enough, n)
}

// lineage of a packet: roles are told by TCP's flags and lengths alone, so repeated ones are data, and keepalives acknowledgements.
func (p *crossing) lineage() packet.Lineage {
	l := packet.Lineage{Unit: int32(p.unit), Event: packet.EventNone, Role: packet.RoleData}
	if _, data, ok := p.TCP(); ok && data > 0 || p.Proto != frames.ProtoTCP || p.Fragment() {
		return l
	}
	switch flags := p.Flags(); {
	case flags&flagSYN != 0:
		l.Role = packet.RoleTCPHandshake
	case flags&(flagFIN|flagRST) != 0:
		l.Role = packet.RoleClose
	default:
		l.Role = packet.RoleAck
	}
	return l
}

// TCP flags.
const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
)
