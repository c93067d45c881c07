package testbed

import (
	"net/netip"
	"testing"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// What would leave in the clear beside the tunnel ends at eth0. A device's packet is a LAN frame and counts once; the gateway's own
// is none.
func TestBlockedLeakCountsOnce(t *testing.T) {
	gateway, server, device := [4]byte{100, 64, 0, 9}, [4]byte{198, 18, 9, 9}, [4]byte{192, 168, 7, 20}
	w := wallWAN(t, newRows(nil, nil))
	l := &lab{wan: w, trace: newTrace(w, truth.NewRegistry(), netip.AddrFrom4(gateway), netip.MustParsePrefix("192.168.7.0/24"), nil)}
	const frames = 3
	for i := range uint16(frames) {
		ip := emptyDatagram(w.pool, device, server, i)
		l.tally.lan()
		l.tally.crosses(true)
		l.trace.hopUp.Enter(ip, packet.Lineage{Unit: 0, LANFrame: int64(i) + 1}, w.clock.Now())
		l.trace.FromEth0(ip)
	}
	l.trace.FromEth0(emptyDatagram(w.pool, gateway, server, 99))
	l.trace.expire(clock.Forever / 2) // as when a run ends: what is still in the kernel counts as lost there
	sum := int64(0)
	for _, n := range l.drops() {
		sum += n
	}
	if got := l.drops(); sum != frames || got["leak_blocked"] != frames {
		t.Errorf("%d LAN frames leaked; drops %v", frames, got)
	}
	if d := w.dropped(); d.Leaks != frames+1 {
		t.Errorf("%d leaks in all, want %d", d.Leaks, frames+1)
	}
}
