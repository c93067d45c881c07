package live

import (
	"net/netip"
	"testing"
	"time"

	"glasshouse/emulator/clock"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
	"glasshouse/scenarios"
	"glasshouse/testbed/label"
	"glasshouse/testbed/wan"
)

// What would leave in the clear beside the tunnel ends at eth0. A device's packet is a LAN frame and counts once; the gateway's own
// is none.
func TestBlockedLeakCountsOnce(t *testing.T) {
	gateway, server, device := [4]byte{100, 64, 0, 9}, [4]byte{198, 18, 9, 9}, [4]byte{192, 168, 7, 20}
	wall, err := clock.NewWall(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{path: wall}
	l.trace = label.NewTrace(label.TraceConfig{
		Clock: wall, Flows: truth.NewRegistry(), Tunnel: true, Addr: netip.AddrFrom4(gateway), LAN: netip.MustParsePrefix("192.168.7.0/24"),
	})
	l.wan = wan.New(wan.Config{Home: &scenarios.Home{}, Tunnel: true, Clock: wall, Pool: &l.pool, World: l})
	t.Cleanup(func() {
		l.wan.Close()
		_ = wall.Close()
	})
	toServer := func(from [4]byte, id byte) []byte { // an empty datagram
		b := l.pool.Get()[:28]
		clear(b)
		b[0], b[3], b[5], b[8], b[9], b[25] = 0x45, 28, id, 64, packet.ProtoUDP, 8
		copy(b[12:], from[:])
		copy(b[16:], server[:])
		return b
	}
	const frames = 3
	for i := range byte(frames) {
		ip := toServer(device, i)
		l.tally.Frame()
		l.tally.Crosses(true)
		l.trace.Routed(ip, packet.Lineage{Unit: 0, LANFrame: int64(i) + 1}, wall.Now())
		l.fromEth0(ip)
	}
	l.fromEth0(toServer(gateway, 99))
	l.trace.Expire(clock.Forever / 2) // as when a run ends: what is still in the kernel counts as lost there
	sum := int64(0)
	for _, n := range l.drops() {
		sum += n
	}
	if got := l.drops(); sum != frames || got["leak_blocked"] != frames {
		t.Errorf("%d LAN frames leaked; drops %v", frames, got)
	}
	if all, lan := l.trace.Leaked(); all != frames+1 || lan != frames {
		t.Errorf("%d leaks, of which %d were LAN frames; want %d and %d", all, lan, frames+1, frames)
	}
}
