package tunnel

import (
	"testing"

	"glasshouse/emulator/packet"
	"glasshouse/gateway/tunnel/outer"
)

// Buffers that the engine dropped and the collector took must not stay alive through their marks; those in flight must keep
// theirs.
func TestMarksAreBounded(t *testing.T) {
	k := newMarks[packet.Lineage]()
	inFlight := make([]*byte, 0, 1200)
	for i := range int64(200_000) {
		b := new(byte)
		k.set(b, packet.Lineage{Event: i})
		if i%3 != 0 {
			continue // dropped inside: never taken
		}
		inFlight = append(inFlight, b)
		if len(inFlight) == 1200/3 {
			if l, ok := k.take(inFlight[0]); !ok || l.Event != i-3*399 {
				t.Fatalf("packet %d: %+v, %v", i, l, ok)
			}
			inFlight = inFlight[1:]
		}
		if len(k.m) > 2*marksInFlight {
			t.Fatalf("%d marks kept", len(k.m))
		}
	}
}

// A keepalive or a handshake in a buffer that once carried a packet takes nothing from it; a buffer used again carries what
// came last.
func TestStaleMarks(t *testing.T) {
	var sealed []int64
	var opened []outer.Key
	next := int64(0)
	tr := newTrail(&Config{
		Sealing: func([]byte) packet.Lineage { next++; return packet.Lineage{Event: next} },
		Sealed:  func(_ outer.Key, l packet.Lineage) { sealed = append(sealed, l.Event) },
		Opened:  func(k outer.Key, _ []byte) { opened = append(opened, k) },
	})
	buf := make([]byte, 256)
	data := func(counter byte) []byte {
		clear(buf)
		buf[0], buf[8] = 4, counter
		return buf[:128]
	}
	tr.read(buf, buf[16:100]) // 1: dropped inside
	keepalive := data(1)[:32]
	tr.send(keepalive)
	tr.read(buf, buf[16:100]) // 2
	tr.send(data(2))
	tr.send(data(3)) // never read: cannot happen, and must not look like packet 2
	if len(sealed) != 2 || sealed[0] != 2 || sealed[1] != packet.EventNone {
		t.Errorf("sealed %v", sealed)
	}
	tr.receive(data(7), 128) // fails authentication inside
	tr.receive(data(8), 32)  // a keepalive in the same buffer
	tr.receive(data(9), 128)
	tr.write(buf, buf[16:100])
	tr.write(buf, buf[16:100]) // cannot happen
	if len(opened) != 1 || opened[0].Counter != 9 {
		t.Errorf("opened %v", opened)
	}
}

func TestParseStats(t *testing.T) {
	s, err := parseStats("listen_port=51820\npublic_key=00\nlast_handshake_time_sec=5\nlast_handshake_time_nsec=7\ntx_bytes=9\nrx_bytes=11\n")
	if err != nil || s.ListenPort != 51820 || s.Received != 11 || s.Sent != 9 || s.LastHandshake.UnixNano() != 5e9+7 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := parseStats("last_handshake_time_sec=0\nlast_handshake_time_nsec=0\n"); err != nil || !s.LastHandshake.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"rx_bytes=x\n", "listen_port=70000\n"} {
		if _, err := parseStats(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
