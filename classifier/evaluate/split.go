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

// Splits: what parts the packets that a model learns from from those that judge it.
const (
	SplitHome   = "home"   // a third of the homes judges
	SplitTime   = "time"   // the same homes: the first third of their time teaches, the last third judges
	SplitUnit   = "unit"   // the same homes: of devices that are there more than once, the first unit teaches, the others judge
	SplitPath   = "path"   // homes behind NAPT teach, others behind a VPN judge
	SplitWorld  = "world"  // virtual homes teach, others that were lived live judge
	SplitDevice = "device" // a third of the homes judges; each class in turn is left out of what teaches
)

// Splits lists them.
func Splits() []string {
	return []string{SplitHome, SplitTime, SplitUnit, SplitPath, SplitWorld, SplitDevice}
}

// ErrSplit means that data sets cannot be split so.
var ErrSplit = errors.New("cannot be split")

// Fold is one way to part data sets.
type Fold struct {
	LeftOut      string // class that is not learned; "" = none
	Learn, Judge []*dataset.Dataset
}

// homeKey is a home, however it reaches the internet and in whichever world: the same seed and number draw the same home.
type homeKey struct {
	seed uint64
	home int
}

// SplitSets parts data sets. Homes are drawn from the seed; by home, path, world and device, no home that teaches judges, not
// even its twin on the other path or in the other world.
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
	return nil, fmt.Errorf("split %q is not known; there are %v", split, Splits())
}

// byHome parts homes: those that could do both are shuffled, and a third of them judges.
func byHome(sets []*dataset.Dataset, teaches, judges func(*dataset.Dataset) bool, seed uint64) (Fold, error) {
	can := make(map[homeKey][2]bool)
	var order []homeKey
	for _, d := range sets {
		for _, h := range d.Manifest.Homes {
			k := homeKey{d.Manifest.Seed, h.Home}
			c, seen := can[k]
			if !seen {
				order = append(order, k)
			}
			can[k] = [2]bool{c[0] || teaches(d), c[1] || judges(d)}
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
	judge := make(map[homeKey]bool)
	for i, k := range both {
		judge[k] = i < (len(both)+2)/3
	}
	for _, k := range order {
		if c := can[k]; !c[0] || !c[1] {
			judge[k] = c[1]
		}
	}
	var f Fold
	for _, d := range sets {
		pick := func(want bool) func(dataset.HomeInfo) bool {
			return func(h dataset.HomeInfo) bool { return judge[homeKey{d.Manifest.Seed, h.Home}] == want }
		}
		if teaches(d) {
			f.Learn = appendHomes(f.Learn, d.Select(pick(false), nil))
		}
		if judges(d) {
			f.Judge = appendHomes(f.Judge, d.Select(pick(true), nil))
		}
	}
	if len(f.Learn) == 0 || len(f.Judge) == 0 {
		return f, fmt.Errorf("%w: there must be homes of both kinds, and homes are never on both sides", ErrSplit)
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
		f.Learn = append(f.Learn, window(0, m.DurationNs/3))
		f.Judge = append(f.Judge, window(2*(m.DurationNs/3), m.DurationNs))
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
		f.Learn, f.Judge = append(f.Learn, side(true)), append(f.Judge, side(false))
	}
	if !found {
		return f, fmt.Errorf("%w: no home has two units of a device", ErrSplit)
	}
	return f, nil
}

// leaveOut makes a fold for each class of the homes that teach: there it is as if its devices had never been, so nothing that is
// made from these homes knows their packets. In the homes that judge they are.
func leaveOut(f Fold, classes string) ([]Fold, error) {
	meta, err := score.Describe(f.Learn, classes)
	if err != nil {
		return nil, err
	}
	if len(meta.Classes) < 3 {
		return nil, fmt.Errorf("%w: %d classes; leaving one out needs three", ErrSplit, len(meta.Classes))
	}
	var out []Fold
	for _, c := range meta.Classes {
		left := Fold{LeftOut: c, Judge: f.Judge}
		for _, d := range f.Learn {
			left.Learn = append(left.Learn, d.Select(nil, func() func(int, *dataset.Row) dataset.Use {
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

// Shuffled returns data sets in which the labels of the packets that count have changed places at random: what a model learns
// from them is nothing, and one that scores above chance all the same is told by something else.
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
