package classifier

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"

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
	Trust            *Trust               `json:"trust,omitempty"` // nil where guesses came without probabilities
}

// ClassScore is the score of one class.
type ClassScore struct {
	Class     string  `json:"class"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"` // packets in the truth
	TooFew    bool    `json:"too_few"` // under 30: the figures say little

	F1Interval *Interval `json:"f1_interval,omitempty"`
}

// tooFew is the support under which a class's figures say little.
const tooFew = 30

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

// Presence says how well the model tells which classes are active in a window of packets. Hamming loss is the share of
// (window, class) pairs that are told wrongly, over the classes of model and truth.
type Presence struct {
	Window           int     `json:"window"` // packets
	Windows          int     `json:"windows"`
	ClassesPerWindow float64 `json:"classes_per_window"`
	HammingLoss      float64 `json:"hamming_loss"`
	MacroF1          float64 `json:"macro_f1"`
	BaselineAbsent   float64 `json:"baseline_absent"`   // Hamming loss of "nobody"
	BaselineConstant float64 `json:"baseline_constant"` // Hamming loss of the best constant set
}

// matrix counts pairs of names.
type matrix map[[2]string]int

func (m matrix) add(o matrix) {
	for k, c := range o {
		m[k] += c
	}
}

func (m matrix) plain(classes []string) Plain {
	n, right := 0, 0
	for k, c := range m {
		n += c
		if k[0] == k[1] {
			right += c
		}
	}
	sum := 0.0
	for _, s := range m.perClass(classes) {
		sum += s.F1
	}
	return Plain{Accuracy: ratio(right, n), MacroF1: sum / math.Max(float64(len(classes)), 1)}
}

