package exchange

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// A translated port may be another device's later: the server of datagrams follows the flow, not the port.
func TestServerFollowsTheFlow(t *testing.T) {
	registry, s := truth.NewRegistry(), sessions(t)
	seen := netip.MustParseAddrPort("192.168.77.250:5000") // as a NAPT would show them
	now := make(chan netip.AddrPort, 1)                    // who is behind it
	var flows []*truth.Flow
	at := netip.MustParseAddrPort("198.18.0.4:7000")
	device := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 77, byte(100 + i)}), 4000)
	}
	for i := range 2 {
		flows = append(flows, registry.Open(truth.KeyOf(packet.ProtoUDP, device(i), at), int32(i), packet.Tag{}, false))
		s.Expect(flows[i].Key())
	}
	group := new(sync.WaitGroup)
	f := NewServer(t.Context(), ServerConfig{Sessions: s, Clock: bubble{time.Now()}, Group: group, Flow: func(netip.AddrPort) *truth.Flow {
		lan := <-now
		return registry.Find(truth.KeyOf(packet.ProtoUDP, lan, at))
	}})
	for i := range 2 {
		if s.Push(flows[i].Key(), NewJob(nil, 0, packet.Tag{})) {
			t.Errorf("device %d: the server sends before it heard", i)
		}
		now <- device(i)
		f.answer(NewJob(nil, 0, packet.Tag{}), seen)
		j := NewJob(nil, 0, packet.Tag{})
		j.handle = uint32(i + 1)
		if !s.Push(flows[i].Key(), j) {
			t.Errorf("device %d: its server does not send", i)
		}
		group.Wait()
		s.Unexpect(flows[i].Key())
	}
}
