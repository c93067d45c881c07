package classifier

import (
	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// Features of all that an observer on the WAN has of a packet, behind the paper's and those of the sequence: of its flow, which
// addresses and ports tell apart, and of its far end. Behind a tunnel all packets are of one flow with one far end, and these
// carry no more than the sequence does.
const (
	featFlowPacket    = allFeatures + iota // of the flow: 1 is the first
	featFlowBytes                          // of those packets, this one with them
	featFlowAge                            // seconds since the flow's first packet
	featFlowInterval                       // seconds since its last one; -1: there was none
	featFlowUp                             // share of its packets that went up
	featFlowPrevious1                      // length of its last packet, negative if it went down; 0: there was none
	featFlowPrevious2
	featFlowPrevious3
	featFlowFirst      // payload of its first packet up that had one, bytes; 0: there was none yet
	featRemoteFlows    // flows of the home with this far end so far
	featRemoteInterval // seconds since the last packet of this far end; -1: there was none
	featNamed          // how the far end's name is known: 0 it is not, 1 from DNS, 2 from TLS
	NumWANFeatures
)

// WANReader turns one home's packets, in order, into the features of all that an observer on its WAN has: HomeMole's eleven numbers,
// those derived from the sequence, those of flows, and the name of the far end. The zero value is ready. Not looked at: names in QUIC,
// whose Initials can be decrypted by anybody, and in HTTP; addresses are told by DNS as a rule.
type WANReader struct {
	e     Extractor
	s     sequence
	flows map[flowKey]*flow
	far   map[string]*farEnd // by address
}

type flowKey struct {
	addr          string
	remote, local uint16
	proto         uint8
}

type flow struct {
	far         *farEnd
	resolved    string // what DNS had told of the far end's address when the flow began
	name        string // that the flow itself told
	packets, up int
	bytes       int64
	first, last int64
	previous    [3]float32
	opening     int32
}

type farEnd struct {
	name  string // the last that DNS told of the address
	flows int
	last  int64
}

// maxFlows bounds a reader's memory: beyond it, all flows begin anew.
const maxFlows = 1 << 16

// Step writes the features of a packet to out, which holds NumWANFeatures, and returns whom it was with, as far as can be told:
// the name in a flow's ClientHello, the name that DNS gave for the address before the flow began, or the address; of a DNS
// message, "dns " and the name that is asked for. ip is the IPv4 packet as far as it is there.
func (r *WANReader) Step(o *dataset.Observation, ip []byte, out []float32) string {
	r.e.Step(o, out[:NumFeatures])
	r.s.step(o, out[:allFeatures])
	f := r.flow(o)
	named, asked := float32(0), ""
	if f.resolved != "" {
		named = 1
	}
	switch payload := payloadOf(o, ip); {
	case o.AppProto == dataset.AppDNS:
		var told []string
		asked, told = readDNS(payload)
		if o.Dir < 0 {
			for _, addr := range told {
				r.farEnd(addr).name = asked
			}
		}
	case o.AppProto == dataset.AppTLS && o.Dir > 0 && f.name == "":
		f.name = readClientHello(payload)
	}
	if f.name != "" {
		named = 2
	}

	f.packets++
	f.bytes += int64(o.Length)
	if o.Dir > 0 {
		f.up++
		if f.opening == 0 {
			f.opening = o.PayloadLength
		}
	}
	out[featFlowPacket], out[featFlowBytes], out[featFlowAge] = float32(f.packets), float32(f.bytes), seconds(o.TsNs-f.first)
	out[featFlowInterval], out[featRemoteInterval] = -1, -1
	if f.packets > 1 {
		out[featFlowInterval] = seconds(o.TsNs - f.last)
	}
	if f.far.last != 0 {
		out[featRemoteInterval] = seconds(o.TsNs - f.far.last)
	}
	out[featFlowUp] = float32(f.up) / float32(f.packets)
	out[featFlowPrevious1], out[featFlowPrevious2], out[featFlowPrevious3] = f.previous[0], f.previous[1], f.previous[2]
	out[featFlowFirst], out[featRemoteFlows], out[featNamed] = float32(f.opening), float32(f.far.flows), named
	f.previous[2], f.previous[1], f.previous[0] = f.previous[1], f.previous[0], float32(o.Length)*float32(o.Dir)
	f.last, f.far.last = o.TsNs, o.TsNs
	switch {
	case asked != "":
		return "dns " + asked
	case f.name != "":
		return f.name
	case f.resolved != "":
		return f.resolved
	}
	return o.RemoteAddr
}

// flow finds a packet's flow, or begins it: a SYN begins it anew.
func (r *WANReader) flow(o *dataset.Observation) *flow {
	k := flowKey{addr: o.RemoteAddr, remote: o.RemotePort, local: o.LocalPort, proto: o.IPProto}
	f := r.flows[k]
	if f != nil && (o.IPProto != packet.ProtoTCP || o.TCPFlags&(packet.FlagSYN|packet.FlagACK) != packet.FlagSYN || f.packets < 2) {
		return f
	}
	if r.flows == nil || len(r.flows) >= maxFlows {
		r.flows = make(map[flowKey]*flow)
	}
	f = &flow{far: r.farEnd(o.RemoteAddr), first: o.TsNs}
	f.resolved = f.far.name
	f.far.flows++
	r.flows[k] = f
	return f
}

func (r *WANReader) farEnd(addr string) *farEnd {
	e := r.far[addr]
	if e == nil {
		if r.far == nil || len(r.far) >= maxFlows {
			r.far = make(map[string]*farEnd)
		}
		e = &farEnd{}
		r.far[addr] = e
	}
	return e
}
