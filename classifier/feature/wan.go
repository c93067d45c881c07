package feature

import "glasshouse/testbed/dataset"

// WANReader turns one home's packets, in order, into everything that an observer on its WAN can derive: HomeMole's eleven numbers,
// features of the sequence and of flows, and the remote endpoint's name. The zero value is ready. Names in QUIC Initials, which any
// observer can decrypt, and in HTTP are not read; DNS usually has them, too.
type WANReader struct {
	e Extractor
	s sequence
	flowTable
}

// Step writes the features of a packet to out, which has NumWANFeatures elements, and returns the remote endpoint's name: that of the
// flow's ClientHello, else the name that DNS gave for the address before the flow began, else the address; for a DNS message "dns " and
// the name in the question. ip is the captured part of the IPv4 packet.
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
		var addrs []string
		asked, addrs = readDNS(payload)
		if o.Dir < 0 {
			for _, addr := range addrs {
				r.endpoint(addr).name = asked
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
