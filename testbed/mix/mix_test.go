package mix

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"glasshouse/emulator/packet"

	"pgregory.net/rapid"
)

// For any segmentation of a stream, the segments shown as TLS are those with the end of a record.
func TestRecordsEndWhereTheyEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		ends := make(map[int]bool) // offsets just after a record
		for range rapid.IntRange(1, 8).Draw(t, "records") {
			n := rapid.IntRange(1, 3000).Draw(t, "size")
			stream = append(stream, 23, 3, 3, byte(n>>8), byte(n))
			stream = append(stream, make([]byte, n)...)
			ends[len(stream)] = true
		}
		var r records
		for at := 0; at < len(stream); {
			n := min(rapid.IntRange(1, 1448).Draw(t, "segment"), len(stream)-at)
			want := false
			for i := at + 1; i <= at+n; i++ {
				want = want || ends[i]
			}
			if got := r.take(stream[at : at+n]); got != want {
				t.Fatalf("bytes %d to %d: %v, want %v", at, at+n, got, want)
			}
			at += n
		}
	})
}

func TestMessagesEndWhereTheyEnd(t *testing.T) {
	request := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, c := range []struct {
		name    string
		stream  string
		request bool
		ends    []int // offsets just after a message
	}{
		{"requests", request + request, true, []int{len(request), 2 * len(request)}},
		{"with a body", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", true, []int{41}},
		{"a response", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", false, []int{43}},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", false, []int{27}},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false, nil},
	} {
		for size := 1; size <= len(c.stream); size++ {
			var m messages
			shown := 0
			for at := 0; at < len(c.stream); at += size {
				end := min(at+size, len(c.stream))
				got := m.take([]byte(c.stream[at:end]), c.request)
				if got {
					shown++
				}
				if c.ends == nil {
					continue
				}
				want := false
				for _, e := range c.ends {
					want = want || e > at && e <= end
				}
				if got != want {
					t.Errorf("%s, in segments of %d: bytes %d to %d show %v, want %v", c.name, size, at, end, got, want)
				}
			}
			if shown == 0 {
				t.Errorf("%s, in segments of %d: no segment is shown as HTTP", c.name, size)
			}
		}
	}
}

// frame makes an Ethernet frame with a TCP segment.
func frame(up bool, seq uint32, flags byte, data []byte) []byte {
	b := make([]byte, 14+20+20, 14+20+20+len(data))
	binary.BigEndian.PutUint16(b[12:], packet.EtherTypeIPv4)
	ip := b[14:]
	ip[0], ip[9] = 0x45, packet.ProtoTCP
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(data)))
	from, to, sport, dport := byte(1), byte(2), uint16(40000), uint16(443)
	if !up {
		from, to, sport, dport = to, from, dport, sport
	}
	ip[15], ip[19] = from, to
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, sport)
	binary.BigEndian.PutUint16(tcp[2:], dport)
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = 5<<4, flags
	return append(b, data...)
}

func record(kind byte, n int) []byte {
	return append([]byte{kind, 3, 3, byte(n >> 8), byte(n)}, bytes.Repeat([]byte{7}, n)...)
}

// A retransmitted segment is Plain; an early segment is processed once the hole is filled.
func TestSegmentsOutOfOrder(t *testing.T) {
	s := newStreams()
	show := func(want Protocol, up bool, seq uint32, flags byte, data []byte) {
		t.Helper()
		f := s.dissect(frame(up, seq, flags, data))
		if f.Protocol != want || f.IPProto != packet.ProtoTCP {
			t.Errorf("seq %d: %d, want %d", seq, f.Protocol, want)
		}
	}
	hello, data := record(22, 100), record(23, 2000)
	show(Plain, true, 99, 2, nil)
	show(Plain, false, 499, 0x12, nil)
	show(TLS, true, 100, 0x10, hello)
	show(Plain, true, 100, 0x10, hello)        // retransmission
	show(Plain, true, 204, 0x10, []byte{7})    // a keepalive
	show(Plain, false, 500, 0x10, data[:1000]) // a part
	show(TLS, false, 500+1000, 0x10, data[1000:])
	next := uint32(500 + len(data))
	show(Plain, false, next+uint32(len(hello)), 0x10, hello) // early
	show(TLS, false, next, 0x10, hello)
	show(TLS, false, next+uint32(2*len(hello)), 0x10, hello)
	show(Plain, true, 999, 2, nil) // the port is reused for another connection
	show(Plain, true, 1000, 0x10, []byte("hello"))
}

func TestPercent(t *testing.T) {
	m := Mix{Frames: 200, IPv4: 190, UDP: 20, TCP: 168, TLS: 30, HTTP: 4, DNS: 6}
	var got []byte
	for _, c := range Columns() {
		got = fmt.Appendf(got, "%s %.1f ", c, m.Percent(c))
	}
	if want := "IPv4 95.0 UDP 10.0 TCP 84.0 TLS 15.0 HTTP 2.0 DNS 3.0 O 5.0 "; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if (&Mix{}).Percent("TCP") != 0 {
		t.Error("a percentage without frames is not 0")
	}
}
