package sweep

import (
	"glasshouse/classifier/stat"
)

// Result is a sweep's: the same for the same options, however many workers there were.
type Result struct {
	Scenario  string   `json:"scenario"`
	Digest    string   `json:"scenario_digest"`
	Catalogue string   `json:"catalogue_digest"` // of all devices that there are
	Made      Versions `json:"versions"`         // of the program that put the result together
	Seed      uint64   `json:"seed"`
	Targets   []string `json:"targets"` // what the attacker looks for
	Classes   []string `json:"classes"` // what it tells apart: the targets, and "other"
	Chance    float64  `json:"chance"`  // accuracy of a blind guess among the classes
	Packets   int      `json:"train_packets_per_class"`
	Learn     int      `json:"train_homes"`
	Unseen    int      `json:"test_homes"`
	DurationS float64  `json:"duration_s"` // of each home
	TimeScale float64  `json:"time_scale"` // how often people act, relative to life; protocol timers are never scaled
	Axes      []Series `json:"axes"`
	Points    []*Point `json:"points"`
}

// Versions are those of Glasshouse and of what it is built with.
type Versions = map[string]string

// Series is an axis with its values as they are shown.
type Series struct {
	Name   string   `json:"name"`
	Unit   string   `json:"unit,omitempty"`
	Values []string `json:"values"`
}

// Point is what was found at one point of the grid.
type Point struct {
	Point     string            `json:"point"`  // its name
	Values    map[string]string `json:"values"` // of each axis
	Setting   Setting           `json:"setting"`
	Homes     int               `json:"homes"`   // that were lived, to learn from and to judge
	Traffic   int64             `json:"packets"` // on their WANs
	Learned   map[string]int    `json:"train_packets"`
	Attackers []Attack          `json:"attackers,omitempty"`
	Reason    string            `json:"reason,omitempty"` // why there is no figure
	Version   string            `json:"version"`          // of the program that made the point

	Families []familyScore `json:"unseen_homes,omitempty"` // the counts that figures are made of
}

// Attack is how well one attacker does. Names and meanings follow scikit-learn's, and those of the scores of whole homes. Balanced
// accuracy is the figure that points are compared by: how much traffic each class makes does not weigh in it. In the others it
// does, so they fall by themselves where targets drown in the packets of others.
type Attack struct {
	Attacker         string         `json:"attacker"`
	BalancedAccuracy float64        `json:"balanced_accuracy"`  // mean recall of the classes
	Interval         *stat.Interval `json:"interval,omitempty"` // of the balanced accuracy: 95 %, over homes; nil below two
	MacroF1          float64        `json:"macro_f1"`           // mean F1 of the classes
	F1Interval       *stat.Interval `json:"macro_f1_interval,omitempty"`
	Accuracy         float64        `json:"accuracy"` // share of all packets
	AccuracyInterval *stat.Interval `json:"accuracy_interval,omitempty"`
	TargetRecall     float64        `json:"target_recall"` // mean over the targets
	OtherRecall      float64        `json:"other_recall"`  // share of other packets that are taken for no target
	PerClass         []ClassFigures `json:"per_class"`
	Difference       *Difference    `json:"difference,omitempty"`       // to the first point
	Along            *Difference    `json:"difference_along,omitempty"` // to the first point that has the same values on all axes but the one that a plot has to the right
	OverPaper        *Difference    `json:"over_paper,omitempty"`       // to the paper's attacker at this point
	Model            string         `json:"model_sha256,omitempty"`     // of what was trained here
	Features         int            `json:"features,omitempty"`         // that it has of a packet
	Program          *ProgramRun    `json:"program,omitempty"`          // that it is, if it is not ours
	Failed           string         `json:"failed,omitempty"`           // why a program has no figures here: those above say nothing then
}

// ClassFigures are those of one class.
type ClassFigures struct {
	Class     string  `json:"class"`
	Recall    float64 `json:"recall"`
	Precision float64 `json:"precision"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"` // packets in the truth
	Scored    int     `json:"scored"`  // of these, drawn to be scored
}

// Difference is what one has more than another of balanced accuracy and of macro-F1, on the same homes, drawn in pairs.
type Difference struct {
	From             string         `json:"from"`
	BalancedAccuracy float64        `json:"balanced_accuracy"`
	Interval         *stat.Interval `json:"interval,omitempty"`
	MacroF1          float64        `json:"macro_f1"`
	F1Interval       *stat.Interval `json:"macro_f1_interval,omitempty"`
}

// lookUpName is the attacker that looks up the commonest class for a direction and length.
const lookUpName = "length-lookup"

// counts are the packets of some families, by truth and guess of one attacker: where not all were scored, those that were
// stand for the others.
type counts struct {
	k int
	n []float64
}

