package accesspoint_test

import (
	"encoding/binary"
	"testing"

	"glasshouse/emulator/clock/clocktest"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/accesspoint"
)

// segment is a TCP frame of station 0, up or down, whose number is the last byte of its header.
func segment(up bool, flags byte, payload int, number byte) []byte {
	f := make([]byte, 54+payload)
	dst, src := gatewayMAC, macs[0]
	from, to, ports := stationA.As4(), server.As4(), uint32(40000<<16|443)
	if !up {
		dst, src, from, to, ports = src, dst, to, from, ports<<16|ports>>16
	}
	copy(f, dst[:])
	copy(f[6:], src[:])
	f[12], f[14], f[23] = 8, 0x45, 6
	binary.BigEndian.PutUint16(f[16:], uint16(len(f)-14))
	copy(f[26:], from[:])
	copy(f[30:], to[:])
	binary.BigEndian.PutUint32(f[34:], ports)
	f[46], f[47], f[53] = 5<<4, flags, number
	return f
}

// What comes alone is acknowledged late, once; two segments, data and the end of a connection are not waited with.
func TestLateAcknowledgements(t *testing.T) {
	const ack, psh, fin, syn = 16, 24, 17, 2
	for _, c := range []struct {
		name string
		play func(a *air)
		want map[byte]int64 // when each frame of the station is captured, ms; those that are missing never are
	}{
		{"alone", func(a *air) {
			a.down(10)
			a.up0(12, ack, 0, 1)
		}, map[byte]int64{1: 110}},
		{"later than the table anyhow", func(a *air) {
			a.down(10)
			a.up0(190, ack, 0, 1)
		}, map[byte]int64{1: 190}},
		{"two segments", func(a *air) {
			a.down(10)
			a.down(11)
			a.up0(12, ack, 0, 1)
		}, map[byte]int64{1: 12}},
		{"the second comes while the first is held", func(a *air) {
			a.down(10)
			a.up0(12, ack, 0, 1)
			a.down(50)
			a.up0(51, ack, 0, 2)
		}, map[byte]int64{2: 51}},
		{"data takes its place", func(a *air) {
			a.down(10)
			a.up0(12, ack, 0, 1)
			a.up0(60, psh, 30, 2)
		}, map[byte]int64{2: 60}},
		{"the end of the connection", func(a *air) {
			a.down(10)
			a.up0(12, ack, 0, 1)
			a.up0(30, fin, 0, 2)
		}, map[byte]int64{2: 30}},
		{"nothing was to acknowledge", func(a *air) {
			a.up0(1, syn, 0, 1)
			a.up0(12, ack, 0, 2)
		}, map[byte]int64{1: 1, 2: 12}},
		{"again and again", func(a *air) {
			a.down(10)
			a.up0(12, ack, 0, 1)
			a.down(200)
			a.up0(201, ack, 0, 2)
		}, map[byte]int64{1: 110, 2: 300}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &air{clock: &clocktest.Manual{}}
			got := make(map[byte]int64)
			a.ap = accesspoint.New(accesspoint.Config{
				Clock: a.clock, GatewayMAC: gatewayMAC, Seed: 1, Pool: &packet.Pool{},
				Stations: []accesspoint.Station{{Unit: 5, MAC: macs[0], Addr: stationA, Acks: []int64{100e6, 100e6, 100e6}, Deliver: func([]byte) {}}},
				Capture: func(at int64, f []byte) int64 {
					if [6]byte(f[6:12]) == macs[0] {
						got[f[53]] = at / 1e6
					}
					return 1
				},
				ToGateway: func(*packet.Packet) {},
				Downlink:  func(packet.Lineage, bool) {},
			})
			defer a.ap.Close()
			c.play(a)
			a.until(1000)
			if len(got) != len(c.want) {
				t.Errorf("captured %v, want %v", got, c.want)
			}
			for n, at := range c.want {
				if got[n] != at {
					t.Errorf("frame %d at %d ms, want %d", n, got[n], at)
				}
			}
		})
	}
}

