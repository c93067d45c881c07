package report

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"glasshouse/testbed/calibration"
	"glasshouse/testbed/plain"
)

// WriteDeviceComparison prints the differences between an emulation and a capture.
func WriteDeviceComparison(w io.Writer, c *calibration.Comparison) error {
	t := plain.NewTable(w)
	fmt.Fprintf(t, "%s compared with a capture; seed %d\n\n\tcapture\temulation\n", c.Profile, c.Seed)
	fmt.Fprintf(t, "hours\t%.2f\t%.2f\n", c.Hours[0], c.Hours[1])
	fmt.Fprintf(t, "packets per hour\t%.1f\t%.1f\n", c.PerHour[0], c.PerHour[1])
	fmt.Fprintf(t, "upstream\t%.1f %%\t%.1f %%\n", 100*c.UpShare[0], 100*c.UpShare[1])
	fmt.Fprintf(t, "round trip, ms\t%.1f\t%.1f\n", c.RTTms[0], c.RTTms[1])
	for _, s := range c.Protocols {
		fmt.Fprintf(t, "%s\t%.1f %%\t%.1f %%\n", s.Name, 100*s.Share[0], 100*s.Share[1])
	}
	if len(c.Beats) > 0 {
		fmt.Fprint(t, "\nperiodic exchanges in the capture: bytes up > and down <; period in s\n\n\tn\t\tp10\t\tp50\t\tp90\t\tKS\tW1\n")
		for _, b := range c.Beats {
			fmt.Fprintf(t, "%s\t%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3g\n",
				b.Shape, b.N[0], b.N[1], b.P10[0], b.P10[1], b.Period[0], b.Period[1], b.P90[0], b.P90[1], b.KS, b.W1)
		}
	}
	fmt.Fprint(t, "\nKS: largest distance between the distribution functions, 0 to 1. W1: Wasserstein distance, in the row's unit.\n\n\tn\t\tmedian\t\t90 %\t\tKS\tW1\n")
	for _, d := range c.Distances {
		fmt.Fprintf(t, "%s, %s\t%d\t%d\t%.4g\t%.4g\t%.4g\t%.4g\t%.3f\t%.3g\n",
			d.Name, d.Unit, d.N[0], d.N[1], d.Medians[0], d.Medians[1], d.P90[0], d.P90[1], d.KS, d.W1)
	}
	fmt.Fprintf(t, "\nTwo-sample test: a forest on held-out blocks of the capture. %d blocks; AUC 0.5: chance, 1: always correct\nfloor: the capture's earlier half against its later half\n\n\twindow\tAUC\t95 %%\tfloor\n", c.Blocks)
	for _, x := range c.Tests {
		if x.Result == nil {
			fmt.Fprintf(t, "%s\t%d\ttoo few\n", x.Name, x.Window)
			continue
		}
		floor := ""
		if x.Floor != nil {
			floor = fmt.Sprintf("%.2f", x.Floor.AUC)
		}
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f to %.2f\t%s\n", x.Name, x.Window, x.Result.AUC, x.Result.Low, x.Result.High, floor)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeTells(w, c)
}

// writeTells prints the behaviours that distinguish the emulation, by test.
func writeTells(w io.Writer, c *calibration.Comparison) error {
	told := false
	for _, x := range c.Tests {
		if len(x.Tells) == 0 && x.Note == "" {
			continue
		}
		if !told {
			told = true
			fmt.Fprint(w, "\nBehaviours that distinguish the emulation, where the AUC is above 0.60:\n")
		}
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(x.Name))
		for _, t := range x.Tells {
			fmt.Fprintf(w, "  - %s\n", t.Words)
		}
		if x.Note != "" {
			fmt.Fprintf(w, "  %s\n", x.Note)
		}
	}
	switch {
	case told:
	case !slices.ContainsFunc(c.Tests, func(x calibration.Test) bool { return x.Result != nil }):
		_, err := fmt.Fprint(w, "\nThere is too little data to test whether the emulation can be distinguished.\n")
		return err
	default:
		_, err := fmt.Fprint(w, "\nThe emulation is not distinguished: no AUC is above 0.60.\n")
		return err
	}
	return nil
}

// A plot has a row per distance with both distribution functions, from the lowest value to the 99th percentile.
const (
	plotWidth, plotRow = 720, 150
	plotLeft, plotTop  = 40, 26
)

// PlotComparison draws the distribution functions as SVG.
func PlotComparison(w io.Writer, c *calibration.Comparison) error {
	curves := c.Curves()
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotTop+plotRow*len(curves))
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="17">%s: capture <tspan fill="#1f77b4">blue</tspan>, emulation <tspan fill="#d62728">red</tspan></text>`+"\n", plotLeft, html.EscapeString(c.Profile))
	for i, d := range c.Distances {
		top := plotTop + i*plotRow
		fmt.Fprintf(w, `<text x="%d" y="%d">%s, %s: KS %.3f, W1 %.3g</text>`+"\n", plotLeft, top+12, html.EscapeString(d.Name), html.EscapeString(d.Unit), d.KS, d.W1)
		lo, hi := bounds(curves[i])
		for side, color := range [2]string{"#1f77b4", "#d62728"} {
			if len(curves[i][side]) > 0 {
				fmt.Fprintf(w, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n", color, curve(curves[i][side], lo, hi, top+20))
			}
		}
		fmt.Fprintf(w, `<path d="M%d %dV%dH%d" fill="none" stroke="#888"/><text x="%d" y="%d">%.4g</text><text x="%d" y="%d" text-anchor="end">%.4g</text>`+"\n",
			plotLeft, top+20, top+plotRow-22, plotWidth-20, plotLeft, top+plotRow-8, lo, plotWidth-20, top+plotRow-8, hi)
	}
	_, err := fmt.Fprintln(w, "</svg>")
	return err
}

// bounds returns the range that is drawn; each side is sorted.
func bounds(v [2][]float64) (lo, hi float64) {
	first := true
	for _, s := range v {
		if len(s) == 0 {
			continue
		}
		a, b := s[0], s[int(0.99*float64(len(s)-1))]
		if first {
			lo, hi, first = a, b, false
		}
		lo, hi = min(lo, a), max(hi, b)
	}
	if hi <= lo {
		hi = lo + 1
	}
	return lo, hi
}

// curve returns a distribution function as at most 200 points.
func curve(v []float64, lo, hi float64, top int) string {
	const steps = 200
	var b strings.Builder
	height := float64(plotRow - 42)
	for i := range steps + 1 {
		k := i * (len(v) - 1) / steps
		x := plotLeft + (min(v[k], hi)-lo)/(hi-lo)*float64(plotWidth-20-plotLeft)
		y := float64(top) + height*(1-float64(k+1)/float64(len(v)))
		fmt.Fprintf(&b, "%.1f,%.1f ", x, y)
	}
	return strings.TrimSpace(b.String())
}
