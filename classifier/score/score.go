// Package score compares guesses with the truth, packet by packet: accuracy and F1 beside the baselines, presence in windows, calibration,
// intervals over homes, and the same for the predictions of others' models. Memory grows with homes and classes, not with packets.
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

// Score is how well a model does; names and meanings follow scikit-learn's. The JSON keys are the contract's.
type Score struct {
	Path             string               `json:"path"`
	Model            string               `json:"model"`
	Classes          []string             `json:"classes"`
	N                int                  `json:"n"`        // packets scored
	Excluded         int                  `json:"excluded"` // the gateway's, the internet's, and start-up
	Accuracy         float64              `json:"accuracy"`
	BalancedAccuracy float64              `json:"balanced_accuracy"` // mean recall over the classes in the truth
	MacroF1          float64              `json:"macro_f1"`          // mean F1 over the classes in the truth
	PerClass         []ClassScore         `json:"per_class"`
	Confusion        Confusion            `json:"confusion"`
	ByRole           map[string]RoleScore `json:"by_role"`
	Baseline         Baselines            `json:"baseline"`
	Presence         Presence             `json:"presence"`
	Intervals        *Intervals           `json:"intervals,omitempty"` // nil below two homes
	PerHome          []HomeScore          `json:"per_home"`            // in the order of the data sets
	First            []FirstTold          `json:"first_correct"`
	Trust            *Trust               `json:"trust,omitempty"`   // nil where guesses came without probabilities
	Unknown          *CalledUnknown       `json:"unknown,omitempty"` // nil of models that do not say so
	Activities       []Activity           `json:"activities,omitempty"`

	homes  []*tally // what Pool and LossOf draw from
	labels []string
}

// CalledUnknown says how many packets, all of devices, are called unknown; they count as wrong.
type CalledUnknown struct {
	Wanted float64 `json:"wanted"` // share of the known packets that the model was to call so
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
	TooFew    bool    `json:"too_few"` // under 30: the figures say little

	F1Interval *stat.Interval `json:"f1_interval,omitempty"`
}

// TooFew is the support under which a class's figures say little.
const TooFew = 30

// Confusion counts packets: Counts[truth][guess], both in the order of Labels.
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

// Baselines are what anybody could do: always the commonest class, or the commonest for a direction and length.
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

// PerClass gives the scores of the classes in the truth.
func (m Matrix) PerClass(classes []string) []ClassScore {
	truth, guess := make(map[string]int), make(map[string]int)
	for k, c := range m {
		truth[k[0]] += c
		guess[k[1]] += c
	}
	out := make([]ClassScore, 0, len(classes))
	for _, c := range classes {
		tp := m[[2]string{c, c}]
		s := ClassScore{Class: c, Precision: stat.Ratio(tp, guess[c]), Recall: stat.Ratio(tp, truth[c]), Support: truth[c], TooFew: truth[c] < TooFew}
		s.F1 = stat.Ratio(2*tp, guess[c]+truth[c])
		out = append(out, s)
	}
	return out
}

// Scorer scores guesses packet by packet; memory grows with the number of homes, not of packets. Used by one goroutine.
type Scorer struct {
	meta   *model.Meta
	window int
	homes  []*homeTally // in the order in which they came
	of     map[int]*homeTally
	roles  map[string][2]int // n, right
	out    int
	paths  map[string]bool
	trust  TrustTally
	acting actingTally
	before TrustTally // as the model said without its calibration
	undone []float32
}

// homeTally is what was counted of one home. Homes are what is resampled for intervals, so each is counted by itself.
type homeTally struct {
	guesses, major, lookup Matrix
	windows                int
	present                map[string]*presenceCount
	first                  map[string]*firstCount
	open                   presenceWindow
	acting                 activity.TruthWindow
}

// firstCount is when a class of the truth first came, and when it was first told.
type firstCount struct {
	fromNs, toNs int64
	packets      int // of the class, up to the one that was told
	told         bool
}

// NewScorer returns a scorer for the guesses of a model that was made as meta says.
func NewScorer(meta *model.Meta) *Scorer {
	return &Scorer{acting: NewActingTally(), meta: meta, window: meta.WindowPackets(), of: make(map[int]*homeTally), roles: make(map[string][2]int), paths: make(map[string]bool)}
}

