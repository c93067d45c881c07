package reproduce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"glasshouse/classifier/model"
	"glasshouse/classifier/neural"
	"glasshouse/classifier/score"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/devices/catalogue"
	"glasshouse/devices/strictyaml"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/realdata"
)

// RealDataOptions say which real homes a model of virtual ones watches. They are kept with the results: a directory holds one
// experiment.
type RealDataOptions struct {
	Seed   uint64   `json:"seed"`
	Seeds  int      `json:"seeds"` // models of each kind
	Kinds  []string `json:"models"`
	Learn  int      `json:"learn_homes"`  // virtual ones of each real home and path
	Unseen int      `json:"unseen_homes"` // likewise
	Short  int      `json:"short"`        // virtual homes last one in so many of what they should
	Epochs int      `json:"epochs"`       // of neural models
	Blocks int      `json:"blocks"`       // in which a real home is cut, for intervals

	Homes   []*realdata.Home  `json:"-"`
	Out     string            `json:"-"`
	Workers int               `json:"-"`
	Tell    func(line string) `json:"-"` // progress
	Now     func() time.Time  `json:"-"`
}

// RealCell is a kind of model at one real home on one path.
type RealCell struct {
	Home    string        `json:"home"`
	Path    string        `json:"path"`
	Model   string        `json:"model"`
	Learned int           `json:"learned_packets"`
	Virtual *score.Pooled `json:"virtual"` // learned from virtual homes, watches others
	Real    *score.Pooled `json:"real"`    // and the real one
	Loss    *score.Loss   `json:"loss"`    // virtual less real
	// Of the real home's second half: what the same models make of it, and models that have learned from its first half.
	Second *score.Pooled `json:"real_second_half"`
	Taught *score.Pooled `json:"taught_by_first_half"`
	Gap    *score.Loss   `json:"gap"` // taught less second: what real packets teach beyond virtual ones
}

// RealHome is what a real home is like, and how it differs from virtual ones.
type RealHome struct {
	Home    string     `json:"home"`
	About   string     `json:"about"`
	Path    string     `json:"path"`
	Packets int64      `json:"packets"`
	Hours   float64    `json:"hours"`
	Cut     bool       `json:"payloads_cut"` // virtual homes are then seen without what payloads show, too
	Apart   []Giveaway `json:"apart"`
}

// RealData is the experiment's result.
type RealData struct {
	Options  RealDataOptions `json:"options"`
	Profiles string          `json:"profiles_digest"`
	Homes    []RealHome      `json:"homes"`
	Cells    []RealCell      `json:"cells"`
	WallS    float64         `json:"wall_s"` // of this call
}

const fileRealData = "realdata.json"

// RunRealData runs the experiment, or what is left of it. Captures that are not there are a *realdata.MissingError.
func RunRealData(ctx context.Context, o RealDataOptions) (*RealData, error) {
	began := o.Now()
	if err := realdata.Check(o.Homes...); err != nil {
		return nil, err
	}
	r := &RealData{Options: o}
	var err error
	if r.Profiles, err = catalogue.Digest(); err != nil {
		return nil, err
	}
	if err := o.claim(r.Profiles); err != nil {
		return nil, err
	}
	for _, h := range o.Homes {
		for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
			home, cells, err := o.watch(ctx, h, path)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", h.Name, path, err)
			}
			r.Homes, r.Cells = append(r.Homes, *home), append(r.Cells, cells...)
		}
	}
	r.WallS = o.Now().Sub(began).Seconds()
	return r, writeJSON(filepath.Join(o.Out, fileRealData), r)
}

// claim takes the directory.
func (o *RealDataOptions) claim(profiles string) error {
	sources := make([]string, len(o.Homes))
	for i, h := range o.Homes {
		sources[i] = h.Source
		for _, c := range h.Captures {
			about, err := os.Stat(c.File)
			if err != nil {
				return err
			}
			sources[i] += fmt.Sprintf("\n%s %d %s %x", c.File, about.Size(), about.ModTime().UTC(), c.Profile.Digest())
		}
	}
	return claimDir(o.Out, struct {
		*RealDataOptions
		Profiles string   `json:"profiles_digest"`
		Homes    []string `json:"homes"`
	}{o, profiles, sources})
}

// realSets are a home's captures as data sets, and virtual homes with the same devices.
type realSets struct {
	whole, first, second *dataset.Dataset
	learn, unseen        *dataset.Dataset
	cut                  bool
}

