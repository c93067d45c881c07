package feature

import (
	"glasshouse/emulator/packet"
	"glasshouse/testbed/dataset"
)

// Features of a packet's flow (remote address, ports and protocol) and of its remote endpoint. They follow the paper's features
// and those of the sequence. Behind a tunnel all packets belong to one flow, and these add nothing to the sequence's.
const (
	featFlowPacket    = allFeatures + iota // number of the packet in the flow, from 1
	featFlowBytes                          // of the flow so far, this packet included
	featFlowAge                            // seconds since the flow's first packet
	featFlowInterval                       // seconds since its last one; -1: none
	featFlowUp                             // share of its packets that went up
	featFlowPrevious1                      // length of its last packet, negative if it went down; 0: none
	featFlowPrevious2
	featFlowPrevious3
	featFlowFirst      // payload bytes of its first packet up with a payload; 0: none yet
	featRemoteFlows    // flows of the home with this remote endpoint so far
	featRemoteInterval // seconds since the last packet of this remote endpoint; -1: none
	numFlowFeatures    // number of all features up to here
)

// A feature of the WANReader alone: models read datasets, which have no payload to take a name from.
const (
	featNamed = numFlowFeatures + iota // source of the remote endpoint's name: 0 none, 1 DNS, 2 TLS
	NumWANFeatures
)

func flowNames() []string {
	return []string{
		"flow_packet", "flow_bytes", "flow_age", "flow_interval", "flow_up", "flow_previous_1", "flow_previous_2", "flow_previous_3",
		"flow_first", "remote_flows", "remote_interval",
	}
}

// flowTable has the flows of one home. It allocates once per flow, and maxFlows bounds its memory. The zero value is ready.
type flowTable struct {
	flows   map[flowKey]*flow
	remotes map[string]*endpoint // by address
}

type flowKey struct {
	addr          string
	remote, local uint16
	proto         uint8
}

type flow struct {
	remote       *endpoint
	resolved     string // the remote address's name from DNS when the flow began
	name         string // from the flow's own ClientHello
	packets, up  int
	bytes        int64
	first, last  int64
	previous     [3]float32
	firstPayload int32 // bytes, of the first packet up with a payload
}

// endpoint is a remote address.
type endpoint struct {
	name  string // the latest from DNS
	flows int
	last  int64
}

// maxFlows bounds a Reader's memory: beyond it, the table is cleared.
const maxFlows = 1 << 16

// step counts a packet of the flow and writes the features of flows to out, which has numFlowFeatures elements.
func (f *flow) step(o *dataset.Observation, out []float32) {
	f.packets++
	f.bytes += int64(o.Length)
	if o.Dir > 0 {
		f.up++
		if f.firstPayload == 0 {
			f.firstPayload = o.PayloadLength
		}
	}
	out[featFlowPacket], out[featFlowBytes], out[featFlowAge] = float32(f.packets), float32(f.bytes), Seconds(o.TsNs-f.first)
	out[featFlowInterval], out[featRemoteInterval] = -1, -1
	if f.packets > 1 {
		out[featFlowInterval] = Seconds(o.TsNs - f.last)
	}
	if f.remote.last != 0 {
		out[featRemoteInterval] = Seconds(o.TsNs - f.remote.last)
	}
	out[featFlowUp] = float32(f.up) / float32(f.packets)
	out[featFlowPrevious1], out[featFlowPrevious2], out[featFlowPrevious3] = f.previous[0], f.previous[1], f.previous[2]
	out[featFlowFirst], out[featRemoteFlows] = float32(f.firstPayload), float32(f.remote.flows)
	f.previous[2], f.previous[1], f.previous[0] = f.previous[1], f.previous[0], float32(o.Length)*float32(o.Dir)
	f.last, f.remote.last = o.TsNs, o.TsNs
}

// flow finds or creates a packet's flow. A SYN starts a new one.
func (t *flowTable) flow(o *dataset.Observation) *flow {
	k := flowKey{addr: o.RemoteAddr, remote: o.RemotePort, local: o.LocalPort, proto: o.IPProto}
	f := t.flows[k]
	if f != nil && (o.IPProto != packet.ProtoTCP || o.TCPFlags&(packet.FlagSYN|packet.FlagACK) != packet.FlagSYN || f.packets < 2) {
		return f
	}
	if t.flows == nil || len(t.flows) >= maxFlows {
		t.flows = make(map[flowKey]*flow)
	}
	f = &flow{remote: t.endpoint(o.RemoteAddr), first: o.TsNs}
	f.resolved = f.remote.name
	f.remote.flows++
	t.flows[k] = f
	return f
}

func (t *flowTable) endpoint(addr string) *endpoint {
	e := t.remotes[addr]
	if e == nil {
		if t.remotes == nil || len(t.remotes) >= maxFlows {
			t.remotes = make(map[string]*endpoint)
		}
		e = &endpoint{}
		t.remotes[addr] = e
	}
	return e
}
