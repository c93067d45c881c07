package feature

import "glasshouse/testbed/dataset"

// WANReader turns one home's packets, in order, into the features of all that an observer on its WAN has: HomeMole's eleven numbers,
// those derived from the sequence, those of flows, and the name of the far end. The zero value is ready. Not looked at: names in QUIC,
// whose Initials can be decrypted by anybody, and in HTTP; addresses are told by DNS as a rule.
type WANReader struct {
	e Extractor
	s sequence
	flowTable
}

// Step writes the features of a packet to out, which holds NumWANFeatures, and returns whom it was with, as far as can be told:
// the name in a flow's ClientHello, the name that DNS gave for the address before the flow began, or the address; of a DNS
// message, "dns " and the name that is asked for. ip is the IPv4 packet as far as it is there.
func (r *WANReader) Step(o *dataset.Observation, ip []byte, out []float32) string {
	r.e.Step(o, out[:NumFeatures])
	r.s.Step(o, out[:allFeatures])
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

	f.step(o, out)
	out[featNamed] = named
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
