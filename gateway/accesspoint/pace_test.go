package accesspoint_test

import (
	"testing"

	"glasshouse/emulator/clock/clocktest"
	"glasshouse/emulator/packet"
	"glasshouse/gateway/accesspoint"
)

// Frames that wait for each other follow at the pace of their station, those that come alone at once, and the capture keeps its order.
func TestPace(t *testing.T) {
	a := &air{clock: &clocktest.Manual{}}
	var at []int64
	a.ap = accesspoint.New(accesspoint.Config{
		Clock: a.clock, GatewayMAC: gatewayMAC, Seed: 1, Pool: &packet.Pool{},
		Stations: []accesspoint.Station{{
			Unit: 5, MAC: macs[0], Addr: stationA, Deliver: func([]byte) {},
			Pace: accesspoint.Pace{Quantiles: []int64{1e3, 2e3, 1e6, 3e6}, Next: [][]int64{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}}},
		}},
		Capture:   func(now int64, _ []byte) int64 { at = append(at, now); return 1 },
		ToGateway: func(*packet.Packet) {}, Downlink: func(packet.Lineage, bool) {},
	})
	defer a.ap.Close()
	a.until(10)
	for i := range 400 {
		a.up0(10, 24, 1000, byte(i))
	}
	a.until(2000)
	a.up0(3000, 24, 1000, 1)
	a.until(3010)
	if len(at) != 401 || at[0] != 10e6 || at[400] != 3000e6 {
		t.Fatalf("%d frames, the first at %d, the last at %d", len(at), at[0], at[len(at)-1])
	}
	var short, far, long int
	for i := 1; i < 400; i++ {
		switch d := at[i] - at[i-1]; {
		case d >= 1e3 && d <= 2e3:
			short++
		case d == 1e6: // nothing lies between quantiles so far apart
			far++
		case d > 1e6 && d <= 3e6:
			long++
		default:
			t.Fatalf("%d ns between two frames", d)
		}
	}
	if short < 100 || far < 40 || long < 80 {
		t.Errorf("%d short, %d at the step and %d long pauses of 399", short, far, long)
	}
}
