// Package classifier is the adversary on the WAN: it labels each packet with the device that it came from, and is scored
// against the truth.
//
// Its models see dataset.Observation and nothing else; only training and scoring read labels. Everything is deterministic
// for a seed, whatever the number of workers. Models are read-only after training and may be shared; a Stream is for one
// goroutine. Not modelled: an adversary who probes, or who sees several vantage points.
package classifier

import (
	"glasshouse/testbed/dataset"
)

// Features of a packet, in order: HomeMole's eleven numbers (third-party readings of its released code). Behind a tunnel
// the port and the protocol flags are constant, so no tree can split on them.
const (
	featPort = iota
	featIP
	featTCP
	featUDP
	featTLS
	featHTTP
	featDNS
	featOther
	featDir
	featLength
	featInterval // seconds since the packet before it, either way
	NumFeatures
)

// FeatureNames names the features in order.
func FeatureNames() []string {
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
	out[featPort] = float32(o.RemotePort)
	flag := func(i int, on bool) {
		if on {
			out[i] = 1
		}
	}
	flag(featIP, o.IPProto != 0)
	flag(featTCP, o.IPProto == 6)
	flag(featUDP, o.IPProto == 17)
	flag(featTLS, o.AppProto == dataset.AppTLS)
	flag(featHTTP, o.AppProto == dataset.AppHTTP)
	flag(featDNS, o.AppProto == dataset.AppDNS)
	flag(featOther, o.IPProto != 6 && o.IPProto != 17)
	out[featDir] = float32(o.Dir)
	out[featLength] = float32(o.Length)
	if e.started {
		out[featInterval] = float32(float64(o.TsNs-e.last) / 1e9)
	}
	e.last, e.started = o.TsNs, true
}
