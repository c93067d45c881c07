package secure

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"glasshouse/emulator/wire/wiretest"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	return wiretest.Must(hex.DecodeString(strings.Join(strings.Fields(s), "")))(t)
}

// The server's Initial packet of RFC 9001, appendix A.3.
func TestInitialProtectionIsTheStandards(t *testing.T) {
	keys := wiretest.Must(newInitialKeys(unhex(t, "8394c8f03e515708")))(t)
	header := unhex(t, "c1000000010008f067a5502a4262b50040750001")
	packet := append([]byte("before"), header...)
	packet = append(packet, unhex(t, `
		02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e00330024001d00
		209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304`)...)
	want := unhex(t, `
		cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec249
		3a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d
		20398c276456cbc42158407dd074ee`)
	if got := keys[serverEnd].protect(packet, 6, 6+len(header)-2, 2, 1)[6:]; !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// The head of the client's Initial packet of appendix A.2, whose number takes four bytes.
func TestClientInitialProtectionIsTheStandards(t *testing.T) {
	keys := wiretest.Must(newInitialKeys(unhex(t, "8394c8f03e515708")))(t)
	packet := unhex(t, "c300000001088394c8f03e5157080000449e00000002")
	number := len(packet) - 4
	packet = append(packet, unhex(t, `
		060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00
		000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e00050005010000000000330026002400
		1d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408
		050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f0
		3e51570806048000ffff`)...)
	packet = append(packet, make([]byte, number+4+1162-len(packet))...)
	want := unhex(t, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d92ec356c")
	got := keys[clientEnd].protect(packet, 0, number, 4, 2)
	if !bytes.HasPrefix(got, want) || !bytes.HasSuffix(got, unhex(t, "e221af44860018ab0856972e194cd934")) {
		t.Errorf("%x, want %x", got[:len(want)], want)
	}
}

// unprotect opens an Initial packet at the head of a datagram with its keys, and returns its plaintext and what follows.
func unprotect(t *testing.T, q *QUIC, end int, datagram []byte) (plain, after []byte) {
	t.Helper()
	b := bytes.Clone(datagram)
	at := 6 + int(b[5])
	at += 1 + int(b[at])
	if b[at] != 0 || binary.BigEndian.Uint32(b[1:]) != 1 {
		t.Fatalf("an odd header: %x", b[:at])
	}
	length := int(binary.BigEndian.Uint16(b[at+1:]) & 0x3fff)
	at += 3
	k := &q.keys[end]
	var mask [16]byte
	k.header.Encrypt(mask[:], b[at+4:at+20])
	b[0] ^= mask[0] & 0x0f
	if b[0] != 0xc1 {
		t.Fatalf("first byte %#x", b[0])
	}
	b[at] ^= mask[1]
	b[at+1] ^= mask[2]
	nonce := k.iv
	nonce[10], nonce[11] = nonce[10]^b[at], nonce[11]^b[at+1]
	plain, err := k.aead.Open(nil, nonce[:], b[at+2:at+length], b[:at+2])
	if err != nil {
		t.Fatal(err)
	}
	return plain, datagram[at+length:]
}

// quicMessages holds a QUIC handshake of crypto/tls in memory, and returns what each end said at each level.
func quicMessages(t *testing.T, host string, c *Chain) (said [2]map[tls.QUICEncryptionLevel][]byte) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(wiretest.Must(x509.ParseCertificate(c.Root))(t))
	client := tls.QUICClient(&tls.QUICConfig{TLSConfig: &tls.Config{
		ServerName: host, RootCAs: pool, MinVersion: tls.VersionTLS13, NextProtos: []string{"h3"}, SessionTicketsDisabled: true,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	}})
	server := tls.QUICServer(&tls.QUICConfig{TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h3"}, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{{Certificate: [][]byte{c.Leaf, c.Root}, PrivateKey: usual{wiretest.Must(drawKey("host " + host))(t)}}},
	}})
	defer client.Close()
	defer server.Close()
	client.SetTransportParameters([]byte(quicClientLimits))
	server.SetTransportParameters(make([]byte, quicServerLimits))
	ends := [2]*tls.QUICConn{client, server}
	for i, e := range ends {
		said[i] = make(map[tls.QUICEncryptionLevel][]byte)
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for moved := true; moved; {
		moved = false
		for i, e := range ends {
			for ev := e.NextEvent(); ev.Kind != tls.QUICNoEvent; ev = e.NextEvent() {
				if ev.Kind != tls.QUICWriteData {
					continue
				}
				moved = true
				data := bytes.Clone(ev.Data)
				said[i][ev.Level] = append(said[i][ev.Level], data...)
				if err := ends[1-i].HandleData(ev.Level, data); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return said
}

// The messages in the Initial packets are those of crypto/tls in QUIC, and the ones behind encryption have their sizes.
func TestQUICHandshakeIsCryptoTLS(t *testing.T) {
	for _, host := range hosts() {
		c := wiretest.Must(NewChain(host))(t)
		said := quicMessages(t, host, c)
		var hello, answer [][][]byte
		sizes := make(map[int]bool)
		for seed := range uint64(30) {
			r := wiretest.PCG(seed)
			q := wiretest.Must(NewQUIC(r))(t)
			up := q.AppendClientHello(nil, r, host)
			if len(up) != QUICDatagram {
				t.Errorf("a datagram of %d bytes", len(up))
			}
			plain, after := unprotect(t, q, clientEnd, up)
			n := int(binary.BigEndian.Uint16(plain[2:]) & 0x3fff)
			if plain[0] != frameCrypto || plain[1] != 0 || len(after) != 0 || len(bytes.Trim(plain[4+n:], "\x00")) != 0 {
				t.Fatalf("the client's Initial holds %x", plain)
			}
			hello = append(hello, [][]byte{record(plain[4 : 4+n])})

			down := q.AppendServerFlight(nil, r, c)
			plain, after = unprotect(t, q, serverEnd, down)
			if !bytes.HasPrefix(plain, []byte(frameAck+"\x06\x00\x40\x5a")) || len(plain) != 9+90 {
				t.Fatalf("the server's Initial holds %x", plain)
			}
			answer = append(answer, [][]byte{record(plain[9:])})
			after = after[:len(after)-QUICOverhead(false)-quicNewIDs]
			sizes[len(after)-2*(quicLongHeader+tagSize)-4-5] = true
			first := handshakePacket(t, after)
			if len(down)-QUICOverhead(false)-quicNewIDs-len(after)+first != QUICDatagram || handshakePacket(t, after[first:]) != len(after)-first {
				t.Errorf("the flight is %d bytes, its Handshake packets %d and %d", len(down), first, len(after)-first)
			}
		}
		compare(t, host+" hello", [][]byte{record(said[0][tls.QUICEncryptionLevelInitial])}, hello)
		compare(t, host+" answer", [][]byte{record(said[1][tls.QUICEncryptionLevelInitial])}, answer)
		n := len(said[1][tls.QUICEncryptionLevelHandshake]) + quicGrease // crypto/tls was given no parameter that means nothing
		for size := range sizes {
			if size < n-3 || size > n+3+15 {
				t.Errorf("the server's encrypted messages have %d bytes and up to 15 more, ours %d", n, size)
			}
		}
		if len(sizes) < 8 {
			t.Errorf("they have %d sizes", len(sizes))
		}
		if n := len(said[0][tls.QUICEncryptionLevelHandshake]); n != finished13 {
			t.Errorf("the client's encrypted messages have %d bytes, want %d", n, finished13)
		}
	}
}

// record makes a record of a message, for compare.
func record(message []byte) []byte {
	return append([]byte{recordHandshake, 3, 3, byte(len(message) >> 8), byte(len(message))}, message...)
}

// handshakePacket returns the size of the Handshake packet at the head of b.
func handshakePacket(t *testing.T, b []byte) int {
	t.Helper()
	if b[0]&0xf0 != 0xe0 || binary.BigEndian.Uint32(b[1:]) != 1 {
		t.Fatalf("no Handshake packet: %x", b[:20])
	}
	at := 6 + int(b[5])
	at += 1 + int(b[at])
	return at + 2 + int(binary.BigEndian.Uint16(b[at:])&0x3fff)
}

func TestQUICAfterTheHellos(t *testing.T) {
	r := wiretest.PCG(4)
	c := wiretest.Must(NewChain("a.io"))(t)
	q := wiretest.Must(NewQUIC(r))(t)
	again := *q
	first := q.AppendClientHello(nil, r, "a.io")
	repeated := q.AppendClientHello(nil, r, "a.io") // after loss: another number, the same IDs
	if bytes.Equal(first[20:], repeated[20:]) || !bytes.Equal(first[5:15], repeated[5:15]) {
		t.Errorf("%x, then %x", first[:30], repeated[:30])
	}
	_ = q.AppendServerFlight(nil, r, c)
	finish := q.AppendClientFinish(nil, r)
	plain, after := unprotect(t, q, clientEnd, finish)
	if len(finish) != QUICDatagram || handshakePacket(t, after) != len(after)-QUICOverhead(true)-quicRetire || !bytes.HasPrefix(plain, []byte(frameAck)) {
		t.Errorf("%d bytes, Initial of %x", len(finish), plain)
	}
	if !bytes.Equal(finish[6:14], q.server[:]) || bytes.Equal(finish[6:14], q.first[:]) {
		t.Errorf("the client's last goes to %x, want %x", finish[6:14], q.server)
	}
	done := q.AppendServerDone(nil, r)
	if done[0]&0xc0 != 0x40 || len(done) != QUICServerDone+QUICOverhead(false) {
		t.Errorf("a short packet %x", done)
	}
	for _, up := range []bool{true, false} {
		p := q.AppendPacket(nil, r, up, 1000)
		if len(p) != 1000+QUICOverhead(up) || p[0]&0xe0 != 0x40 || up && !bytes.Equal(p[1:9], q.server[:]) {
			t.Errorf("%x, %d bytes", p[:20], len(p))
		}
	}
	r = wiretest.PCG(5)
	a := again.AppendClientHello(nil, r, "a.io")
	again.sent[clientEnd] = 0
	if b := again.AppendClientHello(nil, wiretest.PCG(5), "a.io"); !bytes.Equal(a, b) {
		t.Error("the same draws give other bytes")
	}
}

func TestQUICPacketsAllocateNothing(t *testing.T) {
	r, buf := wiretest.PCG(4), make([]byte, 0, 4096)
	c := wiretest.Must(NewChain("a.io"))(t)
	q := wiretest.Must(NewQUIC(r))(t)
	if n := testing.AllocsPerRun(100, func() {
		b := q.AppendClientHello(buf, r, "a.io")
		_ = q.AppendServerFlight(b, r, c)
		b = q.AppendClientFinish(buf, r)
		b = q.AppendServerDone(b, r)
		_ = q.AppendPacket(b, r, true, 1000)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkQUICHandshake(b *testing.B) {
	r, buf := wiretest.PCG(4), make([]byte, 0, 8192)
	c := wiretest.Must(NewChain("a.io"))(b)
	b.ReportAllocs()
	for b.Loop() {
		q, err := NewQUIC(r)
		if err != nil {
			b.Fatal(err)
		}
		buf = q.AppendClientHello(buf[:0], r, "a.io")
		buf = q.AppendServerFlight(buf, r, c)
		buf = q.AppendClientFinish(buf, r)
		buf = q.AppendServerDone(buf, r)
	}
}

// What a server is sent tells its connection, and a number that was hidden is read again.
func TestQUICHeadsAreRead(t *testing.T) {
	r := wiretest.PCG(8)
	c := wiretest.Must(NewChain("a.io"))(t)
	q := wiretest.Must(NewQUIC(r))(t)
	first, server := q.IDs()
	hello := q.AppendClientHello(nil, r, "a.io")
	if id, long, ok := ParseQUIC(hello); id != first || !long || !ok || !QUICInitial(hello) {
		t.Errorf("%x, %t, %t", id, long, ok)
	}
	flight := q.AppendServerFlight(nil, r, c)
	if !QUICInitial(flight) || QUICInitial(flight[QUICDatagram:]) {
		t.Errorf("% x, % x", flight[:8], flight[QUICDatagram:][:8])
	}
	finish := q.AppendClientFinish(nil, r)
	if id, long, ok := ParseQUIC(finish); id != server || !long || !ok {
		t.Errorf("%x, %t, %t", id, long, ok)
	}
	for _, up := range []bool{true, false} {
		for _, n := range []int64{0, 1, 255, 65_535, 65_536, 200_000} {
			mask := uint32(r.Uint64())
			b := q.AppendPacketHead(nil, up, n, mask)
			if len(b) != QUICHeadSize(up) || b[0]&0xe0 != 0x40 {
				t.Fatalf("% x", b)
			}
			for _, near := range []int64{n, n + 30_000, max(n-30_000, 0)} {
				if got := QUICPacketNumber(b, up, near, mask); got != n {
					t.Errorf("number %d is read as %d near %d", n, got, near)
				}
			}
			if id, long, ok := ParseQUIC(append(b, make([]byte, 30)...)); up && (id != server || long || !ok) {
				t.Errorf("%x, %t, %t", id, long, ok)
			}
		}
	}
	for _, b := range [][]byte{nil, {0xc0}, make([]byte, 100), append([]byte{0xc0, 0, 0, 0, 2, 8}, make([]byte, 30)...)} {
		if _, _, ok := ParseQUIC(b); ok {
			t.Errorf("% x is taken for QUIC", b)
		}
	}
}

// Homes that share chains get what each would make for itself.
func TestChainsAreShared(t *testing.T) {
	var c Chains
	a, err := c.Of("api.example.com")
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Of("api.example.com")
	if err != nil || a != b {
		t.Errorf("asked again, another chain comes (%v)", err)
	}
	own, err := NewChain("api.example.com")
	if err != nil || !bytes.Equal(own.Leaf, a.Leaf) || !bytes.Equal(own.Root, a.Root) {
		t.Errorf("a shared chain is not the host's own (%v)", err)
	}
}
