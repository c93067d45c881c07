package script

import (
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/draw"
)

// The application bytes under the frames that the paper and the captures give.
func TestHeartbeatBytes(t *testing.T) {
	for _, c := range []struct {
		device string
		want   []int
	}{
		{"echo-dot", []int{12}},
		{"google-home", []int{52, 21}},
		{"lockly-hub", []int{2, 2}},    // a PINGREQ and a PINGRESP: 85 - 54 - 29 each way
		{"tplink-plug", []int{33, 27}}, // 128 - 66 - 29 up, 122 - 66 - 29 down
	} {
		p, err := catalogue.Load(c.device)
		if err != nil {
			t.Fatal(err)
		}
		step := p.Routine("heartbeat").Steps[0]
		var got []int
		for _, m := range expand(p, p.Routine("heartbeat").Steps, draw.New(1, "test"), epoch{})[0].Messages {
			got = append(got, m.Size)
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v bytes, want %v", c.device, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v bytes, want %v", c.device, got, c.want)
			}
		}
		for _, r := range p.Activities {
			for _, s := range r.Steps {
				if r.Person() && s.Service == step.Service && c.device != "tplink-plug" && c.device != "lockly-hub" {
					t.Errorf("%s: %s shares the heartbeat's connection and could hold it up", c.device, r.Name)
				}
			}
		}
	}
}
