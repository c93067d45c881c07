package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"

	"golang.org/x/sync/errgroup"

	"glasshouse/classifier/feature"
	"glasshouse/classifier/tree"
)

// Attackers, by what they know of a packet.
const (
	AttackerPaper = "paper" // HomeMole's eleven numbers
	AttackerWAN   = "wan"   // all that passes: flows, addresses, names in DNS and TLS, and what is derived from the sequence of packets
)

// IsAttacker tells whether one of ours has a name.
func IsAttacker(name string) bool { return name == lookUpName || slices.Contains(Attackers(), name) }

// Attackers lists them.
func Attackers() []string { return []string{AttackerPaper, AttackerWAN} }

// confusion counts, for the packets of each class that were scored, what they were taken for: [truth][guess].
type confusion [][]int

// familyScore is what became of the packets of one unseen family. Intervals and comparisons are made of these.
type familyScore struct {
	Homes []homeScore `json:"homes"`
}

type homeScore struct {
	Packets []int       `json:"packets"` // that there were, by class
	Guesses []confusion `json:"guesses"` // by attacker, of those that were scored; programs, and last the look-up by length, are attackers, too
}

// judge trains attackers on samples and scores them on others.
type judge struct {
	classes   []string
	attackers []string
	packets   int // of each class to learn from
	trees     int
	seed      uint64
	workers   int
}

// training is what an attacker learns from: the same number of packets of each class.
type training struct {
	x    []float32 // rows of features
	y    []uint8
	from []*sample // of each row
	far  []int     // number of its far end
	at   []int64   // its frame
}

// errFew means that a class has not enough packets to learn from.
type errFew struct {
	class   string
	n, want int
}

func (e *errFew) Error() string {
	return fmt.Sprintf("%s has %d packets to learn from, and each class needs %d", e.class, e.n, e.want)
}

// least returns the class with the fewest packets, and how many there are of it to choose from.
func least(samples []*sample, classes []string) (string, int) {
	class, n := "", 0
	for c, name := range classes {
		sum := 0
		for _, s := range samples {
			sum += s.classes[c].kept
		}
		if class == "" || sum < n {
			class, n = name, sum
		}
	}
	return class, n
}

// collect chooses j.packets packets of each class: from each home alike, as far as it has them.
func (j *judge) collect(samples []*sample) (*training, error) {
	if class, n := least(samples, j.classes); n < j.packets {
		return nil, &errFew{class, n, j.packets}
	}
	t := &training{}
	r := rand.New(rand.NewPCG(j.seed, 0x6c6561726e))
	have := make([]int, len(samples))
	for c := range j.classes {
		for i, s := range samples {
			have[i] = s.classes[c].kept
		}
		for i, n := range shares(have, j.packets) {
			cs := &samples[i].classes[c]
			for _, k := range r.Perm(cs.kept)[:n] {
				t.x = append(t.x, cs.row(k)...)
				t.y = append(t.y, uint8(c))
				t.from, t.far, t.at = append(t.from, samples[i]), append(t.far, cs.far[k]), append(t.at, cs.at[k])
			}
		}
	}
	return t, nil
}

// shares parts total among those that have so much to give: alike, and what some cannot give is given by the others. There is
// enough.
func shares(have []int, total int) []int {
	out := make([]int, len(have))
	for total > 0 {
		var open []int
		for i, n := range have {
			if out[i] < n {
				open = append(open, i)
			}
		}
		if total < len(open) {
			open = open[:total]
		}
		step := total / len(open)
		for _, i := range open {
			step = min(step, have[i]-out[i])
		}
		for _, i := range open {
			out[i] += step
			total -= step
		}
	}
	return out
}

// trained is an attacker who has learned.
type trained struct {
	features int    // that it has of a packet as they are
	far      *names // and what it knows of far ends; nil if it does not look
	forest   *tree.RowForest
	digest   string
}

// width is how many numbers the attacker has of a packet.
func (a *trained) width() int {
	if a.far == nil {
		return a.features
	}
	return a.features + a.far.width()
}

// fill writes what the attacker has of a packet.
func (a *trained) fill(x, row []float32, s *sample, far, except int) {
	copy(x, row[:a.features])
	if a.far != nil {
		a.far.fill(x[a.features:], s.names[far], except)
	}
}

