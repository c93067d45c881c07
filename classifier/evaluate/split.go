package evaluate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"glasshouse/classifier/model"
	"glasshouse/classifier/score"
	"glasshouse/testbed/dataset"
)

// Splits into training and test data.
const (
	SplitHome   = "home"   // test on a third of the homes
	SplitTime   = "time"   // the same homes: train on the first third of the time, test on the last third
	SplitUnit   = "unit"   // the same homes: of devices with several units, train on the first unit and test on the others
	SplitPath   = "path"   // train on homes behind NAPT, test on other homes behind a VPN
	SplitWorld  = "world"  // train on virtual homes, test on other homes that ran live
	SplitDevice = "device" // test on a third of the homes; leave each class in turn out of the training homes
)

// Splits lists them.
func Splits() []string {
	return []string{SplitHome, SplitTime, SplitUnit, SplitPath, SplitWorld, SplitDevice}
}

// ErrSplit means that the datasets do not allow this split.
var ErrSplit = errors.New("cannot be split")

// Fold is a pair of training and test data.
type Fold struct {
	LeftOut     string // class that is left out of the training data; "" = none
	Train, Test []*dataset.Dataset
}

// homeKey identifies a home across paths and worlds: the same seed and number give the same home.
type homeKey struct {
	seed uint64
	home int
}

// SplitSets splits datasets. Homes are drawn from the seed. By home, path, world and device, no training home is a test home, nor is
// its twin on the other path or in the other world.
func SplitSets(sets []*dataset.Dataset, split, classes string, seed uint64) ([]Fold, error) {
	all := func(*dataset.Dataset) bool { return true }
	switch split {
	case SplitHome, SplitDevice:
		f, err := byHome(sets, all, all, seed)
		if err != nil || split == SplitHome {
			return []Fold{f}, err
		}
		return leaveOut(f, classes)
	case SplitPath:
		f, err := byHome(sets, func(d *dataset.Dataset) bool { return d.Manifest.Path == "napt" }, func(d *dataset.Dataset) bool { return d.Manifest.Path == "vpn" }, seed)
		return []Fold{f}, err
	case SplitWorld:
		f, err := byHome(sets, func(d *dataset.Dataset) bool { return d.Manifest.World == dataset.WorldVirtual }, func(d *dataset.Dataset) bool { return d.Manifest.World == dataset.WorldLive }, seed)
		return []Fold{f}, err
	case SplitTime:
		return []Fold{byTime(sets)}, nil
	case SplitUnit:
		f, err := byUnit(sets)
		return []Fold{f}, err
	}
	return nil, fmt.Errorf("invalid split %q; allowed: %v", split, Splits())
}

// byHome splits homes: those that fit both sides are shuffled, and a third of them are test homes.
func byHome(sets []*dataset.Dataset, trains, tests func(*dataset.Dataset) bool, seed uint64) (Fold, error) {
	can := make(map[homeKey][2]bool)
	var order []homeKey
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			k := homeKey{d.Manifest.Seed, h.Home}
			c, seen := can[k]
			if !seen {
				order = append(order, k)
			}
			can[k] = [2]bool{c[0] || trains(d), c[1] || tests(d)}
		}
	}
	var both []homeKey
	for _, k := range order {
		if c := can[k]; c[0] && c[1] {
			both = append(both, k)
		}
	}
	r := rand.New(rand.NewPCG(seed, 0x5011))
	r.Shuffle(len(both), func(i, j int) { both[i], both[j] = both[j], both[i] })
	test := make(map[homeKey]bool)
	for i, k := range both {
		test[k] = i < (len(both)+2)/3
	}
	for _, k := range order {
		if c := can[k]; !c[0] || !c[1] {
			test[k] = c[1]
		}
	}
	var f Fold
	for _, d := range sets {
		pick := func(want bool) func(dataset.HomeInfo) bool {
			return func(h dataset.HomeInfo) bool { return test[homeKey{d.Manifest.Seed, h.Home}] == want }
		}
		if trains(d) {
			f.Train = appendHomes(f.Train, d.Select(pick(false), nil))
		}
		if tests(d) {
			f.Test = appendHomes(f.Test, d.Select(pick(true), nil))
		}
	}
	if len(f.Train) == 0 || len(f.Test) == 0 {
		return f, fmt.Errorf("%w: it needs a training home and another test home", ErrSplit)
	}
	return f, nil
}

