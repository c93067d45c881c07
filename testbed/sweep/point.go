package sweep

import (
	"strings"

	"glasshouse/scenarios"
)

// Setting is all that can be varied, at one point. What is nil is as the scenario has it: drawn for each home.
type Setting struct {
	Devices   int            `json:"devices"`
	Phones    int            `json:"phones"`
	Intensity float64        `json:"intensity"`
	Loss      *float64       `json:"loss_percent"`
	DelayMs   *float64       `json:"delay_ms"`
	Path      scenarios.Path `json:"path"`

	intensity   Value
	loss, delay *Value
}

// point is a point of the grid.
type point struct {
	values  []Value // one of each axis
	setting Setting
}

// points lists the grid: the last axis changes first.
func points(axes []Axis, base Setting) []point {
	n := 1
	for _, a := range axes {
		n *= len(a.Values)
	}
	out := make([]point, n)
	for i := range out {
		p := point{values: make([]Value, len(axes)), setting: base}
		rest := i
		for k := len(axes) - 1; k >= 0; k-- {
			v := axes[k].Values
			p.values[k] = v[rest%len(v)]
			rest /= len(v)
			p.setting.set(&axes[k], p.values[k])
		}
		out[i] = p
	}
	return out
}

// set changes what an axis varies.
func (s *Setting) set(a *Axis, v Value) {
	switch a.Name {
	case AxisDevices:
		s.Devices = int(v)
	case AxisPhones:
		s.Phones = int(v)
	case AxisIntensity:
		s.Intensity, s.intensity = a.number(v), v
	case AxisLoss:
		f := a.number(v)
		s.Loss, s.loss = &f, &v
	case AxisDelay:
		f := a.number(v)
		s.DelayMs, s.delay = &f, &v
	case AxisPath:
		s.Path = pathOf(v)
	}
}

// name tells the points of a sweep apart, as in "devices=5 loss=0.1%".
func (p *point) name(axes []Axis) string {
	var parts []string
	for k := range axes {
		parts = append(parts, axes[k].Name+"="+axes[k].Text(p.values[k])+axes[k].Unit)
	}
	return strings.Join(parts, " ")
}
