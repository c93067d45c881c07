package live

import (
	"testing"

	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
	"glasshouse/emulator/wire"
	"glasshouse/emulator/wire/secure"
)

// contents returns how many bytes each TLS 1.3 record of an event's data holds, each way.
func contents(t *testing.T, frames []frame, event int64, port uint16) (sizes [2][]int) {
	t.Helper()
	var streams [2][]byte
	for _, f := range frames {
		if key, _, _ := truth.ParseKey(f.ip, f.dir); f.lineage.Event != event || key.RemotePort != port || f.lineage.Role != packet.RoleData {
			continue
		}
		l4 := f.ip[packet.IPv4(f.ip).HeaderLength():]
		end := (1 - f.dir) / 2
		streams[end] = append(streams[end], packet.TCP(l4).Payload()...)
	}
	over := secure.RecordOverhead(secure.TLS13)
	for end, b := range streams {
		for len(b) >= 5 {
			n := 5 + int(b[3])<<8 + int(b[4])
			if b[0] != 23 || n > len(b) {
				t.Fatalf("no record of application data: % x, %d bytes", b[:5], len(b))
			}
			sizes[end], b = append(sizes[end], n-over), b[n:]
		}
	}
	return sizes
}

// HTTP/2 over real sockets makes the records that package wire says, from which the virtual world's are made. The server's
// first settings and its window updates may share records with what follows.
func TestHTTP2IsTheModels(t *testing.T) {
	const table = 3 // bytes of a change of its size (RFC 7541, section 6.3)
	p := everything()
	h := newHome(t, 1500, p)
	host := h.host(0, p)
	for k, exchange := range [][]int{{420, 14_000}, {980, 60_000, 300, 100, 700, 16_384}, {16_384, 5000, 9000, 1}, {4096, 4096, 1, 4097}} {
		var messages []script.Message
		for i, size := range exchange {
			if i%2 == 0 {
				messages = append(messages, up(size))
			} else {
				messages = append(messages, down(size))
			}
		}
		h.perform(host, h.say("browse", "pages", true, messages...), int64(k))
		got := contents(t, h.frames(), int64(k), 443)
		model := wire.NewHTTP2()
		path := string(wire.AppendHTTP2Path(nil, [wire.HTTPTokenSize]byte{}))
		var want [2][]int
		for i := 0; i < len(exchange); i += 2 {
			for _, w := range model.Exchange("i.cloud.example", path, exchange[i], exchange[i+1], 0) {
				end := 1
				if w.Up {
					end = 0
				}
				for rest := w.Size; rest > 0; rest -= secure.MaxPlaintext {
					want[end] = append(want[end], min(rest, secure.MaxPlaintext))
				}
			}
		}
		// The size of its table of headers, which the client repeats to the server, comes with the first request where the
		// settings have overtaken that: over no distance, as here, they may.
		if d := sum(got[0]) - sum(want[0]); d != 0 && (d != table || len(exchange) > 2) {
			t.Errorf("%v: up %v, want %v", exchange, got[0], want[0])
		}
		if sum(got[1]) != sum(want[1]) {
			t.Errorf("%v: down %v, want %v", exchange, got[1], want[1])
		}
	}
}

func sum(list []int) (n int) {
	for _, v := range list {
		n += v
	}
	return n
}
