// Package feature turns one home's observations, in order, into a model's features: HomeMole's eleven, the same with one-hot ports, or
// with features of the sequence and of flows. Its input is dataset.Observation alone, so no label can reach a model. WANReader adds what
// the payload tells an observer, for captures. Readers are for one goroutine; they allocate nothing per packet.
package feature

import (
	"glasshouse/testbed/dataset"
)

// Features of a packet, in order: HomeMole's eleven numbers (third-party readings of its released code). Behind a tunnel
// the port and the protocol flags are constant, so no tree can split on them.
const (
	FeatPort = iota
	FeatIP
	FeatTCP
	FeatUDP
	FeatTLS
	FeatHTTP
	FeatDNS
	FeatOther
	FeatDir
	FeatLength
	FeatInterval // seconds since the previous packet in either direction
	NumFeatures
)

// Names names the features in order.
func Names() []string {
	return []string{"remote_port", "ip", "tcp", "udp", "tls", "http", "dns", "other", "dir", "length", "interval"}
}

// Extractor turns one home's observations, in order, into features. The zero value is ready.
type Extractor struct {
	last    int64
	started bool
}

// Step writes the features of an observation to out, which holds NumFeatures. It allocates nothing.
func (e *Extractor) Step(o *dataset.Observation, out []float32) {
	clear(out)
	out[FeatPort] = float32(o.RemotePort)
	flag := func(i int, on bool) {
		if on {
			out[i] = 1
		}
	}
	flag(FeatIP, o.IPProto != 0)
	flag(FeatTCP, o.IPProto == 6)
	flag(FeatUDP, o.IPProto == 17)
	flag(FeatTLS, o.AppProto == dataset.AppTLS)
	flag(FeatHTTP, o.AppProto == dataset.AppHTTP)
	flag(FeatDNS, o.AppProto == dataset.AppDNS)
	flag(FeatOther, o.IPProto != 6 && o.IPProto != 17)
	out[FeatDir] = float32(o.Dir)
	out[FeatLength] = float32(o.Length)
	if e.started {
		out[FeatInterval] = float32(float64(o.TsNs-e.last) / 1e9)
	}
	e.last, e.started = o.TsNs, true
}