func (j *judge) train(ctx context.Context, t *training, attacker string) (*trained, error) {
	a := &trained{features: feature.NumFeatures}
	if attacker == AttackerWAN {
		a.features, a.far = feature.NumWANFeatures, learnNames(t, len(j.classes))
	}
	n := a.width()
	x := make([]float32, len(t.y)*n)
	for i := range t.y {
		// what its own family taught of its far end is left out: it would be known better than those of homes to come
		a.fill(x[i*n:(i+1)*n], t.x[i*width:(i+1)*width], t.from[i], t.far[i], t.from[i].family)
	}
	var err error
	a.forest, err = tree.FitRows(ctx, x, n, t.y, len(j.classes), tree.ForestOptions{Trees: j.trees, Seed: j.seed, Workers: j.workers})
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(a.forest.Marshal())
	if a.far != nil {
		a.far.hash(h)
	}
	a.digest = hex.EncodeToString(h.Sum(nil))
	return a, nil
}

// guesses labels the packets of a home that the attacker has not learned from.
func (a *trained) guesses(s *sample, classes int) confusion {
	x, p := make([]float32, a.width()), make([]float32, classes)
	return s.confuse(func(c *classSample, i int) int {
		a.fill(x, c.row(i), s, c.far[i], noFamily)
		a.forest.Predict(x, p)
		best := 0
		for c, v := range p {
			if v > p[best] {
				best = c
			}
		}
		return best
	})
}

// confuse asks for the class of each packet that was kept, the i-th of a class' sample.
func (s *sample) confuse(guess func(c *classSample, i int) int) confusion {
	out := make(confusion, len(s.classes))
	for c := range s.classes {
		out[c] = make([]int, len(s.classes))
		for i := range s.classes[c].kept {
			out[c][guess(&s.classes[c], i)]++
		}
	}
	return out
}

// lookUp is what anybody could do: the commonest class for a direction and length. What was never seen is other.
func lookUp(t *training, classes int) func(c *classSample, i int) int {
	counts := make(map[[2]float32][]int)
	key := func(row []float32) [2]float32 { return [2]float32{row[featDir], row[featLength]} }
	for i, y := range t.y {
		k := key(t.x[i*width:])
		if counts[k] == nil {
			counts[k] = make([]int, classes)
		}
		counts[k][y]++
	}
	return func(c *classSample, i int) int {
		n := counts[key(c.row(i))]
		if n == nil {
			return classes - 1
		}
		return slices.Index(n, slices.Max(n))
	}
}

// Places of features that a look-up uses.
var (
	featDir    = slices.Index(feature.Names(), "dir")
	featLength = slices.Index(feature.Names(), "length")
)

// score trains the attackers on some homes and scores them on others; families come in the order of the samples.
func (j *judge) score(ctx context.Context, learn, unseen []*sample) ([]familyScore, []*trained, error) {
	t, err := j.collect(learn)
	if err != nil {
		return nil, nil, err
	}
	var all []*trained
	for _, a := range j.attackers {
		m, err := j.train(ctx, t, a)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, m)
	}
	byLength := lookUp(t, len(j.classes))
	homes := make([]homeScore, len(unseen))
	share(len(unseen), j.workers, func(i int) {
		h := &homes[i]
		for _, c := range unseen[i].classes {
			h.Packets = append(h.Packets, c.n)
		}
		for _, m := range all {
			h.Guesses = append(h.Guesses, m.guesses(unseen[i], len(j.classes)))
		}
		h.Guesses = append(h.Guesses, unseen[i].confuse(byLength))
	})
	var out []familyScore
	for i, s := range unseen {
		if i == 0 || s.family != unseen[i-1].family {
			out = append(out, familyScore{})
		}
		f := &out[len(out)-1]
		f.Homes = append(f.Homes, homes[i])
	}
	return out, all, ctx.Err()
}

// share does the jobs 0 to n-1 on some workers.
func share(n, workers int, do func(int)) {
	var g errgroup.Group
	g.SetLimit(max(workers, 1))
	for i := range n {
		g.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = g.Wait() // no job fails
}
