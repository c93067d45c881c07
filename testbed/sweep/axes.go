package sweep

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"glasshouse/scenarios"
)

// Axes: what can be varied.
const (
	AxisDevices   = "devices"   // IoT devices in a home, the targets among them
	AxisPhones    = "phones"    // phones and tablets in a home
	AxisIntensity = "intensity" // factor on how often people use phones and tablets
	AxisLoss      = "loss"      // percent of packets, each way
	AxisDelay     = "delay"     // of the home's internet connection, one way
	AxisPath      = "path"      // napt or vpn
)

// AxisNames lists them.
func AxisNames() []string {
	return []string{AxisDevices, AxisPhones, AxisIntensity, AxisLoss, AxisDelay, AxisPath}
}

// Axis is one thing that is varied, and its values in the order in which they were asked for.
type Axis struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"` // of the values; "" = they are counts, factors or names
	Values []Value `json:"values"`
}

// Value is a value of an axis, in whole steps of the axis: 1 for counts, a millionth for factors, a millionth (so, parts per
// million) for loss, a nanosecond for delays; of paths, 0 is NAPT and 1 the VPN.
type Value int64

// kind says how an axis is read and written.
type kind struct {
	unit    string
	lo, hi  Value
	allowed string // in words, with an example
	read    func(string) (Value, bool)
	write   func(Value) string
	even    int  // values of a range without a step; 0 = there are no ranges
	whole   bool // counts: a short range has all of them
	doubles bool // a range without a step goes in doublings
}

const (
	micro     = 1_000_000
	allCounts = 9    // a range of so many counts has them all
	maxValues = 1000 // of an axis
	maxPoints = 2000 // of a grid
)

func kinds() map[string]kind {
	return map[string]kind{
		AxisDevices: {
			lo: 1, hi: 100, allowed: "whole numbers from 1 to 100, as in devices=1..30, devices=1..30,5 or devices=1,10,30",
			read: readCount, write: writeCount, even: 7, whole: true,
		},
		AxisPhones: {
			lo: 0, hi: 50, allowed: "whole numbers from 0 to 50, as in phones=0..8, phones=0..8,4 or phones=0,2",
			read: readCount, write: writeCount, even: 7, whole: true,
		},
		AxisIntensity: {
			lo: 10_000, hi: 100 * micro, allowed: "factors from 0.01 to 100, as in intensity=0.25..4 (in doublings), or intensity=0.5,1,2",
			read: func(s string) (Value, bool) { return readDecimal(strings.TrimLeft(s, "x×"), micro) }, write: func(v Value) string { return writeDecimal(v, micro) }, even: 5, doubles: true,
		},
		AxisLoss: {
			unit: "%", lo: 0, hi: 50 * micro / 100, allowed: "percentages from 0 to 50, as in loss=0..4, loss=0..4,0.5 or loss=0,0.1,1",
			read: func(s string) (Value, bool) { return readDecimal(strings.TrimSuffix(s, "%"), micro/100) }, write: func(v Value) string { return writeDecimal(v, micro/100) }, even: 5,
		},
		AxisDelay: {
			unit: "ms", lo: 0, hi: Value(5 * time.Second), allowed: "durations from 0 to 5s, as in delay=5ms..200ms, delay=0..100ms,20ms or delay=10ms,50ms",
			read: readDelay, write: func(v Value) string { return writeDecimal(v, Value(time.Millisecond)) }, even: 5,
		},
		AxisPath: {
			lo: 0, hi: 1, allowed: "napt and vpn (or wireguard), as in path=napt,vpn",
			read: readPath, write: func(v Value) string { return string(pathOf(v)) },
		},
	}
}

// Text writes a value as it is shown: a number in the axis' unit, or a name.
func (a *Axis) Text(v Value) string { return kinds()[a.Name].write(v) }

// List writes all values, with their unit.
func (a *Axis) List() string {
	var out []string
	for _, v := range a.Values {
		out = append(out, a.Text(v))
	}
	return strings.TrimSpace(strings.Join(out, ", ") + " " + a.Unit)
}

// ParseAxis reads NAME=A..B, NAME=A..B,STEP (or A..B/STEP) or NAME=A,B,C. Errors say what is allowed.
func ParseAxis(s string) (Axis, error) {
	name, list, ok := strings.Cut(s, "=")
	name = strings.TrimSpace(name)
	k, known := kinds()[name]
	switch {
	case !known:
		return Axis{}, fmt.Errorf("%q cannot be varied; there are %s, as in devices=1..30", name, strings.Join(AxisNames(), ", "))
	case !ok || strings.TrimSpace(list) == "":
		return Axis{}, fmt.Errorf("%s without values (allowed: %s)", name, k.allowed)
	}
	v, err := k.values(list)
	if err != nil {
		return Axis{}, fmt.Errorf("%s: %w (allowed: %s)", s, err, k.allowed)
	}
	return Axis{Name: name, Unit: k.unit, Values: v}, nil
}

