package secure

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glasshouse/emulator/wire"
	"glasshouse/emulator/wire/wiretest"
)

// hosts are names short and long.
func hosts() []string {
	return []string{"a.io", "time.cloud.example", "device-metrics-us.amazon-like.example", strings.Repeat("long-label.", 12) + "example.net"}
}

// usual signs until the signature has the most usual size, 71 bytes: how often others come has a test of its own.
type usual struct{ *ecdsa.PrivateKey }

func (u usual) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	for len(sig) != 71 && err == nil {
		sig, err = u.PrivateKey.Sign(random, digest, opts)
	}
	return sig, err
}

// converse holds a conversation over crypto/tls, configured as the live world is: a handshake, up bytes to the server, down
// bytes back, and the end of both directions. It returns what each end wrote.
func converse(t *testing.T, host string, c *Chain, key *ecdsa.PrivateKey, version uint16, alpn string, up, down int) (client, server [][]byte) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(wiretest.Must(x509.ParseCertificate(c.Root))(t))
	config := &tls.Config{
		ServerName: host, RootCAs: pool, MinVersion: version, MaxVersion: version,
		SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	}
	if alpn != "" {
		config.NextProtos = []string{alpn}
	}
	if version == tls.VersionTLS12 {
		config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	}
	a, b := net.Pipe()
	near, far := &wiretest.Recorder{Conn: a}, &wiretest.Recorder{Conn: b}
	var wg sync.WaitGroup
	wg.Go(func() {
		s := tls.Server(far, &tls.Config{
			MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true, NextProtos: []string{"h2"},
			Certificates: []tls.Certificate{{Certificate: [][]byte{c.Leaf, c.Root}, PrivateKey: usual{key}}},
		})
		_, err := io.ReadFull(s, make([]byte, up))
		if err == nil {
			_, err = s.Write(make([]byte, down))
		}
		if err == nil {
			_, err = s.Read(make([]byte, 1))
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("the server's end: %v", err)
		}
		_ = s.Close()
	})
	s := tls.Client(near, config)
	if _, err := s.Write(make([]byte, up)); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(s, make([]byte, down)); err != nil {
		t.Error(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
	_, _ = s.Read(make([]byte, 1))
	_ = s.Close()
	wg.Wait()
	return near.Writes, far.Writes
}

// appendData appends one message as crypto/tls writes it: each record is one write.
func appendData(writes [][]byte, r wire.Rand, version uint16, size int, seq *uint64) [][]byte {
	for size > 0 {
		n := min(size, MaxPlaintext)
		b := AppendRecordHeader(nil, version, n, *seq)
		writes = append(writes, wire.AppendRandom(b, r, RecordOverhead(version)+n-len(b)))
		size -= n
		*seq++
	}
	return writes
}

// imitate makes the same conversation of ours.
func imitate(r wire.Rand, host string, c *Chain, version uint16, alpn string, up, down int) (client, server [][]byte) {
	const session = 77
	hello := &Hello{Host: host, Version: version, ALPN: alpn, Session: session}
	client = append(client, AppendClientHello(nil, r, hello), AppendClientFinish(nil, r, version))
	server = append(server, AppendServerFlight(nil, r, c, hello))
	if b := AppendServerFinish(nil, r, version); len(b) > 0 {
		server = append(server, b)
	}
	upSeq, downSeq := uint64(1), uint64(1)
	client = appendData(client, r, version, up, &upSeq)
	server = appendData(server, r, version, down, &downSeq)
	return append(client, AppendCloseNotify(nil, r, version, upSeq)), append(server, AppendCloseNotify(nil, r, version, downSeq))
}

// records splits a write into TLS records.
func records(t *testing.T, p []byte) (list [][]byte) {
	t.Helper()
	for len(p) > 0 {
		if len(p) < 5 || len(p) < 5+int(p[3])<<8+int(p[4]) {
			t.Fatalf("a write ends within a record: %x", p)
		}
		n := 5 + int(p[3])<<8 + int(p[4])
		list, p = append(list, p[:n]), p[n:]
	}
	return list
}

// The same host, versions and messages: as many writes as crypto/tls makes, of as many records of the same types and
// sizes, and all that is not random is the same byte.
func TestConversationsAreCryptoTLS(t *testing.T) {
	for _, host := range hosts() {
		c := wiretest.Must(NewChain(host))(t)
		key := wiretest.Must(drawKey("host " + host))(t)
		for _, form := range []struct {
			version uint16
			alpn    string
		}{{TLS12, ""}, {TLS13, ""}, {TLS13, "h2"}} {
			theirUp, theirDown := converse(t, host, c, key, form.version, form.alpn, 100, 40_000)
			var up, down [][][]byte // several of ours: where they differ from each other, bytes are random
			for seed := range uint64(40) {
				u, d := imitate(wiretest.PCG(seed), host, c, form.version, form.alpn, 100, 40_000)
				up, down = append(up, u), append(down, d)
			}
			compare(t, host+" up", theirUp, up)
			compare(t, host+" down", theirDown, down)
		}
	}
}

func compare(t *testing.T, what string, want [][]byte, ours [][][]byte) {
	t.Helper()
	for _, got := range ours {
		if len(got) != len(want) {
			t.Fatalf("%s: %d writes, want %d", what, len(got), len(want))
		}
	}
	for i := range want {
		theirs := records(t, want[i])
		for k, rec := range theirs {
			fixed := bytes.Repeat([]byte{0xff}, len(rec))
			var same [][]byte // ours of the same size
			signed := false
			for _, got := range ours {
				list := records(t, got[i])
				if len(list) != len(theirs) {
					t.Fatalf("%s: write %d has %d records, want %d", what, i, len(list), len(theirs))
				}
				if len(list[k]) == len(rec) {
					same = append(same, list[k])
				} else {
					signed = true
				}
			}
			if len(same) < 2 || signed && len(same) == len(ours) {
				t.Fatalf("%s: record %d of write %d has %d bytes, ours has not: %x", what, k, i, len(rec), rec[:min(len(rec), 80)])
			}
			for _, s := range same[1:] {
				for at := range s {
					if s[at] != same[0][at] {
						fixed[at] = 0
					}
				}
			}
			random := 0
			for at := range rec {
				if fixed[at] == 0 {
					random++
				} else if rec[at] != same[0][at] && (!signed || at <= 40) && !sessionByte(rec, at) {
					t.Errorf("%s: byte %d of record %d of write %d is %#x, want %#x", what, at, k, i, same[0][at], rec[at])
				}
			}
			if fixed[0] == 0 || rec[0] == recordData && random < len(rec)*9/10-20 {
				t.Errorf("%s: %d of %d bytes of record %d of write %d are random", what, random, len(rec), k, i)
			}
		}
	}
}

// sessionByte tells whether a byte of a hello belongs to the session's name, which imitate does not vary.
func sessionByte(rec []byte, at int) bool {
	return rec[0] == recordHandshake && (rec[5] == msgClientHello || rec[5] == msgServerHello) && rec[43] == 32 && at >= 44 && at < 76
}

// A server repeats the session's name, and no two sessions have one name.
func TestServersRepeatTheSession(t *testing.T) {
	c := wiretest.Must(NewChain("a.io"))(t)
	a := AppendClientHello(nil, wiretest.PCG(1), &Hello{Host: "a.io", Version: TLS13, Session: 5})
	b := AppendServerFlight(nil, wiretest.PCG(2), c, &Hello{Version: TLS13, Session: 5})
	other := AppendClientHello(nil, wiretest.PCG(1), &Hello{Host: "a.io", Version: TLS13, Session: 6})
	if !bytes.Equal(a[44:76], b[44:76]) || bytes.Equal(a[44:76], other[44:76]) {
		t.Errorf("%x, %x, %x", a[44:76], b[44:76], other[44:76])
	}
}

// Signatures are as long as true ones, as often.
func TestSignaturesHaveTheirSizes(t *testing.T) {
	const n = 4000
	key := wiretest.Must(ecdsa.GenerateKey(elliptic.P256(), crand.Reader))(t)
	digest := sha256.Sum256([]byte("x"))
	theirs, ours := make(map[int]int), make(map[int]int)
	r := wiretest.PCG(3)
	for range n {
		theirs[len(wiretest.Must(ecdsa.SignASN1(crand.Reader, key, digest[:]))(t))]++
		b := appendSignature(nil, r)
		ours[len(b)-2]++
		if s := signatureSize(r); s < 64 || s > 72 {
			t.Fatalf("%d bytes", s)
		}
	}
	// Each of the integers has a leading zero byte with probability 1/2.
	for size, p := range map[int]float64{70: 0.25, 71: 0.5, 72: 0.25} {
		for who, got := range map[string]int{"ours": ours[size], "theirs": theirs[size]} {
			if f := float64(got) / n; f < p-0.04 || f > p+0.04 {
				t.Errorf("%s: %.3f of the signatures have %d bytes, want about %.2f", who, f, size, p)
			}
		}
	}
}

func TestRecordHeaders(t *testing.T) {
	for _, version := range []uint16{TLS12, TLS13} {
		for _, n := range []int{0, 1, 12, 1400, MaxPlaintext} {
			b := AppendRecordHeader(nil, version, n, 1<<40)
			if len(b) != RecordHeaderSize(version) {
				t.Errorf("a header of %d bytes, want %d", len(b), RecordHeaderSize(version))
			}
			if size := 5 + int(b[3])<<8 + int(b[4]); size != RecordOverhead(version)+n {
				t.Errorf("%d bytes make a record of %d, want %d", n, size, RecordOverhead(version)+n)
			}
		}
	}
}

func TestSameDrawsSameBytes(t *testing.T) {
	for _, version := range []uint16{TLS12, TLS13} {
		var all [2][][]byte
		for i := range all {
			c := wiretest.Must(NewChain("same.example.net"))(t)
			up, down := imitate(wiretest.PCG(9), "same.example.net", c, version, "", 50, 20_000)
			all[i] = append(up, down...)
		}
		if d := cmp.Diff(all[0], all[1]); d != "" {
			t.Error(d)
		}
	}
}

func TestFlightsAllocateNothing(t *testing.T) {
	c := wiretest.Must(NewChain("a.example.net"))(t)
	buf := make([]byte, 0, 4096)
	r := wiretest.PCG(1)
	for _, version := range []uint16{TLS12, TLS13} {
		if n := testing.AllocsPerRun(100, func() {
			b := AppendClientHello(buf, r, &Hello{Host: "a.example.net", Version: version, Session: 1})
			b = AppendClientFinish(b, r, version)
			b = AppendServerFlight(b, r, c, &Hello{Version: version, Session: 1})
			b = AppendServerFinish(b, r, version)
			b = AppendRecordHeader(b, version, 100, 1)
			_ = AppendCloseNotify(b, r, version, 1)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func BenchmarkServerFlight(b *testing.B) {
	c := wiretest.Must(NewChain("a.example.net"))(b)
	buf := make([]byte, 0, 4096)
	r := wiretest.PCG(1)
	for name, version := range map[string]uint16{"1.2": TLS12, "1.3": TLS13} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = AppendServerFlight(buf[:0], r, c, &Hello{Version: version, Session: 1})
			}
		})
	}
}

func BenchmarkClientHello(b *testing.B) {
	buf := make([]byte, 0, 4096)
	r := wiretest.PCG(1)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendClientHello(buf[:0], r, &Hello{Host: "a.example.net", Version: TLS13, ALPN: "h2", Session: 1})
	}
}

func BenchmarkChain(b *testing.B) {
	for b.Loop() {
		if _, err := NewChain("a.example.net"); err != nil {
			b.Fatal(err)
		}
	}
}