// perClass gives the scores of the classes in the truth.
func (m matrix) perClass(classes []string) []ClassScore {
	truth, guess := make(map[string]int), make(map[string]int)
	for k, c := range m {
		truth[k[0]] += c
		guess[k[1]] += c
	}
	out := make([]ClassScore, 0, len(classes))
	for _, c := range classes {
		tp := m[[2]string{c, c}]
		s := ClassScore{Class: c, Precision: ratio(tp, guess[c]), Recall: ratio(tp, truth[c]), Support: truth[c], TooFew: truth[c] < tooFew}
		s.F1 = ratio(2*tp, guess[c]+truth[c])
		out = append(out, s)
	}
	return out
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Scorer scores guesses packet by packet; memory grows with the number of homes, not of packets. Used by one goroutine.
type Scorer struct {
	meta   *Meta
	window int
	homes  []*homeTally // in the order in which they came
	of     map[int]*homeTally
	roles  map[string][2]int // n, right
	out    int
	paths  map[string]bool
	trust  trustTally
}

// homeTally is what was counted of one home. Homes are what is resampled for intervals, so each is counted by itself.
type homeTally struct {
	guesses, major, lookup matrix
	windows                int
	present                map[string]*presenceCount
	first                  map[string]*firstCount
	open                   presenceWindow
}

// presenceCount counts the windows of one class.
type presenceCount struct{ both, truthOnly, guessOnly int }

// firstCount is when a class of the truth first came, and when it was first told.
type firstCount struct {
	fromNs, toNs int64
	packets      int // of the class, up to the one that was told
	told         bool
}

// presenceWindow is a home's current window.
type presenceWindow struct {
	n            int
	truth, guess map[string]bool
	counted      int
}

// NewScorer returns a scorer for the guesses of a model that was made as meta says.
func NewScorer(meta *Meta) *Scorer {
	w := meta.Window
	if w <= 0 {
		w = 100
	}
	return &Scorer{meta: meta, window: w, of: make(map[int]*homeTally), roles: make(map[string][2]int), paths: make(map[string]bool)}
}

func (s *Scorer) home(home int) *homeTally {
	h := s.of[home]
	if h == nil {
		h = &homeTally{
			guesses: matrix{}, major: matrix{}, lookup: matrix{}, present: make(map[string]*presenceCount), first: make(map[string]*firstCount),
			open: presenceWindow{truth: make(map[string]bool), guess: make(map[string]bool)},
		}
		s.of[home] = h
		s.homes = append(s.homes, h)
	}
	return h
}

// noProbability is the probability of a guess that came without one.
const noProbability = -1

// Add scores a guess for a row of a data set. Every WAN packet of a home is given, in order: windows run over all of them,
// but only those that count are scored. p is the probability that came with the guess, below zero where there is none.
func (s *Scorer) Add(m *dataset.Manifest, home int, r *dataset.Row, guess string, p float32) {
	s.paths[m.Path] = true
	h := s.home(home)
	if scored(m, r) {
		truth := classOf(&r.Label, s.meta.ClassMode)
		h.guesses[[2]string{truth, guess}]++
		h.major[[2]string{truth, s.meta.Majority}]++
		h.lookup[[2]string{truth, s.meta.lookUp(&r.Observation)}]++
		role := s.roles[r.Role]
		role[0]++
		if truth == guess {
			role[1]++
		}
		s.roles[r.Role] = role
		s.trust.add(p, truth == guess)
		h.see(truth, guess, r.TsNs)
		h.open.truth[truth], h.open.guess[guess] = true, true
		h.open.counted++
	} else {
		s.out++
	}
	if h.open.n++; h.open.n == s.window {
		h.closeWindow()
	}
}

// see notes when a class was first there, and first told.
func (h *homeTally) see(truth, guess string, at int64) {
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

func (h *homeTally) closeWindow() {
	w := &h.open
	if w.counted > 0 {
		h.windows++
		for c := range w.truth {
			if p := h.presence(c); w.guess[c] {
				p.both++
			} else {
				p.truthOnly++
			}
		}
		for c := range w.guess {
			if !w.truth[c] {
				h.presence(c).guessOnly++
			}
		}
	}
	w.n, w.counted = 0, 0
	clear(w.truth)
	clear(w.guess)
}

func (h *homeTally) presence(class string) *presenceCount {
	p := h.present[class]
	if p == nil {
		p = &presenceCount{}
		h.present[class] = p
	}
	return p
}

// NextSet says that what follows is another data set: its homes may bear the same numbers. Unfinished windows are forgotten.
func (s *Scorer) NextSet() { clear(s.of) }

func (m *Meta) lookUp(o *dataset.Observation) string {
	if c, ok := m.Lengths[lengthKey(o)]; ok {
		return m.Classes[c]
	}
	return m.Majority
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Result returns the score so far.
func (s *Scorer) Result() *Score {
	guesses, major, lookup := matrix{}, matrix{}, matrix{}
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
	classes, labels := sorted(truth), sorted(all)
	plain := guesses.plain(classes)
	res := &Score{
		Path: s.path(), Model: s.meta.Kind, Classes: s.meta.Classes, N: n, Excluded: s.out,
		Accuracy: plain.Accuracy, MacroF1: plain.MacroF1, PerClass: guesses.perClass(classes),
		Confusion: Confusion{Labels: labels, Counts: make([][]int, len(labels))}, ByRole: make(map[string]RoleScore),
		Baseline: Baselines{Majority: major.plain(classes), LengthLookup: lookup.plain(classes)},
		Presence: s.presence(labels), First: s.first(classes), Trust: s.trust.result(),
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
		res.ByRole[role] = RoleScore{N: c[0], Accuracy: ratio(c[1], c[0])}
	}
	homes := s.tallies(labels)
	res.PerHome = perHome(homes)
	res.addIntervals(homes, labels)
	return res
}

func (s *Scorer) path() string {
	if len(s.paths) == 1 {
		return sorted(s.paths)[0]
	}
	return "mixed"
}

func (s *Scorer) presence(labels []string) Presence {
	p := Presence{Window: s.window}
	for _, h := range s.homes {
		p.Windows += h.windows
	}
	if p.Windows == 0 {
		return p
	}
	var wrong, present, best int
	f1, in := 0.0, 0
	for _, c := range labels {
		var n presenceCount
		for _, h := range s.homes {
			if k := h.present[c]; k != nil {
				n.both, n.truthOnly, n.guessOnly = n.both+k.both, n.truthOnly+k.truthOnly, n.guessOnly+k.guessOnly
			}
		}
		there := n.both + n.truthOnly
		wrong += n.guessOnly + n.truthOnly
		present += there
		best += min(there, p.Windows-there)
		if there > 0 {
			in++
			f1 += ratio(2*n.both, 2*n.both+n.guessOnly+n.truthOnly)
		}
	}
	pairs := float64(p.Windows * len(labels))
	p.ClassesPerWindow = float64(present) / float64(p.Windows)
	p.HammingLoss, p.BaselineAbsent, p.BaselineConstant = float64(wrong)/pairs, float64(present)/pairs, float64(best)/pairs
	p.MacroF1 = f1 / math.Max(float64(in), 1)
	return p
}

// ErrSeen means that a model was trained on what it should be scored on.
var ErrSeen = errors.New("the model was trained on this home")

// CheckUnseen returns an error that wraps ErrSeen if a model has learned from a home of the data set.
func CheckUnseen(meta *Meta, d *dataset.Dataset) error {
	for _, h := range d.Manifest.Homes {
		if slices.Contains(meta.TrainedOn, HomeID{d.Manifest.ScenarioDigest, d.Manifest.Seed, h.Home}) {
			return fmt.Errorf("%s, home %d (seed %d): %w", d.Dir, h.Home, d.Manifest.Seed, ErrSeen)
		}
	}
	return nil
}

// CheckApart returns an error that wraps ErrSeen if a home is in both.
func CheckApart(learned, judged []*dataset.Dataset) error {
	var m Meta
	for _, d := range learned {
		for _, h := range d.Manifest.Homes {
			m.TrainedOn = append(m.TrainedOn, HomeID{d.Manifest.ScenarioDigest, d.Manifest.Seed, h.Home})
		}
	}
	for _, d := range judged {
		if err := CheckUnseen(&m, d); err != nil {
			return err
		}
	}
	return nil
}

// Evaluate scores a model on data sets. Each guess goes to predictions, as CSV, if that is not nil.
func Evaluate(m Model, sets []*dataset.Dataset, predictions io.Writer) (*Score, error) {
	meta := m.Meta()
	s := NewScorer(meta)
	var out *bufio.Writer
	if predictions != nil {
		out = bufio.NewWriter(predictions)
		_, _ = out.WriteString("home,frame,class,probability\n")
	}
	for _, d := range sets {
		var l *Labeller[dataset.Row]
		at := -1
		end := func() error {
			if l == nil {
				return nil
			}
			return l.Flush()
		}
		err := d.Rows(func(home int, r *dataset.Row) error { // home by home
			if home != at {
				if err := end(); err != nil {
					return err
				}
				at, l = home, NewLabeller(m, func(of dataset.Row, class string, p float32) error {
					s.Add(&d.Manifest, home, &of, class, p)
					if out == nil {
						return nil
					}
					_, err := fmt.Fprintf(out, "%d,%d,%s,%s\n", home, of.Frame, class, strconv.FormatFloat(float64(p), 'g', -1, 32))
					return err
				})
			}
			return l.Step(&r.Observation, *r)
		})
		if err == nil {
			err = end()
		}
		if err != nil {
			return nil, err
		}
		s.NextSet()
	}
	if out != nil {
		if err := out.Flush(); err != nil {
			return nil, fmt.Errorf("writing predictions: %w", err)
		}
	}
	return s.Result(), nil
}

// Guess returns the class with the highest probability, and that probability.
func Guess(m Model, probs []float32) (string, float32) {
	i := argmax(probs)
	return m.Classes()[i], probs[i]
}
