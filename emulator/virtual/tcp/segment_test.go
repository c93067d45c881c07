package tcp

import (
	"encoding/binary"
	"testing"

	"glasshouse/emulator/packet"
)

func FuzzParseTCP(f *testing.F) {
	b := make([]byte, 40)
	b[12] = 0xa0
	f.Add(b)
	f.Add(append(binary.BigEndian.AppendUint32(nil, 1), make([]byte, 20)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := Parse(b); ok && (s.payload < 0 || s.payload > len(b)-packet.TCPSize || s.sacks > len(s.sack)) {
			t.Errorf("%+v of %d bytes", s, len(b))
		}
	})
}