func appendHomes(sets []*dataset.Dataset, d *dataset.Dataset) []*dataset.Dataset {
	if len(d.Manifest.Homes) == 0 {
		return sets
	}
	return append(sets, d)
}

func byTime(sets []*dataset.Dataset) Fold {
	var f Fold
	for _, d := range sets {
		m := &d.Manifest
		window := func(from, to int64) *dataset.Dataset {
			return d.Select(nil, func() func(int, *dataset.Row) dataset.Use {
				return func(_ int, r *dataset.Row) dataset.Use {
					if t := r.TsNs - m.StartNs; t < from || t >= to {
						return dataset.UseDropped
					}
					return dataset.UseCounted
				}
			})
		}
		f.Train = append(f.Train, window(0, m.DurationNs/3))
		f.Test = append(f.Test, window(2*(m.DurationNs/3), m.DurationNs))
	}
	return f
}

func byUnit(sets []*dataset.Dataset) (Fold, error) {
	var f Fold
	found := false
	for _, d := range sets {
		units := make(map[int]map[string][]string) // home, device: units
		for _, h := range d.Manifest.Homes {
			units[h.Home] = make(map[string][]string)
			for _, u := range h.Devices {
				units[h.Home][u.Name] = append(units[h.Home][u.Name], u.Unit)
				found = found || len(units[h.Home][u.Name]) > 1
			}
		}
		side := func(first bool) *dataset.Dataset {
			return d.Select(nil, func() func(int, *dataset.Row) dataset.Use {
				return func(home int, r *dataset.Row) dataset.Use {
					u := units[home][r.Device]
					if i := slices.Index(u, r.Unit); len(u) < 2 || (i == 0) != first {
						return dataset.UsePassed
					}
					return dataset.UseCounted
				}
			})
		}
		f.Train, f.Test = append(f.Train, side(true)), append(f.Test, side(false))
	}
	if !found {
		return f, fmt.Errorf("%w: no home has two units of a device", ErrSplit)
	}
	return f, nil
}

// leaveOut makes a fold per class of the training homes, whose packets of the class are dropped; the test homes keep them.
func leaveOut(f Fold, classes string) ([]Fold, error) {
	meta, err := score.Describe(f.Train, classes)
	if err != nil {
		return nil, err
	}
	if len(meta.Classes) < 3 {
		return nil, fmt.Errorf("%w: %d classes; leaving one out requires at least 3", ErrSplit, len(meta.Classes))
	}
	var out []Fold
	for _, c := range meta.Classes {
		left := Fold{LeftOut: c, Test: f.Test}
		for _, d := range f.Train {
			left.Train = append(left.Train, d.Select(nil, func() func(int, *dataset.Row) dataset.Use {
				return func(_ int, r *dataset.Row) dataset.Use {
					if model.ClassOf(&r.Label, classes) == c {
						return dataset.UseDropped
					}
					return dataset.UseCounted
				}
			}))
		}
		out = append(out, left)
	}
	return out, nil
}

// Shuffled returns datasets with the labels of the scored packets permuted. A model trained on them can score above chance only through
// a leak.
func Shuffled(sets []*dataset.Dataset, seed uint64) ([]*dataset.Dataset, error) {
	var kinds []dataset.Label
	index := make(map[dataset.Label]uint16)
	var of []uint16
	ends := make([]int, 0, len(sets))
	for _, d := range sets {
		err := d.Rows(func(_ int, r *dataset.Row) error {
			if !model.IsScored(&d.Manifest, r) {
				return nil
			}
			l := dataset.Label{Device: r.Device, Class: r.Class, Category: r.Category}
			i, ok := index[l]
			if !ok {
				i = uint16(len(kinds))
				index[l] = i
				kinds = append(kinds, l)
			}
			of = append(of, i)
			return nil
		})
		if err != nil {
			return nil, err
		}
		ends = append(ends, len(of))
	}
	r := rand.New(rand.NewPCG(seed, 0x5402))
	r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	var out []*dataset.Dataset
	from := 0
	for i, d := range sets {
		mine := of[from:ends[i]]
		from = ends[i]
		out = append(out, d.Relabel(func() func(*dataset.Row) {
			next := 0
			return func(r *dataset.Row) {
				if model.IsScored(&d.Manifest, r) {
					l := kinds[mine[next]]
					next++
					r.Device, r.Class, r.Category = l.Device, l.Class, l.Category
				}
			}
		}))
	}
	return out, nil
}
