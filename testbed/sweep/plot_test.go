package sweep

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"glasshouse/classifier/stat"
)

// polylines reads the SVG as XML and returns the points of each line.
func polylines(t *testing.T, svg []byte) [][][2]float64 {
	t.Helper()
	var out [][][2]float64
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range e.Attr {
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Fatalf("%s: %s", e.Name.Local, a.Value)
			}
			if e.Name.Local != "polyline" || a.Name.Local != "points" {
				continue
			}
			var line [][2]float64
			for p := range strings.FieldsSeq(a.Value) {
				x, y, _ := strings.Cut(p, ",")
				var at [2]float64
				for i, s := range []string{x, y} {
					if at[i], err = strconv.ParseFloat(s, 64); err != nil {
						t.Fatal(err)
					}
				}
				line = append(line, at)
			}
			out = append(out, line)
		}
	}
}

func TestPlotsAreWhatWasFound(t *testing.T) {
	for _, c := range []struct {
		vary          []string
		panels, least int // least: points of the first panel
	}{
		{[]string{"devices=1..30", "path=napt,vpn"}, 2, 7},
		{[]string{"path=napt,vpn"}, 1, 2},
		{[]string{"loss=0,1"}, 1, 2},
		{[]string{"delay=5ms"}, 1, 1},
		{[]string{"path=vpn", "intensity=0.25..4", "phones=1,2"}, 2, 5},
	} {
		axes, err := ParseAxes(c.vary)
		if err != nil {
			t.Fatal(err)
		}
		r := &Result{Scenario: "a<b & c", Chance: 0.1, Axes: series(axes)}
		all := points(axes, Setting{})
		for i := range all {
			p := &Point{Point: all[i].name(axes), Values: make(map[string]string)}
			for k := range axes {
				p.Values[axes[k].Name] = axes[k].Text(all[i].values[k])
			}
			good := float64(i) / float64(len(all))
			p.Attackers = []Attack{
				{Attacker: AttackerPaper, BalancedAccuracy: good, Interval: &stat.Interval{good - 0.1, good + 0.1}},
				{Attacker: lookUpName, BalancedAccuracy: 0.5},
			}
			r.Points = append(r.Points, p)
		}
		r.Points = append(r.Points, &Point{Values: r.Points[0].Values, Reason: "nothing was learned"})
		var b bytes.Buffer
		if err := r.Plot(&b); err != nil {
			t.Fatal(err)
		}
		lines := polylines(t, b.Bytes())
		if len(lines) != 2*c.panels || len(lines[0]) != c.least {
			t.Fatalf("%v: %d lines, %d points in the first; want %d panels with two lines of %d points", c.vary, len(lines), len(lines[0]), c.panels, c.least)
		}
		for i := 1; i < len(lines[0]); i++ { // to the right, and up, as the figures do
			if lines[0][i][0] <= lines[0][i-1][0] || lines[0][i][1] >= lines[0][i-1][1] {
				t.Errorf("%v: %v", c.vary, lines[0])
			}
		}
		for _, p := range lines[1] {
			if y := float64(marginTop) + plotInnerY/2; p[1] != y {
				t.Errorf("%v: a half is drawn at %g, not %g", c.vary, p[1], y)
			}
		}
	}
}