// add adds a family's.
func (c *counts) add(f *familyScore, attacker int) {
	for h := range f.Homes {
		home := &f.Homes[h]
		for truth, row := range home.Guesses[attacker] {
			scored := 0
			for _, n := range row {
				scored += n
			}
			if scored == 0 {
				continue
			}
			weight := float64(home.Packets[truth]) / float64(scored)
			for guess, n := range row {
				c.n[truth*c.k+guess] += float64(weight * float64(n))
			}
		}
	}
}

// sums returns the packets of a class in the truth, those taken for it, and those of both.
func (c *counts) sums(class int) (truth, guess, both float64) {
	for i := range c.k {
		truth += c.n[class*c.k+i]
		guess += c.n[i*c.k+class]
	}
	return truth, guess, c.n[class*c.k+class]
}

// balanced is the mean recall of the first n classes, of those that are there.
func (c *counts) balanced(n int) float64 {
	sum, in := 0.0, 0
	for t := range n {
		if truth, _, both := c.sums(t); truth > 0 {
			sum += both / truth
			in++
		}
	}
	return ratio(sum, float64(in))
}

func (c *counts) balancedAccuracy() float64 { return c.balanced(c.k) }

func (c *counts) macroF1() float64 {
	sum, in := 0.0, 0
	for t := range c.k {
		if truth, guess, both := c.sums(t); truth > 0 {
			sum += 2 * both / (truth + guess)
			in++
		}
	}
	return ratio(sum, float64(in))
}

func (c *counts) accuracy() float64 {
	var all, right float64
	for t := range c.k {
		truth, _, both := c.sums(t)
		all, right = all+truth, right+both
	}
	return ratio(right, all)
}

// perFamily counts each family by itself.
func perFamily(families []familyScore, attacker, classes int) []*counts {
	out := make([]*counts, len(families))
	for i := range families {
		out[i] = newCounts(classes)
		out[i].add(&families[i], attacker)
	}
	return out
}

func newCounts(classes int) *counts { return &counts{k: classes, n: make([]float64, classes*classes)} }

// sum adds up the families that are drawn.
func sum(all []*counts, drawn []int, into *counts) *counts {
	clear(into.n)
	for _, i := range drawn {
		for k, v := range all[i].n {
			into.n[k] += v
		}
	}
	return into
}

// each lists all families.
func each(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// figures computes what an attacker's counts say.
func figures(name string, classes []string, families []familyScore, attacker int) Attack {
	all := perFamily(families, attacker, len(classes))
	scratch := newCounts(len(classes))
	c := sum(all, each(len(all)), newCounts(len(classes)))
	a := Attack{
		Attacker: name, BalancedAccuracy: c.balancedAccuracy(), MacroF1: c.macroF1(), Accuracy: c.accuracy(), TargetRecall: c.balanced(len(classes) - 1),
	}
	interval := func(figure func(*counts) float64) *stat.Interval {
		in, ok := stat.Bootstrap(len(all), func(drawn []int) float64 { return figure(sum(all, drawn, scratch)) })
		if !ok {
			return nil
		}
		return &in
	}
	a.Interval, a.F1Interval, a.AccuracyInterval = interval((*counts).balancedAccuracy), interval((*counts).macroF1), interval((*counts).accuracy)
	for i, class := range classes {
		truth, guess, both := c.sums(i)
		f := ClassFigures{Class: class, Recall: ratio(both, truth), Precision: ratio(both, guess), F1: ratio(2*both, truth+guess)}
		for _, family := range families {
			for _, h := range family.Homes {
				f.Support += h.Packets[i]
				for _, n := range h.Guesses[attacker][i] {
					f.Scored += n
				}
			}
		}
		a.PerClass = append(a.PerClass, f)
	}
	a.OtherRecall = a.PerClass[len(classes)-1].Recall
	return a
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// difference compares two attackers on the same families: what a has more than b.
func difference(from string, a, b []familyScore, attackerA, attackerB, classes int) *Difference {
	if len(a) != len(b) {
		return nil
	}
	x, y := perFamily(a, attackerA, classes), perFamily(b, attackerB, classes)
	sx, sy := newCounts(classes), newCounts(classes)
	of := func(figure func(*counts) float64) (float64, *stat.Interval) {
		less := func(drawn []int) float64 { return figure(sum(x, drawn, sx)) - figure(sum(y, drawn, sy)) }
		mean := less(each(len(a)))
		in, ok := stat.Bootstrap(len(a), less)
		if !ok {
			return mean, nil
		}
		return mean, &in
	}
	d := &Difference{From: from}
	d.BalancedAccuracy, d.Interval = of((*counts).balancedAccuracy)
	d.MacroF1, d.F1Interval = of((*counts).macroF1)
	return d
}
