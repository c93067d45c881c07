package twosample

import (
	"fmt"
	"math"
	"slices"
)

// The features of a window. Raw ones keep the order of packets; the others do not depend on where a window begins.
//
//	raw        signed length and log interval of each packet
//	turns      for each of up-up, up-down, down-up, down-down: number, quantiles of the log interval, and its histogram
//	lengths    quantiles by direction; counts of each common (direction, length), and of all others
//	bunches    histogram of the numbers of consecutive packets in one direction
//	whole      bytes by direction, duration, number of intervals that repeat to the microsecond
//	habits     ranks of intervals and lags among those of similar packets in the fold
//	twins      lags of responses compared with the same responses in the fold's other runs
var (
	turnNames = [4]string{"up-up", "up-down", "down-up", "down-down"}
	dirNames  = [2]string{"up", "down"}
	levels    = [7]float64{0, 0.1, 0.25, 0.5, 0.75, 0.9, 1}
)

const (
	gapDecades  = 7  // from 1 µs to 10 s
	gapFineness = 6  // bins per decade
	bunchBins   = 12 // 1 to 10, 11 to 20, more
	absent      = -9 // value for a window without such an interval or length
)

const gapBins = gapDecades*gapFineness + 2

func (w *windows) nameFeatures(pairs [][2]int32) []string {
	var n []string
	add := func(format string, a ...any) { n = append(n, fmt.Sprintf(format, a...)) }
	for i := range w.size {
		add("length of packet %d", i)
	}
	for i := range w.size {
		add("interval before packet %d, log10 s", i)
	}
	for _, t := range turnNames {
		add("%s: how many", t)
		for _, q := range levels {
			add("%s: interval, quantile %g, log10 s", t, q)
		}
		for b := range gapBins {
			add("%s: intervals of %s", t, gapRange(b))
		}
	}
	for _, d := range dirNames {
		for _, q := range levels {
			add("%s: length, quantile %g", d, q)
		}
	}
	for _, p := range pairs[:len(w.known)] {
		add("%s of %d bytes: how many", dirNames[dirIndex(int8(p[0]))], p[1])
	}
	add("of rarer lengths: how many")
	for _, d := range dirNames {
		for b := range bunchBins {
			add("%s: bunches of %s packets", d, bunchRange(b))
		}
	}
	for _, d := range dirNames {
		add("%s: bytes", d)
	}
	add("duration, log10 s")
	add("intervals that come twice")
	nameMeasures(add)
	nameTwins(add)
	return n
}

func gapRange(b int) string {
	edge := func(k int) string {
		return fmt.Sprintf("%.3g ms", 1e3*math.Pow(10, float64(k)/gapFineness-6))
	}
	switch b {
	case 0:
		return "under " + edge(0)
	case gapBins - 1:
		return "over " + edge(gapBins-2)
	}
	return edge(b-1) + " to " + edge(b)
}

func bunchRange(b int) string {
	switch b {
	case bunchBins - 1:
		return "over 20"
	case bunchBins - 2:
		return "11 to 20"
	}
	return fmt.Sprint(b + 1)
}

func dirIndex(dir int8) int {
	if dir > 0 {
		return 0
	}
	return 1
}

// describe appends the features of a window to out; p[0] is the packet before the window.
func (w *windows) describe(out []float32, p []Packet) []float32 {
	b := &w.buf
	b.gaps, b.rounded = b.gaps[:0], b.rounded[:0]
	for i := 1; i < len(p); i++ {
		ns := max(p[i].TsNs-p[i-1].TsNs, 1)
		b.gaps, b.rounded = append(b.gaps, float32(math.Log10(float64(ns)/1e9))), append(b.rounded, ns/1000)
	}
	for _, x := range p[1:] {
		out = append(out, float32(x.Dir)*float32(x.Length))
	}
	out = append(out, b.gaps...)
	for turn := range turnNames {
		out = w.turn(out, p, turn)
	}
	out = w.lengths(out, p[1:])
	out = bunches(out, p[1:])
	var bytes [2]float32
	for _, x := range p[1:] {
		bytes[dirIndex(x.Dir)] += float32(x.Length)
	}
	out = append(out, bytes[0], bytes[1])
	out = append(out, float32(math.Log10(float64(max(p[len(p)-1].TsNs-p[0].TsNs, 1))/1e9)))
	slices.Sort(b.rounded)
	twice := 0
	for i := 1; i < len(b.rounded); i++ {
		if b.rounded[i] == b.rounded[i-1] && b.rounded[i] > 0 {
			twice++
		}
	}
	return append(out, float32(twice))
}

// turn appends the features of the intervals between consecutive packets of two given directions.
func (w *windows) turn(out []float32, p []Packet, turn int) []float32 {
	b := &w.buf
	b.sorted = b.sorted[:0]
	at := len(out) + 1 + len(levels)
	out = append(out, make([]float32, 1+len(levels)+gapBins)...)
	for i, g := range b.gaps {
		if 2*dirIndex(p[i].Dir)+dirIndex(p[i+1].Dir) != turn {
			continue
		}
		b.sorted = append(b.sorted, g)
		bin := int(math.Floor((float64(g)+6)*gapFineness)) + 1
		out[at+min(max(bin, 0), gapBins-1)]++
	}
	out[at-1-len(levels)] = float32(len(b.sorted))
	quantiles(out[at-len(levels):at], b.sorted)
	return out
}

// quantiles writes the levels' quantiles of v, which it sorts.
func quantiles(out, v []float32) {
	slices.Sort(v)
	for i, q := range levels {
		out[i] = absent
		if len(v) > 0 {
			out[i] = v[int(q*float64(len(v)-1)+0.5)]
		}
	}
}

func (w *windows) lengths(out []float32, p []Packet) []float32 {
	b := &w.buf
	b.lengths[0], b.lengths[1] = b.lengths[0][:0], b.lengths[1][:0]
	at := len(out) + 2*len(levels)
	out = append(out, make([]float32, 2*len(levels)+len(w.known)+1)...)
	for _, x := range p {
		d := dirIndex(x.Dir)
		b.lengths[d] = append(b.lengths[d], float32(x.Length))
		k, ok := w.known[[2]int32{int32(x.Dir), x.Length}]
		if !ok {
			k = len(w.known)
		}
		out[at+k]++
	}
	quantiles(out[at-2*len(levels):at-len(levels)], b.lengths[0])
	quantiles(out[at-len(levels):at], b.lengths[1])
	return out
}

// bunches counts the runs of packets in one direction by length.
func bunches(out []float32, p []Packet) []float32 {
	at := len(out)
	out = append(out, make([]float32, 2*bunchBins)...)
	for i := 0; i < len(p); {
		n := 1
		for i+n < len(p) && p[i+n].Dir == p[i].Dir {
			n++
		}
		bin := n - 1
		switch {
		case n > 20:
			bin = bunchBins - 1
		case n > 10:
			bin = bunchBins - 2
		}
		out[at+dirIndex(p[i].Dir)*bunchBins+bin]++
		i += n
	}
	return out
}
