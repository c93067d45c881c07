package nat_test

import (
	"bytes"
	"testing"

	"glasshouse/gateway/nat"
)

// seeds are packets of every kind that a NAPT reads; more lie in testdata/fuzz.
func seeds() [][]byte {
	u := udpPacket(lanA, remoteX, []byte("payload of some length"))
	first, rest := fragment(u, 16)
	up := udpPacket(lanA, remoteX, nil)
	newNAPT().Up(0, up)
	return [][]byte{
		u, tcpPacket(lanA, remoteX, syn, nil), echoPacket(8, lanA.Addr(), remoteX.Addr(), 1, nil), first, rest,
		errorPacket(3, 4, remoteX.Addr(), wanAddr, up, 28), errorPacket(11, 0, lanA.Addr(), remoteX.Addr(), udpPacket(remoteX, lanA, nil), 28),
		udpPacket(remoteX, wanOf(up), []byte("answer")), nil,
	}
}

// fuzzed is a NAPT that knows lanA and lanB.
func fuzzed() *nat.NAPT {
	n := newNAPT()
	n.Up(0, udpPacket(lanA, remoteX, nil))
	n.Up(0, udpPacket(lanB, remoteX, nil))
	n.Up(0, tcpPacket(lanA, remoteX, syn, nil))
	n.Up(0, echoPacket(8, lanA.Addr(), remoteX.Addr(), 5000, nil))
	return n
}

// checkFuzzed: never a panic, a length changed, a packet touched that is dropped, or a valid IP header spoiled.
func checkFuzzed(t *testing.T, b []byte, step func(now int64, ip []byte) nat.Result) {
	t.Helper()
	before := bytes.Clone(b)
	valid := len(b) >= 20 && b[0]>>4 == 4 && int(b[0]&15)*4 <= len(b) && b[0]&15 >= 5 && sum16(b[:int(b[0]&15)*4]) == 0xffff
	r := step(1, b)
	if r.Verdict != nat.Translated {
		if !bytes.Equal(b, before) {
			t.Fatalf("%v, but changed:\n%x\n%x", r.Verdict, before, b)
		}
		return
	}
	if !r.LAN.IsValid() || !r.Remote.IsValid() {
		t.Fatalf("translated without ends: %+v", r)
	}
	if valid && sum16(b[:int(b[0]&15)*4]) != 0xffff {
		t.Fatalf("IP checksum spoiled:\n%x\n%x", before, b)
	}
}

func FuzzNAPTUp(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkFuzzed(t, b, fuzzed().Up) })
}

func FuzzNAPTDown(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkFuzzed(t, b, fuzzed().Down) })
}
