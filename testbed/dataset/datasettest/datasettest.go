// Package datasettest has what tests of the dataset's packages share. No program uses it.
package datasettest

import (
	"encoding/binary"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// Epoch is the UTC epoch of script time 0 in tests, ns.
const Epoch = int64(1767571200e9)

// UDP makes an IPv4 UDP packet, for writers and parsers.
func UDP(src, dst [4]byte, sport, dport uint16, payload []byte) []byte {
	b := make([]byte, 28+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	binary.BigEndian.PutUint16(b[20:], sport)
	binary.BigEndian.PutUint16(b[22:], dport)
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(payload)))
	copy(b[28:], payload)
	return b
}

// TCP makes an IPv4 TCP segment without checksums.
func TCP(src, dst [4]byte, sport, dport uint16, flags byte, payload []byte) []byte {
	b := make([]byte, 40+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	binary.BigEndian.PutUint16(b[20:], sport)
	binary.BigEndian.PutUint16(b[22:], dport)
	b[32], b[33] = 5<<4, flags
	copy(b[40:], payload)
	return b
}

// Ethernet puts a header before an IPv4 packet.
func Ethernet(ip []byte) []byte {
	return append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, ip...)
}

// The ends of packets: a home's WAN side and a server.
var (
	Home  = [4]byte{100, 64, 3, 9}
	Cloud = [4]byte{198, 18, 1, 2}
)

// Need skips a test whose judge is not installed, with the reason; in CI that is a failure.
func Need(tb testing.TB, tool string) string {
	tb.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("GLASSHOUSE_CI") == "1" {
		tb.Fatalf("%s is not installed", tool)
	}
	tb.Skipf("%s is not installed", tool)
	return ""
}

const fewBytes = 200 << 20 // what may be allocated to find a false claim

// Frugally runs f and reports if it took long or allocated much.
func Frugally(tb testing.TB, what string, f func() error) error {
	tb.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	err := f()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > fewBytes {
		tb.Errorf("%s: %d MB allocated", what, n>>20)
	}
	if took > 5*time.Second { // a second, on a machine that does nothing else
		tb.Errorf("%s: took %s", what, took)
	}
	return err
}
