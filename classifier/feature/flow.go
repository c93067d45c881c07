package feature

import (
	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// Features of a packet's flow, which addresses and ports tell apart, and of its remote endpoint. They follow the paper's features
// and those of the sequence. Behind a tunnel all packets belong to one flow, and these carry no more than the sequence does.
const (
	featFlowPacket    = allFeatures + iota // of the flow: 1 is the first
	featFlowBytes                          // of those packets, this one with them
	featFlowAge                            // Seconds since the flow's first packet
	featFlowInterval                       // Seconds since its last one; -1: there was none
	featFlowUp                             // share of its packets that went up
	featFlowPrevious1                      // length of its last packet, negative if it went down; 0: there was none
	featFlowPrevious2
	featFlowPrevious3
	featFlowFirst      // payload of its first packet up that had one, bytes; 0: there was none yet
	featRemoteFlows    // flows of the home with this remote endpoint so far
	featRemoteInterval // Seconds since the last packet of this remote endpoint; -1: there was none
	numFlowFeatures    // of all features up to here
)

// Feature of the WANReader alone: models read datasets, which hold no payload to take a name from.
const (
	featNamed = numFlowFeatures + iota // how the remote endpoint's name is known: 0 it is not, 1 from DNS, 2 from TLS
	NumWANFeatures
)

func flowNames() []string {
	return []string{
		"flow_packet", "flow_bytes", "flow_age", "flow_interval", "flow_up", "flow_previous_1", "flow_previous_2", "flow_previous_3",
		"flow_first", "remote_flows", "remote_interval",
	}
}

// flowTable holds the flows of one home. It allocates once per flow, and its memory is bounded by maxFlows. The zero value is ready.
type flowTable struct {
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

// maxFlows bounds a Reader's memory: beyond it, all flows begin anew.
const maxFlows = 1 << 16

// step counts a packet of the flow and writes the features of flows to out, which holds numFlowFeatures.
func (f *flow) step(o *dataset.Observation, out []float32) {
	f.packets++
	f.bytes += int64(o.Length)
	if o.Dir > 0 {
		f.up++
		if f.opening == 0 {
			f.opening = o.PayloadLength
		}
	}
	out[featFlowPacket], out[featFlowBytes], out[featFlowAge] = float32(f.packets), float32(f.bytes), Seconds(o.TsNs-f.first)
	out[featFlowInterval], out[featRemoteInterval] = -1, -1
	if f.packets > 1 {
		out[featFlowInterval] = Seconds(o.TsNs - f.last)
	}
	if f.far.last != 0 {
		out[featRemoteInterval] = Seconds(o.TsNs - f.far.last)
	}
	out[featFlowUp] = float32(f.up) / float32(f.packets)
	out[featFlowPrevious1], out[featFlowPrevious2], out[featFlowPrevious3] = f.previous[0], f.previous[1], f.previous[2]
	out[featFlowFirst], out[featRemoteFlows] = float32(f.opening), float32(f.far.flows)
	f.previous[2], f.previous[1], f.previous[0] = f.previous[1], f.previous[0], float32(o.Length)*float32(o.Dir)
	f.last, f.far.last = o.TsNs, o.TsNs
}

// flow finds a packet's flow, or begins it: a SYN begins it anew.
func (t *flowTable) flow(o *dataset.Observation) *flow {
	k := flowKey{addr: o.RemoteAddr, remote: o.RemotePort, local: o.LocalPort, proto: o.IPProto}
	f := t.flows[k]
	if f != nil && (o.IPProto != packet.ProtoTCP || o.TCPFlags&(packet.FlagSYN|packet.FlagACK) != packet.FlagSYN || f.packets < 2) {
		return f
	}
	if t.flows == nil || len(t.flows) >= maxFlows {
		t.flows = make(map[flowKey]*flow)
	}
	f = &flow{far: t.farEnd(o.RemoteAddr), first: o.TsNs}
	f.resolved = f.far.name
	f.far.flows++
	t.flows[k] = f
	return f
}

func (t *flowTable) farEnd(addr string) *farEnd {
	e := t.far[addr]
	if e == nil {
		if t.far == nil || len(t.far) >= maxFlows {
			t.far = make(map[string]*farEnd)
		}
		e = &farEnd{}
		t.far[addr] = e
	}
	return e
}
