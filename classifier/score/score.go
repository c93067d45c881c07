// Package score compares predictions with the ground truth, packet by packet: accuracy and F1 beside baselines, presence in windows,
// calibration and intervals over homes, for models and for predictions files. Memory grows with homes and classes, not with packets.
package score

import (
	"math"
	"slices"
	"sort"

	"glasshouse/classifier/activity"
	"glasshouse/classifier/model"
	"glasshouse/classifier/novelty"
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// Score is the score of a model. Metrics have scikit-learn's names and definitions. The JSON keys must not change.
type Score struct {
	Path             string               `json:"path"`
	Model            string               `json:"model"`
	Classes          []string             `json:"classes"`
	N                int                  `json:"n"`        // packets scored
	Excluded         int                  `json:"excluded"` // of the gateway, from the internet, and in the start-up
	Accuracy         float64              `json:"accuracy"`
	BalancedAccuracy float64              `json:"balanced_accuracy"` // mean recall over the classes in the truth
	MacroF1          float64              `json:"macro_f1"`          // mean F1 over the classes in the truth
	PerClass         []ClassScore         `json:"per_class"`
	Confusion        Confusion            `json:"confusion"`
	ByRole           map[string]RoleScore `json:"by_role"`
	Baseline         Baselines            `json:"baseline"`
	Presence         Presence             `json:"presence"`
	Intervals        *Intervals           `json:"intervals,omitempty"` // nil for fewer than two homes
	PerHome          []HomeScore          `json:"per_home"`            // in the order of the datasets
	First            []FirstCorrect       `json:"first_correct"`
	Trust            *Trust               `json:"trust,omitempty"`   // nil if predictions have no probabilities
	Unknown          *CalledUnknown       `json:"unknown,omitempty"` // nil if the model does not detect unknown devices
	Activities       []Activity           `json:"activities,omitempty"`

	homes  []*tally // for Pool and LossOf
	labels []string
}

// CalledUnknown counts the packets labelled unknown. All are of devices, so they count as wrong.
type CalledUnknown struct {
	Wanted float64 `json:"wanted"` // nominal share of known packets labelled unknown
	N      int     `json:"n"`
	Share  float64 `json:"share"`
}

// ClassScore is the score of one class.
type ClassScore struct {
	Class     string  `json:"class"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"` // packets in the truth
	TooFew    bool    `json:"too_few"` // fewer than TooFew packets

	F1Interval *stat.Interval `json:"f1_interval,omitempty"`
}

// TooFew is the support below which a class's figures are not meaningful.
const TooFew = 30

// Confusion counts packets: Counts[truth][predicted], both in the order of Labels.
type Confusion struct {
	Labels []string `json:"labels"`
	Counts [][]int  `json:"counts"`
}

// RoleScore is the accuracy over the packets of one role.
type RoleScore struct {
	N        int     `json:"n"`
	Accuracy float64 `json:"accuracy"`
}

// Plain is a baseline's score.
type Plain struct {
	Accuracy float64 `json:"accuracy"`
	MacroF1  float64 `json:"macro_f1"`
}

// Baselines are the majority-class baseline and the packet-length baseline (the most common class by direction and length).
type Baselines struct {
	Majority     Plain `json:"majority"`
	LengthLookup Plain `json:"length_lookup"`
}

// Matrix counts pairs of names.
type Matrix map[[2]string]int

func (m Matrix) add(o Matrix) {
	for k, c := range o {
		m[k] += c
	}
}

// Plain gives accuracy and macro-F1 over the classes in the truth.
func (m Matrix) Plain(classes []string) Plain {
	n, right := 0, 0
	for k, c := range m {
		n += c
		if k[0] == k[1] {
			right += c
		}
	}
	sum := 0.0
	for _, s := range m.PerClass(classes) {
		sum += s.F1
	}
	return Plain{Accuracy: stat.Ratio(right, n), MacroF1: sum / math.Max(float64(len(classes)), 1)}
}

// PerClass returns the scores of classes.
func (m Matrix) PerClass(classes []string) []ClassScore {
	truth, predicted := make(map[string]int), make(map[string]int)
	for k, c := range m {
		truth[k[0]] += c
		predicted[k[1]] += c
	}
	out := make([]ClassScore, 0, len(classes))
	for _, c := range classes {
		tp := m[[2]string{c, c}]
		s := ClassScore{Class: c, Precision: stat.Ratio(tp, predicted[c]), Recall: stat.Ratio(tp, truth[c]), Support: truth[c], TooFew: truth[c] < TooFew}
		s.F1 = stat.Ratio(2*tp, predicted[c]+truth[c])
		out = append(out, s)
	}
	return out
}

// Scorer scores predictions packet by packet. It is for one goroutine.
type Scorer struct {
	meta     *model.Meta
	window   int
	homes    []*homeTally // in the order of their first packets
	of       map[int]*homeTally
	roles    map[string][2]int // packets, and correct ones
	excluded int
	paths    map[string]bool
	trust    TrustTally
	acting   activityTally
	before   TrustTally // without the model's calibration
	undone   []float32
}

// homeTally has the counts of one home. Intervals resample homes, so each has its own.
type homeTally struct {
	predictions, major, lookup Matrix
	windows                    int
	present                    map[string]*presenceCount
	first                      map[string]*firstCount
	open                       presenceWindow
	acting                     activity.TruthWindow
}

// firstCount has the times of a class's first packet and of its first correct label.
type firstCount struct {
	fromNs, toNs int64
	packets      int // of the class, up to the first correct one
	correct      bool
}

// NewScorer returns a scorer for the predictions of a model with this metadata.
func NewScorer(meta *model.Meta) *Scorer {
	return &Scorer{acting: NewActivityTally(), meta: meta, window: meta.WindowPackets(), of: make(map[int]*homeTally), roles: make(map[string][2]int), paths: make(map[string]bool)}
}

func (s *Scorer) home(home int) *homeTally {
	h := s.of[home]
	if h == nil {
		h = &homeTally{
			predictions: Matrix{}, major: Matrix{}, lookup: Matrix{}, present: make(map[string]*presenceCount), first: make(map[string]*firstCount),
			open: presenceWindow{truth: make(map[string]bool), predicted: make(map[string]bool)},
		}
		s.of[home] = h
		s.homes = append(s.homes, h)
	}
	return h
}

// NoProbability is the probability of a prediction without one.
const NoProbability = -1

// Add scores a prediction for a row of a dataset. It must be called for all WAN packets of a home in order: windows span all of them, but
// only those for which model.IsScored holds are scored. p is the prediction's probability; negative if there is none.
func (s *Scorer) Add(m *dataset.Manifest, home int, r *dataset.Row, predicted string, p float32) {
	s.add(m, home, r, predicted, p, nil)
}

// add also takes the probabilities of all classes, if there are any.
func (s *Scorer) add(m *dataset.Manifest, home int, r *dataset.Row, predicted string, p float32, probs []float32) {
	s.paths[m.Path] = true
	h := s.home(home)
	if model.IsScored(m, r) {
		truth := model.ClassOf(&r.Label, s.meta.ClassMode)
		h.predictions[[2]string{truth, predicted}]++
		h.major[[2]string{truth, s.meta.Majority}]++
		h.lookup[[2]string{truth, s.meta.LookUp(&r.Observation)}]++
		role := s.roles[r.Role]
		role[0]++
		if truth == predicted {
			role[1]++
		}
		s.roles[r.Role] = role
		if !novelty.IsUnknown(predicted) { // p is a novelty score, not a probability
			s.trusted(truth, predicted, p, probs)
		}
		h.See(truth, predicted, r.TsNs)
		h.open.truth[truth] = true
		if s.meta.Activities != nil {
			h.acting.Truth(truth, &r.Label)
			h.acting.Roll.Add(predicted, &r.Observation)
		}
		if !novelty.IsUnknown(predicted) { // not a class that can be present
			h.open.predicted[predicted] = true
		}
		h.open.counted++
	} else {
		s.excluded++
	}
	if h.open.n++; h.open.n == s.window {
		if s.meta.Activities != nil {
			s.acting.Close(s.meta, &h.acting)
		}
		h.closeWindow()
	}
}

// trusted counts a prediction for the calibration error, with and without the model's calibration.
func (s *Scorer) trusted(truth, predicted string, p float32, probs []float32) {
	if probs == nil {
		s.trust.add(p, truth == predicted)
		return
	}
	i := slices.Index(s.meta.Classes, truth)
	s.trust.AddAll(probs, i)
	if c := s.meta.Calibration; c != nil {
		s.undone = append(s.undone[:0], probs...)
		model.Untemper(s.undone, c.Temperature)
		s.before.AddAll(s.undone, i)
	}
}

// See records when a class was first present and first labelled correctly.
func (h *homeTally) See(truth, predicted string, at int64) {
	f := h.first[truth]
	if f == nil {
		f = &firstCount{fromNs: at}
		h.first[truth] = f
	}
	if f.correct {
		return
	}
	f.packets++
	if truth == predicted {
		f.correct, f.toNs = true, at
	}
}

// NextSet begins another dataset, whose homes may have the same numbers. Unfinished windows are dropped.
func (s *Scorer) NextSet() { clear(s.of) }

// Sorted returns the keys of m in order.
func Sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Result returns the score so far.
func (s *Scorer) Result() *Score {
	predictions, major, lookup := Matrix{}, Matrix{}, Matrix{}
	for _, h := range s.homes {
		predictions.add(h.predictions)
		major.add(h.major)
		lookup.add(h.lookup)
	}
	n := 0
	truth, all := make(map[string]bool), make(map[string]bool)
	for k, c := range predictions {
		truth[k[0]], all[k[0]], all[k[1]] = true, true, true
		n += c
	}
	for _, c := range s.meta.Classes {
		all[c] = true
	}
	classes, labels := Sorted(truth), Sorted(all)
	plain := predictions.Plain(classes)
	res := &Score{
		Path: s.path(), Model: s.meta.Kind, Classes: s.meta.Classes, N: n, Excluded: s.excluded,
		Accuracy: plain.Accuracy, MacroF1: plain.MacroF1, PerClass: predictions.PerClass(classes),
		Confusion: Confusion{Labels: labels, Counts: make([][]int, len(labels))}, ByRole: make(map[string]RoleScore),
		Baseline: Baselines{Majority: major.Plain(classes), LengthLookup: lookup.Plain(classes)},
		Presence: s.presence(slices.DeleteFunc(slices.Clone(labels), novelty.IsUnknown)), First: s.first(classes), Trust: s.trust.Result(),
	}
	res.Activities = s.acting.Result()
	if b := s.before.Result(); b != nil && res.Trust != nil {
		res.Trust.Before = &model.Reliability{LogLoss: b.LogLoss, CalibrationError: b.CalibrationError}
	}
	if u := s.meta.Unknown; u != nil {
		called := 0
		for k, c := range predictions {
			called += c * stat.Indicator(novelty.IsUnknown(k[1]))
		}
		res.Unknown = &CalledUnknown{u.Rate, called, stat.Ratio(called, n)}
	}
	for _, c := range res.PerClass {
		res.BalancedAccuracy += c.Recall / float64(len(classes))
	}
	for i, t := range labels {
		res.Confusion.Counts[i] = make([]int, len(labels))
		for j, g := range labels {
			res.Confusion.Counts[i][j] = predictions[[2]string{t, g}]
		}
	}
	for role, c := range s.roles {
		res.ByRole[role] = RoleScore{N: c[0], Accuracy: stat.Ratio(c[1], c[0])}
	}
	homes := s.tallies(labels)
	res.homes, res.labels = homes, labels
	res.PerHome = perHome(homes)
	res.addIntervals(homes, labels)
	return res
}

func (s *Scorer) path() string {
	if len(s.paths) == 1 {
		return Sorted(s.paths)[0]
	}
	return "mixed"
}

// Matrix gives the counts by the pair of true and predicted class.
func (c *Confusion) Matrix() Matrix {
	m := make(Matrix)
	for i, row := range c.Counts {
		for j, n := range row {
			if n > 0 {
				m[[2]string{c.Labels[i], c.Labels[j]}] = n
			}
		}
	}
	return m
}
