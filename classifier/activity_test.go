package classifier

import (
	"errors"
	"slices"
	"testing"

	"glasshouse/classifier/activity"
	"glasshouse/classifier/classifiertest"
	"glasshouse/classifier/model"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/score"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/testbed/dataset"
)

// withActivities relabels a village: the camera alternates between streaming (large frames) and heartbeats, 100 packets each; the hub
// reports motion in 100 packets of 400 and sends heartbeats otherwise.
func withActivities(d *dataset.Dataset) []*dataset.Dataset {
	return []*dataset.Dataset{d.Relabel(func() func(*dataset.Row) {
		return func(r *dataset.Row) {
			on := r.Frame/100%2 == 0
			r.Activity = "heartbeat"
			switch {
			case r.Class == "camera" && on:
				r.Activity, r.Length = "watch-wan", 1400
			case r.Class == "hub" && r.Frame/100%4 == 1:
				r.Activity, r.Length = "motion-alert", 700
			}
		}
	})}
}

func TestActivitiesAreInferred(t *testing.T) {
	d := classifiertest.Village(t, "napt", "virtual", 4)
	pick := func(from, to int) []*dataset.Dataset {
		return withActivities(d.Select(func(h dataset.HomeInfo) bool { return h.Home >= from && h.Home < to }, nil))
	}
	m, err := train.Train(t.Context(), pick(0, 2), train.Options{Kind: model.KindForest, Seed: 1, Window: 100, Activities: true, Forest: tree.ForestOptions{Trees: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Load(saved(t, m)); err != nil {
		t.Fatal(err)
	}
	s, err := score.Evaluate(m, pick(2, 4), nil)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, 3)
	for _, a := range s.Activities {
		names = append(names, a.Activity)
		if a.F1 < 0.9 || a.F1 > 1 || a.Precision > 1 || a.Recall > 1 || a.Support == 0 || a.Activity != activity.Idle && a.Constant > 0.8 {
			t.Errorf("%+v", a)
		}
	}
	if !slices.Equal(names, []string{activity.Idle, "motion", "streaming"}) {
		t.Errorf("activities %v", names)
	}
	a := m.Meta().Activities
	for class, does := range map[string]string{"plug": activity.Idle, "hub": activity.Idle} { // most of the hub's windows have heartbeats only
		if got := a.Names[a.Common[slices.Index(m.Classes(), class)]]; got != does {
			t.Errorf("%s: most common activity %s, want %s", class, got, does)
		}
	}
	for _, bad := range []activity.Activities{{Names: a.Names, Common: a.Common[1:], Trees: a.Trees}, {Names: a.Names, Common: a.Common, Trees: a.Trees[:9]}, {Names: nil, Common: a.Common, Trees: a.Trees}} {
		m.Meta().Activities = &bad
		if _, err := Load(saved(t, m)); !errors.Is(err, tree.ErrNotModel) {
			t.Errorf("%d names: %v", len(bad.Names), err)
		}
	}
}

// A predicted class that is absent is a false positive of its activity; a present class that is not predicted is a false negative.
func TestActivityScoreCountsAbsentClasses(t *testing.T) {
	m, err := train.Train(t.Context(), withActivities(classifiertest.Village(t, "napt", "virtual", 2)), train.Options{Kind: model.KindForest, Seed: 1, Window: 100, Activities: true, Forest: tree.ForestOptions{Trees: 5}})
	if err != nil {
		t.Fatal(err)
	}
	tally, w := score.NewActivityTally(), activity.TruthWindow{}
	for i := range int64(50) {
		w.Truth("plug", &dataset.Label{Activity: "heartbeat"})
		w.Roll.Add("camera", &dataset.Observation{TsNs: i * 4e9, Dir: 1, Length: 1400})
	}
	tally.Close(m.Meta(), &w)
	if tally.Truth[activity.Idle] != 1 || tally.Predicted["streaming"] != 1 || len(tally.Truth) != 1 || tally.Both["streaming"] != 0 || len(w.Roll.Of) != 0 {
		t.Errorf("%+v", tally)
	}
	var r activity.Roll
	r.Add(novelty.Label, &dataset.Observation{TsNs: 5, Dir: 1, Length: 90})
	if a, from, to := r.Infer(m.Meta().Activities, m.Meta().Classes, novelty.Label); a != "" || from != 5 || to != 5 {
		t.Errorf("unknown device: activity %q from %d to %d, want none from 5 to 5", a, from, to)
	}
}
