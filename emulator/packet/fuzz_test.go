package packet

import "testing"

// FuzzHeaders: what a Parse function takes can be read to the end of every getter, and parts lie inside the frame.
func FuzzHeaders(f *testing.F) {
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, ok := ParseEthernet(frame)
		if !ok {
			return
		}
		_, _, _, _ = e.Destination(), e.Source(), e.EtherType(), e.Multicast()
		if a, ok := ParseARP(e.Payload()); ok {
			_, _, _, _ = a.Operation(), a.SenderProtocol(), a.TargetProtocol(), a.TargetHardware()
		}
		if h, ok := ParseIPv6(e.Payload()); ok {
			if u, ok := h.Upper(); ok {
				if len(u.Payload) > len(h.Payload()) {
					t.Errorf("%d bytes above the extension headers of %d", len(u.Payload), len(h.Payload()))
				}
				upper(t, u.Payload)
			}
		}
		h, ok := IPv4Of(frame)
		if !ok {
			return
		}
		if n := h.HeaderLength() + len(h.Payload()); n > len(h) || h.Complete() && n != h.TotalLength() {
			t.Errorf("header and payload have %d bytes, the packet %d of %d", n, len(h), h.TotalLength())
		}
		_ = h.Options()
		upper(t, h.Payload())
		valid := h.ChecksumValid()
		h.SetTTL(h.TTL() - 1)
		h.SetSource(h.Source32() + 1)
		h.SetDestination(h.Destination32() ^ 0xffff0000)
		if h.ChecksumValid() != valid {
			t.Errorf("checksum was valid: %v; after setters: %v", valid, !valid)
		}
	})
}

func upper(t *testing.T, b []byte) {
	t.Helper()
	if s, ok := ParseTCP(b); ok && TCPSize+len(s.Options())+len(s.Payload()) != len(b) {
		t.Errorf("parts of a segment have %d and %d bytes of %d", len(s.Options()), len(s.Payload()), len(b))
	}
	if u, ok := ParseUDP(b); ok {
		_, _, _ = u.Complete(), u.Payload(), u.Checksum()
	}
	if m, ok := ParseICMP(b); ok {
		_, _, _ = m.Identifier(), m.SequenceNumber(), m.Error()
	}
}