// watch runs all models at one home on one path.
func (o *RealDataOptions) watch(ctx context.Context, h *realdata.Home, path scenarios.Path) (*RealHome, []RealCell, error) {
	dir := filepath.Join(o.Out, h.Name+"-"+string(path))
	about, cells := &RealHome{}, make([]RealCell, len(o.Kinds))
	open := readJSON(filepath.Join(dir, "home.json"), about) != nil
	for i, kind := range o.Kinds {
		cells[i] = RealCell{Home: h.Name, Path: string(path), Model: kind}
		open = readJSON(filepath.Join(dir, kind+".json"), &cells[i]) != nil || open
	}
	if !open {
		return about, cells, nil
	}
	s, err := o.sets(ctx, h, path, dir)
	if err != nil {
		return nil, nil, err
	}
	*about = RealHome{
		Home: h.Name, About: h.About, Path: string(path), Packets: s.whole.Manifest.Counts.WAN, Hours: float64(s.whole.Manifest.DurationNs) / 3600e9, Cut: s.cut,
	}
	if about.Apart, err = giveaways(h, s); err != nil {
		return nil, nil, err
	}
	for i, kind := range o.Kinds {
		if cells[i].Real != nil {
			continue
		}
		if err := o.judge(ctx, &cells[i], s); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", kind, err)
		}
		if err := writeJSON(filepath.Join(dir, kind+".json"), cells[i]); err != nil {
			return nil, nil, err
		}
	}
	return about, cells, writeJSON(filepath.Join(dir, "home.json"), about)
}

// sets makes the data sets of a home; what is there is left alone.
func (o *RealDataOptions) sets(ctx context.Context, h *realdata.Home, path scenarios.Path, dir string) (*realSets, error) {
	s := &realSets{}
	for part, set := range []**dataset.Dataset{realdata.PartAll: &s.whole, realdata.PartFirst: &s.first, realdata.PartSecond: &s.second} {
		at := filepath.Join(dir, "real-"+strconv.Itoa(part))
		d, err := dataset.Open(at)
		if err != nil || d.Manifest.State != dataset.StateComplete {
			if err := os.RemoveAll(at); err != nil { // of a call that was stopped
				return nil, err
			}
			r, err := realdata.Import(ctx, realdata.ImportOptions{Home: h, Path: path, Part: part, Out: at})
			if err != nil {
				return nil, err
			}
			o.Tell(fmt.Sprintf("%s, %s: %d real packets of %.1f hours", h.Name, path, r.Packets, r.Hours))
			if d, err = dataset.Open(at); err != nil {
				return nil, err
			}
		}
		*set = d
	}
	s.cut = path == scenarios.PathNAPT && s.whole.Manifest.Homes[0].Varied["payloads_cut"] == true
	sc, err := likeness(h, path)
	if err != nil {
		return nil, err
	}
	for _, v := range []struct {
		name string
		seed uint64
		n    int
		set  **dataset.Dataset
	}{{"learn", o.Seed, o.Learn, &s.learn}, {"unseen", o.Seed + unseenSeed, o.Unseen, &s.unseen}} {
		at := filepath.Join(dir, v.name)
		if _, err := generate.Homes(ctx, generate.Options{
			Scenario: sc, Seed: v.seed, Homes: v.n, Duration: h.Virtual.Duration / time.Duration(o.Short), Workers: o.Workers, Shard: 1, Of: 1, Out: at,
			Captures: dataset.CapturesNone,
		}); err != nil {
			return nil, err
		}
		d, err := dataset.Open(at)
		if err != nil {
			return nil, err
		}
		*v.set = d
	}
	if s.cut { // nobody sees payloads: neither there nor here
		for _, set := range []**dataset.Dataset{&s.whole, &s.first, &s.second, &s.learn, &s.unseen} {
			*set = (*set).Relabel(func() func(*dataset.Row) { return func(r *dataset.Row) { r.AppProto = dataset.AppNone } })
		}
	}
	return s, score.CheckApart([]*dataset.Dataset{s.learn}, []*dataset.Dataset{s.unseen, s.whole, s.second})
}

