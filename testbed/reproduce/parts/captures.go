package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"glasshouse/devices/learn"
	"glasshouse/testbed/calibration"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/frames/station"
	"glasshouse/testbed/realdata"
	"glasshouse/testbed/reproduce"
	"glasshouse/testbed/reproduce/results"
)

// Processor seconds of the parts that need captures; they depend on these, so the estimates are of the built-in lists.
const (
	realCost    = 500.0
	compareCost = 120.0
)

// needCaptures says how to get what is missing.
const needCaptures = "Captures of real devices are needed, which others have published and which are no part of this repository: " +
	"`--captures DIR` names a directory with them. " +
	"`glasshouse reproduce realdata DIR -o OUT` lists the files that are expected in it and where each can be had."

// lists loads built-in lists of captures; a *results.MissingError where these are not there.
func (e *Env) lists(names ...string) ([]*realdata.Home, error) {
	if e.Captures == "" {
		return nil, &results.MissingError{Reason: needCaptures}
	}
	var out []*realdata.Home
	for _, name := range names {
		h, err := realdata.Load(name, e.Captures)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	if missing, ok := errors.AsType[*realdata.MissingError](realdata.Check(out...)); ok {
		return nil, &results.MissingError{Reason: strings.ReplaceAll(missing.Error(), "\n ", "\n-")}
	}
	return out, nil
}

// captureFiles says which captures there are, by name, size and time: results of others are not of these.
func (e *Env) captureFiles(names ...string) []string {
	var out []string
	for _, name := range names {
		h, err := realdata.Load(name, e.Captures)
		if e.Captures == "" || err != nil { // the part's run tells
			return nil
		}
		for _, c := range h.Captures {
			if st, err := os.Stat(c.File); err == nil {
				out = append(out, fmt.Sprintf("%s %d %s", filepath.Base(c.File), st.Size(), st.ModTime().UTC().Format(time.RFC3339)))
			}
		}
	}
	return out
}

func realData(e *Env) spec {
	o := reproduce.RealDataOptions{
		Seed: e.Seed, Seeds: e.Seeds, Kinds: []string{"forest", "tcn"}, Learn: e.train(), Unseen: max(2, e.Homes/3), Short: 1,
		Epochs: e.Epochs, Blocks: 20,
		Workers: e.Workers, Tell: e.Tell, Now: e.Now,
	}
	if e.Duration < time.Hour {
		o.Short = int(time.Hour / e.Duration)
	}
	s := spec{
		name: "realdata", title: "Models of virtual homes on real devices",
		options: struct {
			*reproduce.RealDataOptions
			Captures []string `json:"captures"`
		}{&o, e.captureFiles(realdata.Library()...)},
		measures: fmt.Sprintf("Models trained on %s with the same devices label packets of captures of real devices. These were taken on "+
			"LANs and are transformed into what a WAN observer would "+
			"have seen; none was captured behind a tunnel. Each real home is one home: intervals of its figures are over %d blocks of time.",
			plural(o.Learn, "virtual home"), o.Blocks),
		run: func(ctx context.Context, e *Env, dir string) (*results.Content, error) {
			o := o
			var err error
			if o.Homes, err = e.lists(realdata.Library()...); err != nil {
				return nil, err
			}
			o.Out = dir
			r, err := reproduce.RunRealData(ctx, o)
			if err != nil {
				return nil, err
			}
			return realContent(r), nil
		},
	}
	if e.Captures != "" {
		s.cpu = realCost * float64(e.Seeds) / float64(o.Short)
	}
	return s
}

func realContent(r *reproduce.RealData) *results.Content {
	t := results.Table{
		Title:   "Macro-F1, %, and accuracy, %: on unseen virtual homes, and on the real one.",
		Columns: []string{"home", "path", "model", "macro-F1, virtual", "real", "loss, points", "accuracy, real", "packet-length baseline, real"},
	}
	second := results.Table{
		Title:   "Macro-F1, %, on the second half of the real packets: trained on virtual homes, and on the first half of the real packets.",
		Columns: []string{"home", "path", "model", "trained on virtual homes", "on the first half", "gap, points"},
	}
	for _, c := range r.Cells {
		t.Rows = append(t.Rows, []string{
			c.Home, c.Path, c.Model, percent(c.Virtual.MacroF1), percent(c.Real.MacroF1), points(c.Loss.MacroF1), percent(c.Real.Accuracy),
			fmt.Sprintf("%.1f", 100*c.Real.LookUp.Accuracy),
		})
		second.Rows = append(second.Rows, []string{
			c.Home, c.Path, c.Model, percent(c.Second.MacroF1), percent(c.Taught.MacroF1),
			points(c.Gap.MacroF1),
		})
	}
	apart := results.Table{
		Title: "How the real packets differ from the virtual ones.",
		Columns: []string{
			"home", "path", "device", "packets/h, real", "virtual", "up, %, real", "virtual", "lengths never seen of it, %",
			"lengths more often another's, %",
		},
	}
	var notes []string
	for _, h := range r.Homes {
		for _, g := range h.Apart {
			apart.Rows = append(apart.Rows, []string{
				h.Home, h.Path, g.Device, fmt.Sprintf("%.0f", g.PerHour[0]), fmt.Sprintf("%.0f", g.PerHour[1]), fmt.Sprintf("%.0f", 100*g.Up[0]),
				fmt.Sprintf("%.0f", 100*g.Up[1]),
				fmt.Sprintf("%.1f", 100*g.Strange), fmt.Sprintf("%.1f", 100*g.Others),
			})
		}
		if h.Path == "napt" {
			notes = append(notes, fmt.Sprintf("%s: %s", h.Home, h.About))
		}
	}
	notes = append(notes, "The catalogue's profiles were made from these captures, or from facts about them, so other devices would lose "+
		"more.")
	return &results.Content{Tables: []results.Table{t, second, apart}, Notes: notes, Data: r}
}

// compared are the captures that profiles are learned from and compared with: of the list "locks", the first unit of each device, and
// how much of it is learned from (of the camera little was captured later).
var compared = []struct {
	device string
	until  time.Duration
}{{"lockly-hub", 60 * time.Hour}, {"sifely-gateway", 60 * time.Hour}, {"blink-camera", 48 * time.Hour}}

func comparison(e *Env) spec {
	trees := 100
	s := spec{
		name: "devices", title: "Emulated devices and captures of real ones",
		options: struct {
			Trees    int      `json:"trees"`
			Captures []string `json:"captures"`
		}{trees, e.captureFiles("locks")},
		measures: "A profile is learned from the first part of a capture (`glasshouse devices learn --until`); a forest then tells its " +
			"emulation from the rest of the capture (`glasshouse devices compare --from`), on blocks " +
			"that it was not trained on. An AUC of 0.5 means that it cannot, 1 that it always can. The floor is the same test of the capture's " +
			"first part against its rest.",
		run: func(ctx context.Context, e *Env, dir string) (*results.Content, error) {
			list, err := e.lists("locks")
			if err != nil {
				return nil, err
			}
			return e.compareDevices(ctx, dir, list[0], trees)
		},
	}
	if e.Captures != "" {
		s.cpu = compareCost * float64(len(compared))
	}
	return s
}

func (e *Env) compareDevices(ctx context.Context, dir string, list *realdata.Home, trees int) (*results.Content, error) {
	var all []*calibration.Comparison
	t := results.Table{}
	for _, x := range compared {
		for _, c := range list.Captures {
			if c.Device != x.device {
				continue
			}
			r, err := e.compareDevice(ctx, dir, c, x.until, trees)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", x.device, err)
			}
			if all = append(all, r); len(t.Columns) == 0 {
				t.Columns = []string{"device", "learned from", "packets/h, capture", "emulation"}
				for _, test := range r.Tests {
					t.Columns = append(t.Columns, fmt.Sprintf("AUC of %s (95 %%; floor)", strings.TrimSpace(test.Name)))
				}
			}
			row := []string{x.device, fmt.Sprintf("%.0f h", x.until.Hours()), fmt.Sprintf("%.1f", r.PerHour[0]), fmt.Sprintf("%.1f", r.PerHour[1])}
			for _, test := range r.Tests {
				row = append(row, comparedCell(&test))
			}
			t.Rows = append(t.Rows, row)
			e.Tell(x.device + " is compared")
			break
		}
	}
	return &results.Content{Tables: []results.Table{t}, Data: all}, nil
}

