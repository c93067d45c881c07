package evaluate

import (
	"errors"
	"slices"
	"testing"
	"time"

	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/model"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// counted summarises a view's scored rows.
type counted struct {
	homes, units, classes map[string]bool
	seen                  map[string]bool // classes of all rows, scored or not
	from, to              int64
	n, passed             int
}

func countRows(tb testing.TB, sets []*dataset.Dataset) counted {
	tb.Helper()
	c := counted{homes: map[string]bool{}, units: map[string]bool{}, classes: map[string]bool{}, seen: map[string]bool{}, from: 1 << 62}
	for _, d := range sets {
		if err := d.Rows(func(home int, r *dataset.Row) error {
			c.seen[r.Class] = true
			if !model.IsScored(&d.Manifest, r) {
				c.passed++
				return nil
			}
			at := r.TsNs - d.Manifest.StartNs
			c.n, c.from, c.to = c.n+1, min(c.from, at), max(c.to, at)
			c.homes[string(rune('a'+home))], c.units[r.Unit], c.classes[r.Class] = true, true, true
			return nil
		}); err != nil {
			tb.Fatal(err)
		}
	}
	return c
}

func TestSplits(t *testing.T) {
	napt, vpn := classifiertest.Village(t, "napt", "virtual", 6), classifiertest.Village(t, "vpn", "live", 6)
	both := []*dataset.Dataset{napt, vpn}
	fold := func(split string, sets []*dataset.Dataset) (Fold, counted, counted) {
		t.Helper()
		f, err := SplitSets(sets, split, model.ClassPaper, 1)
		if err != nil {
			t.Fatalf("%s: %v", split, err)
		}
		return f[0], countRows(t, f[0].Train), countRows(t, f[0].Test)
	}
	for _, split := range []string{SplitHome, SplitPath, SplitWorld} {
		f, train, test := fold(split, both)
		if len(train.homes) != 4 || len(test.homes) != 2 {
			t.Errorf("%s: %d training homes, %d test homes", split, len(train.homes), len(test.homes))
		}
		for h := range test.homes { // twins included
			if train.homes[h] {
				t.Errorf("%s: home %s is in training and test", split, h)
			}
		}
		if split != SplitHome && (len(f.Train) != 1 || f.Train[0].Manifest.Path != "napt" || f.Test[0].Manifest.Path != "vpn") {
			t.Errorf("%s: %+v", split, f)
		}
	}
	_, train, test := fold(SplitTime, both)
	if train.to >= int64(5*time.Minute) || test.from < int64(10*time.Minute) || train.n == 0 || test.n == 0 || len(test.homes) != 6 {
		t.Errorf("time: %+v %+v", train, test)
	}
	_, train, test = fold(SplitUnit, both)
	if !train.units["plug"] || len(train.units) != 1 || !test.units["plug-2"] || len(test.units) != 1 || train.passed == 0 {
		t.Errorf("unit: %+v %+v", train, test)
	}
	folds, err := SplitSets(both, SplitDevice, model.ClassPaper, 1)
	if err != nil || len(folds) != 3 {
		t.Fatal(len(folds), err)
	}
	for _, f := range folds {
		if c := countRows(t, f.Train); c.classes[f.LeftOut] || len(c.classes) != 2 || c.seen[f.LeftOut] { // not even as unscored packets
			t.Errorf("without %s: %+v", f.LeftOut, c)
		}
		if c := countRows(t, f.Test); len(c.classes) != 3 {
			t.Errorf("without %s: test homes %+v", f.LeftOut, c)
		}
	}
	if _, err := SplitSets([]*dataset.Dataset{napt}, SplitPath, model.ClassPaper, 1); !errors.Is(err, ErrSplit) {
		t.Error(err)
	}
}

func TestEvaluation(t *testing.T) {
	sets := []*dataset.Dataset{classifiertest.Village(t, "napt", "virtual", 6)}
	o := Options{Split: SplitHome, Seeds: 2, Kinds: []string{"forest", "boost"}, Control: true, Leaks: true, Train: train.Options{Forest: tree.ForestOptions{Trees: 10}}, Report: func(string) {}}
	e, err := Run(t.Context(), sets, o)
	if err != nil {
		t.Fatal(err)
	}
	if m := e.Models[0]; m.MeanAccuracy < 0.95 || len(m.Accuracy) != 2 || m.Interval == nil || len(e.Against) != 1 {
		t.Errorf("%+v %+v", m, e.Against)
	}
	// With shuffled labels the same forest on the same homes scores at chance.
	if c := e.Control; !c.AtChance || c.Chance != 1./3 {
		t.Errorf("%+v", c)
	}
	identifies := func(feature string) bool {
		i := slices.IndexFunc(e.Leaks, func(l Leak) bool { return l.Feature == feature })
		return e.Leaks[i].Identifies
	}
	if !identifies("remote_addr") || identifies("length") || identifies("interval") || identifies("local_port") {
		t.Errorf("%+v", e.Leaks)
	}
	o.Split, o.Control, o.Leaks, o.Seeds = SplitDevice, false, false, 1
	if e, err = Run(t.Context(), sets, o); err != nil {
		t.Fatal(err)
	}
	for _, l := range e.LeftOut {
		if l.N == 0 || l.Called[l.Class] > 0 || len(l.Called) == 0 {
			t.Errorf("%+v", l)
		}
	}
	if len(e.LeftOut) != 6 {
		t.Errorf("%d results", len(e.LeftOut))
	}
}
