package sweep

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// A plot has a panel for each combination of the values of all axes but one, which goes to the right: balanced accuracy, a line for
// each attacker, with its interval at each point.
const (
	panelWidth, panelHeight       = 380, 270
	marginLeft, marginRight       = 46, 14
	marginTop, marginBottom       = 30, 44
	panelsAbreast                 = 3
	headHeight                    = 44
	plotInnerX, plotInnerY        = panelWidth - marginLeft - marginRight, panelHeight - marginTop - marginBottom
	fewestPixelsBetweenTickLabels = 26
)

// colorOf is the color of one of the attackers; programs take theirs in turn.
func colorOf(all []string, attacker string) string {
	others := 0
	for _, a := range all {
		color := ""
		switch a {
		case AttackerPaper:
			color = "#1f77b4"
		case AttackerWAN:
			color = "#d62728"
		case lookUpName:
			color = "#7f7f7f"
		default:
			programs := [...]string{"#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2"}
			color = programs[others%len(programs)]
			others++
		}
		if a == attacker {
			return color
		}
	}
	return "#000"
}

// across returns the axis that goes to the right: that with the most numbers; the first of equals.
func (r *Result) across() int {
	best := 0
	for i, a := range r.Axes {
		if better, now := a.Name != AxisPath, r.Axes[best].Name != AxisPath; better && !now || better == now && len(a.Values) > len(r.Axes[best].Values) {
			best = i
		}
	}
	return best
}

// Plot draws the result as SVG.
func (r *Result) Plot(out io.Writer) error {
	w := bufio.NewWriter(out)
	x := &r.Axes[r.across()]
	var panels []string
	of := make(map[string][]*Point)
	for _, p := range r.Points {
		name := r.panelOf(p, x.Name)
		if of[name] == nil {
			panels = append(panels, name)
		}
		of[name] = append(of[name], p)
	}
	abreast := min(len(panels), panelsAbreast)
	rows := (len(panels) + abreast - 1) / abreast
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", abreast*panelWidth, headHeight+rows*panelHeight)
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="18" font-size="13">%s, seed %d</text>`+"\n", marginLeft, html.EscapeString(r.Scenario), r.Seed)
	r.legend(w)
	for i, name := range panels {
		fmt.Fprintf(w, `<g transform="translate(%d %d)">`+"\n", i%abreast*panelWidth, headHeight+i/abreast*panelHeight)
		r.panel(w, x, name, of[name])
		fmt.Fprintln(w, "</g>")
	}
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// panelOf names a point's panel by all axes but one.
func (r *Result) panelOf(p *Point, across string) string {
	var parts []string
	for _, a := range r.Axes {
		if a.Name != across {
			parts = append(parts, strings.TrimSpace(a.Name+" "+p.Values[a.Name]+" "+a.Unit))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *Result) legend(w io.Writer) {
	at := marginLeft
	for _, name := range r.attackers() {
		fmt.Fprintf(w, `<path d="M%d 33h18" stroke="%s" stroke-width="2"/><text x="%d" y="37">%s</text>`+"\n", at, colorOf(r.attackers(), name), at+22, html.EscapeString(name))
		at += 40 + 7*len(name)
	}
	fmt.Fprintf(w, `<path d="M%d 33h18" stroke="#000" stroke-dasharray="2 3"/><text x="%d" y="37">blind guess</text>`+"\n", at, at+22)
}

// attackers lists those that there are figures of.
func (r *Result) attackers() []string {
	for _, p := range r.Points {
		if len(p.Attackers) > 0 {
			var names []string
			for i := range p.Attackers {
				names = append(names, p.Attackers[i].Attacker)
			}
			return names
		}
	}
	return nil
}

func (r *Result) panel(w io.Writer, x *Series, title string, points []*Point) {
	places := x.places()
	px := func(value string) float64 {
		for i, v := range x.Values {
			if v == value {
				return marginLeft + places[i]*plotInnerX
			}
		}
		return math.NaN() // there is none
	}
	py := func(share float64) float64 { return marginTop + (1-share)*plotInnerY }
	fmt.Fprintf(w, `<text x="%d" y="%d">%s</text>`+"\n", marginLeft, marginTop-10, html.EscapeString(title))
	for tick := 0; tick <= 100; tick += 20 {
		y := py(float64(tick) / 100)
		fmt.Fprintf(w, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%d</text>`+"\n", marginLeft, y, plotInnerX, marginLeft-6, y+4, tick)
	}
	last := math.Inf(-1)
	for _, v := range x.Values {
		if at := px(v); at-last >= fewestPixelsBetweenTickLabels {
			fmt.Fprintf(w, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", at, marginTop+plotInnerY+16, html.EscapeString(v))
			last = at
		}
	}
	label := x.Name
	if x.Unit != "" {
		label += ", " + x.Unit
	}
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", marginLeft+plotInnerX/2, panelHeight-10, html.EscapeString(label))
	fmt.Fprintf(w, `<text transform="translate(13 %d) rotate(-90)" text-anchor="middle">balanced accuracy, %%</text>`+"\n", marginTop+plotInnerY/2)
	fmt.Fprintf(w, `<path d="M%d %.1fh%d" stroke="#000" stroke-dasharray="2 3"/>`+"\n", marginLeft, py(r.Chance), plotInnerX)
	for k, name := range r.attackers() {
		var line, bars strings.Builder
		for _, p := range points {
			if k >= len(p.Attackers) {
				continue
			}
			a := &p.Attackers[k]
			if a.Failed != "" {
				continue
			}
			at := px(p.Values[x.Name])
			fmt.Fprintf(&line, "%.1f,%.1f ", at, py(a.BalancedAccuracy))
			if in := a.Interval; in != nil { // beside each other, or they hide each other
				fmt.Fprintf(&bars, "M%.1f %.1fV%.1f", at+float64(2*k-2), py(in[0]), py(in[1]))
			}
		}
		fmt.Fprintf(w, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n", colorOf(r.attackers(), name), strings.TrimSpace(line.String()))
		if bars.Len() > 0 {
			fmt.Fprintf(w, `<path d="%s" stroke="%s" stroke-width="1.2" opacity="0.7"/>`+"\n", bars.String(), colorOf(r.attackers(), name))
		}
	}
}

// places gives where the values lie, from 0 to 1: numbers by their size, factors and names one after the other.
func (a *Series) places() []float64 {
	n := len(a.Values)
	out := make([]float64, n)
	if n == 1 {
		return []float64{0.5}
	}
	axis := Axis{Name: a.Name}
	least, most := math.Inf(1), math.Inf(-1)
	for i, text := range a.Values {
		v, _ := kinds()[a.Name].read(text + a.suffix())
		out[i] = axis.number(v)
		least, most = min(least, out[i]), max(most, out[i])
	}
	for i := range out {
		if a.Name == AxisIntensity || a.Name == AxisPath {
			out[i] = float64(i) / float64(n-1)
		} else {
			out[i] = (out[i] - least) / (most - least)
		}
	}
	return out
}

// suffix is what a value's text lacks to be read again.
func (a *Series) suffix() string {
	if a.Name == AxisDelay {
		return a.Unit
	}
	return ""
}