func (e *Env) compareDevice(ctx context.Context, dir string, c realdata.Capture, until time.Duration,
	trees int,
) (*calibration.Comparison, error) {
	trace, err := station.Trace(c.File, frames.Station{MAC: c.MAC, Addr: c.Addr})
	if err != nil {
		return nil, err
	}
	first, end := trace.Packets[0].At, trace.Packets[len(trace.Packets)-1].At+1
	early, late := trace.Part(first, first+int64(until)), trace.Part(first+int64(until), end)
	learned, err := learn.Learn(early, learn.Options{Device: c.Device, Category: "sensor", Source: filepath.Base(c.File)})
	if err != nil {
		return nil, err
	}
	profile := filepath.Join(dir, c.Device+".yaml")
	if err := os.WriteFile(profile, learned.YAML, 0o644); err != nil {
		return nil, err
	}
	r, err := calibration.Compare(ctx, calibration.Options{
		Profile: profile, Trace: late, Earlier: early, Seed: e.Seed, Density: 1,
		Trees: trees, Workers: e.Workers,
	})
	if err != nil {
		return nil, err
	}
	r.Profile = c.Device // not where it happened to be written
	return r, nil
}

func comparedCell(t *calibration.Test) string {
	if t.Result == nil {
		return "too few"
	}
	floor := ""
	if t.Floor != nil {
		floor = fmt.Sprintf("; %.2f", t.Floor.AUC)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f%s)", t.Result.AUC, t.Result.Low, t.Result.High, floor)
}