func (s *Scorer) home(home int) *homeTally {
	h := s.of[home]
	if h == nil {
		h = &homeTally{
			guesses: Matrix{}, major: Matrix{}, lookup: Matrix{}, present: make(map[string]*presenceCount), first: make(map[string]*firstCount),
			open: presenceWindow{truth: make(map[string]bool), guess: make(map[string]bool)},
		}
		s.of[home] = h
		s.homes = append(s.homes, h)
	}
	return h
}

// NoProbability is the probability of a guess that came without one.
const NoProbability = -1

// Add scores a guess for a row of a data set. Every WAN packet of a home is given, in order: windows run over all of them,
// but only those that count are scored. p is the probability that came with the guess, below zero where there is none.
func (s *Scorer) Add(m *dataset.Manifest, home int, r *dataset.Row, guess string, p float32) {
	s.add(m, home, r, guess, p, nil)
}

// add takes the probabilities of all of the model's classes, too, where there are any.
func (s *Scorer) add(m *dataset.Manifest, home int, r *dataset.Row, guess string, p float32, probs []float32) {
	s.paths[m.Path] = true
	h := s.home(home)
	if model.IsScored(m, r) {
		truth := model.ClassOf(&r.Label, s.meta.ClassMode)
		h.guesses[[2]string{truth, guess}]++
		h.major[[2]string{truth, s.meta.Majority}]++
		h.lookup[[2]string{truth, s.meta.LookUp(&r.Observation)}]++
		role := s.roles[r.Role]
		role[0]++
		if truth == guess {
			role[1]++
		}
		s.roles[r.Role] = role
		if !novelty.IsUnknown(guess) { // a novelty comes with it, no probability of a class
			s.trusted(truth, guess, p, probs)
		}
		h.See(truth, guess, r.TsNs)
		h.open.truth[truth] = true
		if s.meta.Activities != nil {
			h.acting.Truth(truth, &r.Label)
			h.acting.Roll.Add(guess, &r.Observation)
		}
		if !novelty.IsUnknown(guess) { // no class that could be there
			h.open.guess[guess] = true
		}
		h.open.counted++
	} else {
		s.out++
	}
	if h.open.n++; h.open.n == s.window {
		if s.meta.Activities != nil {
			s.acting.Close(s.meta, &h.acting)
		}
		h.closeWindow()
	}
}

// trusted counts what the probabilities of a guess are worth, with the model's calibration and without it.
func (s *Scorer) trusted(truth, guess string, p float32, probs []float32) {
	if probs == nil {
		s.trust.add(p, truth == guess)
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

// See notes when a class was first there, and first told.
func (h *homeTally) See(truth, guess string, at int64) {
	f := h.first[truth]
	if f == nil {
		f = &firstCount{fromNs: at}
		h.first[truth] = f
	}
	if f.told {
		return
	}
	f.packets++
	if truth == guess {
		f.told, f.toNs = true, at
	}
}

// NextSet says that what follows is another data set: its homes may bear the same numbers. Unfinished windows are forgotten.
func (s *Scorer) NextSet() { clear(s.of) }

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
	guesses, major, lookup := Matrix{}, Matrix{}, Matrix{}
	for _, h := range s.homes {
		guesses.add(h.guesses)
		major.add(h.major)
		lookup.add(h.lookup)
	}
	n := 0
	truth, all := make(map[string]bool), make(map[string]bool)
	for k, c := range guesses {
		truth[k[0]], all[k[0]], all[k[1]] = true, true, true
		n += c
	}
	for _, c := range s.meta.Classes {
		all[c] = true
	}
	classes, labels := Sorted(truth), Sorted(all)
	plain := guesses.Plain(classes)
	res := &Score{
		Path: s.path(), Model: s.meta.Kind, Classes: s.meta.Classes, N: n, Excluded: s.out,
		Accuracy: plain.Accuracy, MacroF1: plain.MacroF1, PerClass: guesses.PerClass(classes),
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
		for k, c := range guesses {
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
			res.Confusion.Counts[i][j] = guesses[[2]string{t, g}]
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