// likeness is a scenario with the devices of a home, on lines as of the built-in homes: nothing of it is taken from the captures.
func likeness(h *realdata.Home, path scenarios.Path) (*scenarios.Scenario, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "name: like-%s\nabout: The devices of a real home.\npath: %s\nduration: %s\nwarm_up: 0s\ndevices:\n", h.Name, path, h.Virtual.Duration)
	units := make(map[string]int)
	var order []string
	for _, c := range h.Captures {
		d := c.Device
		if strictyaml.IsFile(d) {
			var err error
			if d, err = filepath.Abs(d); err != nil {
				return nil, err
			}
		}
		if units[d]++; units[d] == 1 {
			order = append(order, d)
		}
	}
	for _, d := range order {
		fmt.Fprintf(&b, "  - {device: %s, units: %d}\n", strconv.Quote(d), units[d])
	}
	fmt.Fprintf(&b, `household: {density: %s}
wan:
  up_rate: [10mbit, 50mbit]
  down_rate: [50mbit, 250mbit]
  delay: [4ms, 15ms]
  jitter: [200us, 2ms]
  loss: [0, 0.05]
  queue: [125kB, 500kB]
  grant: [1ms, 2ms]
  unsolicited_per_hour: 0
wifi: {delay: 1ms, jitter: 2ms, loss: 0.01, power_save: true}
`, strconv.FormatFloat(h.Virtual.Density, 'f', -1, 64))
	return scenarios.Parse("like-"+h.Name+".yaml", []byte(b.String()))
}

// judge trains models of a kind and scores them.
func (o *RealDataOptions) judge(ctx context.Context, c *RealCell, s *realSets) error {
	train := func(set *dataset.Dataset, seed int) (model.Model, error) {
		sets := []*dataset.Dataset{set}
		return train.Train(ctx, sets, train.Options{
			Kind: c.Model, Classes: model.ClassDevice, Seed: o.Seed + uint64(seed), Forest: tree.ForestOptions{Workers: o.Workers},
			Boost: tree.BoostOptions{Workers: o.Workers}, Neural: neural.Options{Workers: o.Workers, Epochs: Epochs(o.Epochs, sets)},
		})
	}
	block := func(d *dataset.Dataset) time.Duration {
		return time.Duration((d.Manifest.DurationNs + int64(o.Blocks) - 1) / int64(o.Blocks))
	}
	var virtual, real, second, taught []*score.Score
	for seed := range o.Seeds {
		m, err := train(s.learn, seed)
		if err != nil {
			return err
		}
		c.Learned = m.Meta().Packets
		v, err := score.Evaluate(m, []*dataset.Dataset{s.unseen}, nil)
		if err != nil {
			return err
		}
		r, err := score.EvaluateBlocks(m, s.whole, block(s.whole))
		if err != nil {
			return err
		}
		z, err := score.EvaluateBlocks(m, s.second, block(s.second))
		if err != nil {
			return err
		}
		if m, err = train(s.first, seed); err != nil {
			return err
		}
		t, err := score.EvaluateBlocks(m, s.second, block(s.second))
		if err != nil {
			return err
		}
		virtual, real, second, taught = append(virtual, v), append(real, r), append(second, z), append(taught, t)
		o.Tell(fmt.Sprintf("%s, %s, %s, seed %d: right %.1f %% of virtual packets, %.1f %% of real ones; taught by real ones %.1f %%",
			c.Home, c.Path, c.Model, o.Seed+uint64(seed), 100*v.Accuracy, 100*r.Accuracy, 100*t.Accuracy))
	}
	var errs [6]error
	c.Virtual, errs[0] = score.Pool(virtual)
	c.Real, errs[1] = score.Pool(real)
	c.Second, errs[2] = score.Pool(second)
	c.Taught, errs[3] = score.Pool(taught)
	c.Loss, errs[4] = score.LossOf(virtual, real, false)
	c.Gap, errs[5] = score.LossOf(taught, second, true)
	return errors.Join(errs[:]...)
}

// claimDir takes a directory for an experiment that is as want says, or finds the same one in it.
func claimDir(dir string, want any) error {
	path := filepath.Join(dir, fileOptions)
	b, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		return err
	}
	got, err := os.ReadFile(path)
	switch {
	case err == nil && string(got) == string(b):
		return nil
	case err == nil:
		return fmt.Errorf("%s: %w (see its %s); a new or empty directory is needed", dir, ErrOther, fileOptions)
	}
	if err := dataset.CheckEmpty(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