func (k *kind) values(list string) ([]Value, error) {
	from, rest, isRange := strings.Cut(list, "..")
	if !isRange {
		var out []Value
		for s := range strings.SplitSeq(list, ",") {
			v, err := k.value(s)
			switch {
			case err != nil:
				return nil, err
			case slices.Contains(out, v):
				return nil, fmt.Errorf("%s is there twice", strings.TrimSpace(s))
			}
			out = append(out, v)
		}
		return checked(out)
	}
	if k.even == 0 {
		return nil, errors.New("there is no range of names")
	}
	to, step, stepped := strings.Cut(rest, ",")
	if !stepped {
		to, step, stepped = strings.Cut(rest, "/")
	}
	a, err := k.value(from)
	if err != nil {
		return nil, err
	}
	b, err := k.value(to)
	switch {
	case err != nil:
		return nil, err
	case a > b:
		return nil, fmt.Errorf("the range ends before it begins")
	case !stepped:
		return k.spread(a, b), nil
	}
	d, ok := k.read(strings.TrimSpace(step))
	if !ok || d <= 0 {
		return nil, fmt.Errorf("%q is not a step above 0", strings.TrimSpace(step))
	}
	if (b-a)/d >= maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	var out []Value
	for v := a; v <= b; v += d {
		out = append(out, v)
	}
	return out, nil
}

func checked(v []Value) ([]Value, error) {
	if len(v) > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	return v, nil
}

func (k *kind) value(s string) (Value, error) {
	s = strings.TrimSpace(s)
	v, ok := k.read(s)
	switch {
	case !ok:
		return 0, fmt.Errorf("%q is none of its values", s)
	case v < k.lo || v > k.hi:
		return 0, fmt.Errorf("%s is out of range", s)
	}
	return v, nil
}

// spread gives the values of a range for which no step was given: both ends, and some between them.
func (k *kind) spread(a, b Value) []Value {
	if k.whole && b-a < allCounts {
		var out []Value
		for v := a; v <= b; v++ {
			out = append(out, v)
		}
		return out
	}
	var out []Value
	add := func(v Value) {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	if k.doubles {
		for v := a; v < b; v *= 2 {
			add(v)
		}
		add(b)
		return out
	}
	steps := Value(k.even - 1)
	for i := range steps + 1 {
		add(a + ((b-a)*i+steps/2)/steps)
	}
	return out
}

func readCount(s string) (Value, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return Value(n), err == nil
}

func writeCount(v Value) string { return strconv.FormatInt(int64(v), 10) }

// readDecimal reads a decimal number of which one has so many steps; it must be a whole number of steps.
func readDecimal(s string, one Value) (Value, bool) {
	whole, part, _ := strings.Cut(s, ".")
	if whole == "" && part == "" || len(whole) > 9 {
		return 0, false
	}
	var v Value
	for _, c := range whole {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + Value(c-'0')
	}
	v *= one
	for _, c := range strings.TrimRight(part, "0") {
		if c < '0' || c > '9' || one%10 != 0 {
			return 0, false
		}
		one /= 10
		v += one * Value(c-'0')
	}
	return v, true
}

func writeDecimal(v, one Value) string {
	return strconv.FormatFloat(float64(v)/float64(one), 'f', -1, 64)
}

func readDelay(s string) (Value, bool) {
	if s == "0" {
		return 0, true
	}
	d, err := scenarios.ParseDuration(s)
	return Value(d), err == nil && d >= 0
}

func readPath(s string) (Value, bool) {
	switch s {
	case string(scenarios.PathNAPT):
		return 0, true
	case string(scenarios.PathVPN), "wireguard":
		return 1, true
	}
	return 0, false
}

func pathOf(v Value) scenarios.Path {
	if v == 0 {
		return scenarios.PathNAPT
	}
	return scenarios.PathVPN
}

// ParseAxes reads some axes, which span a grid.
func ParseAxes(vary []string) ([]Axis, error) {
	var axes []Axis
	points := 1
	for _, s := range vary {
		a, err := ParseAxis(s)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(axes, func(o Axis) bool { return o.Name == a.Name }) {
			return nil, fmt.Errorf("%s is varied twice: give all of its values at once", a.Name)
		}
		if points *= len(a.Values); points > maxPoints {
			return nil, fmt.Errorf("a grid of more than %d points: give steps, as in devices=1..30,10", maxPoints)
		}
		axes = append(axes, a)
	}
	if len(axes) == 0 {
		return nil, fmt.Errorf("nothing is varied; there are %s, as in devices=1..30", strings.Join(AxisNames(), ", "))
	}
	return axes, nil
}

// number is what a value is on a plot's axis, in its unit.
func (a *Axis) number(v Value) float64 {
	f, err := strconv.ParseFloat(a.Text(v), 64)
	if err != nil {
		return math.NaN()
	}
	return f
}