// However many connections there have been: the next one's acknowledgement is as late as the first one's, and places are used again.
func TestLateAcknowledgementsOfManyConnections(t *testing.T) {
	a := &air{clock: &clocktest.Manual{}}
	at := make(map[byte]int64)
	a.ap = accesspoint.New(accesspoint.Config{
		Clock: a.clock, GatewayMAC: gatewayMAC, Seed: 1, Pool: &packet.Pool{},
		Stations: []accesspoint.Station{{Unit: 5, MAC: macs[0], Addr: stationA, Acks: []int64{3e6, 3e6}, Deliver: func([]byte) {}}},
		Capture: func(now int64, f []byte) int64 {
			if [6]byte(f[6:12]) == macs[0] {
				at[f[53]] = now
			}
			return 1
		},
		ToGateway: func(*packet.Packet) {}, Downlink: func(packet.Lineage, bool) {},
	})
	defer a.ap.Close()
	const connections = 40_000
	for i := range connections {
		now := int64(i) * 10e6
		a.clock.Set(now)
		down, up := segment(false, 24, 100, 0), segment(true, 16, 0, 1)
		binary.BigEndian.PutUint16(down[36:], uint16(i))
		binary.BigEndian.PutUint16(up[34:], uint16(i))
		down[26], up[30] = byte(11+i>>16), byte(11+i>>16)
		a.ap.FromGateway(down, packet.Lineage{})
		a.ap.FromStation(0, up)
		a.clock.Set(now + 5e6)
		a.clock.Fire()
		if at[1] < now+3e6 {
			t.Fatalf("connection %d was acknowledged after %d ns", i, at[1]-now)
		}
	}
	if n := accesspoint.AckPlaces(a.ap); n > 1<<14 {
		t.Errorf("%d places for one connection at a time", n)
	}
}

// until lets time pass, a millisecond at a time.
func (a *air) until(ms int64) {
	for now := a.clock.Now() / 1e6; now <= ms; now++ {
		a.clock.Set(now * 1e6)
		a.clock.Fire()
	}
	a.clock.Set(ms * 1e6)
}

// down sends the station a segment with data at a time, ms.
func (a *air) down(ms int64) {
	a.until(ms)
	a.ap.FromGateway(segment(false, 24, 100, 0), packet.Lineage{})
}

// up0 has station 0 send a segment.
func (a *air) up0(ms int64, flags byte, payload int, number byte) {
	a.until(ms)
	a.ap.FromStation(0, segment(true, flags, payload, number))
}

// Whatever a station is sent or sends is looked at without a fault.
func FuzzLateAcknowledgements(f *testing.F) {
	f.Add(segment(false, 24, 100, 0), segment(true, 16, 0, 1))
	f.Add(segment(false, 24, 0, 0)[:40], segment(true, 16, 0, 1)[:53])
	f.Fuzz(func(t *testing.T, down, up []byte) {
		sent, clock := 0, &clocktest.Manual{}
		ap := accesspoint.New(accesspoint.Config{
			Clock: clock, GatewayMAC: gatewayMAC, Seed: 1, Pool: &packet.Pool{},
			Stations:  []accesspoint.Station{{Unit: 5, MAC: macs[0], Addr: stationA, Acks: []int64{1, 2, 3}, Deliver: func([]byte) {}}},
			Capture:   func(int64, []byte) int64 { sent++; return int64(sent) },
			ToGateway: func(*packet.Packet) {}, Downlink: func(packet.Lineage, bool) {},
		})
		defer ap.Close()
		ap.FromGateway(append([]byte(nil), down...), packet.Lineage{})
		ap.FromStation(0, append([]byte(nil), up...))
		clock.Set(1e12)
		clock.Fire()
		if sent > 2 {
			t.Errorf("%d frames of two", sent)
		}
	})
}
