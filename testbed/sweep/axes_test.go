package sweep

import (
	"slices"
	"strings"
	"testing"
)

func TestAxesAreRead(t *testing.T) {
	for in, want := range map[string]string{
		"devices=3":                 "3",
		"devices=1..9":              "1 2 3 4 5 6 7 8 9",
		"devices=1..30":             "1 6 11 16 20 25 30",
		"devices=1..30,10":          "1 11 21",
		"devices=1..30/10":          "1 11 21",
		"phones=0..8,4":             "0 4 8",
		"phones=8, 0":               "8 0",
		"intensity=0.25..4":         "0.25 0.5 1 2 4",
		"intensity=x0.25..x3":       "0.25 0.5 1 2 3",
		"loss=0,0.01,0.05":          "0 0.01 0.05",
		"loss=0..4":                 "0 1 2 3 4",
		"loss=0..1%,0.5":            "0 0.5 1",
		"loss=0.0001":               "0.0001",
		"delay=0..100ms,50ms":       "0 50 100",
		"delay=1500us,2s":           "1.5 2000",
		"delay=10ms..10ms":          "10",
		"path=napt,wireguard":       "napt vpn",
		" devices = 1 .. 3 , 2 ":    "1 3",
		"loss=1.50":                 "1.5",
		"delay=0..3ms":              "0 0.75 1.5 2.25 3",
		"intensity=0.3,1.000000000": "0.3 1",
	} {
		a, err := ParseAxis(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		var got []string
		for _, v := range a.Values {
			got = append(got, a.Text(v))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", in, strings.Join(got, " "), want)
		}
	}
}

func TestBadAxesSayWhatIsAllowed(t *testing.T) {
	for in, want := range map[string]string{
		"devises=1..3":       "there are devices, phones, intensity, loss, delay, path",
		"":                   "there are devices",
		"devices":            "whole numbers from 1 to 100",
		"devices=":           "whole numbers from 1 to 100",
		"devices=0..3":       "out of range",
		"devices=3..1":       "ends before it begins",
		"devices=1..3..5":    "none of its values",
		"devices=1..9,0":     "not a step",
		"devices=1,1":        "there twice",
		"devices=1,,2":       "none of its values",
		"devices=1.5":        "whole numbers",
		"phones=-1":          "whole numbers from 0 to 50",
		"phones=0..8,4,2":    "not a step",
		"loss=51":            "percentages from 0 to 50",
		"loss=0.00001":       "percentages",
		"loss=1e-3":          "percentages",
		"delay=5":            "durations",
		"delay=0..10s":       "out of range",
		"intensity=0":        "factors from 0.01 to 100",
		"path=tor":           "napt and vpn",
		"path=napt..vpn":     "no range of names",
		"loss=0..50,0.0001":  "more than 1000 values",
		"intensity=0x10,1.2": "none of its values",
	} {
		if _, err := ParseAxis(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	for _, in := range [][]string{nil, {"devices=1", "devices=2"}, {"loss=0..50,0.1", "devices=1..30,1"}} {
		if _, err := ParseAxes(in); err == nil {
			t.Errorf("%v is taken", in)
		}
	}
}

func TestPointsAreTheGrid(t *testing.T) {
	axes, err := ParseAxes([]string{"devices=1,2", "path=napt,vpn", "loss=0,1"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range points(axes, Setting{Phones: 3}) {
		got = append(got, p.name(axes))
		if p.setting.Phones != 3 || *p.setting.loss != p.values[2] || p.setting.Devices != int(p.values[0]) {
			t.Errorf("%s: %+v", p.name(axes), p.setting)
		}
	}
	want := []string{
		"devices=1 path=napt loss=0%", "devices=1 path=napt loss=1%", "devices=1 path=vpn loss=0%", "devices=1 path=vpn loss=1%",
		"devices=2 path=napt loss=0%", "devices=2 path=napt loss=1%", "devices=2 path=vpn loss=0%", "devices=2 path=vpn loss=1%",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Whatever is given, an axis that is taken has values within its bounds, none twice, whose texts read as themselves.
func FuzzParseAxis(f *testing.F) {
	for _, s := range []string{"devices=1..30", "loss=0..4,0.5", "delay=5ms..2s/7ms", "intensity=x0.25..4", "path=napt,vpn", "phones=1,2", "loss=.", "delay=1e3ms", "devices=..", "loss=0..,1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAxis(s)
		if err != nil {
			return
		}
		k := kinds()[a.Name]
		if len(a.Values) == 0 || len(a.Values) > maxValues {
			t.Fatalf("%q: %d values", s, len(a.Values))
		}
		for i, v := range a.Values {
			if v < k.lo || v > k.hi || slices.Contains(a.Values[:i], v) {
				t.Fatalf("%q: value %d", s, v)
			}
			text := a.Text(v)
			if a.Unit == "ms" {
				text += "ms"
			}
			if back, ok := k.read(text); !ok || back != v {
				t.Fatalf("%q: %d reads back from %q as %d, %t", s, v, text, back, ok)
			}
		}
	})
}
