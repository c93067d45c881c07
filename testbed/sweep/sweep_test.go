package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/classifier/stat"
	"glasshouse/scenarios"
)

// small is a sweep of some seconds: packets are told, so that points do not hang together by how many there are of the first.
func small(t *testing.T, vary ...string) Options {
	t.Helper()
	sc, err := scenarios.Load("noisy-vpn")
	if err != nil {
		t.Fatal(err)
	}
	axes, err := ParseAxes(vary)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Scenario: sc, Axes: axes, Targets: []string{"echo-dot", "xiaobai-camera", "google-home"}, Attackers: Attackers(), Seed: 5,
		Learn: 3, Unseen: 3, Duration: 5 * time.Minute, Packets: 20, Trees: 10, Workers: 2,
	}
}

func run(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Classes and packets to learn from are the same at each point, and the attacker is trained on each point's own homes: what is found
// at a point does not depend on which others were looked at before.
func TestOnlyWhatIsVariedVaries(t *testing.T) {
	together := run(t, small(t, "devices=2,8", "phones=1,2"))
	models := make(map[string]bool)
	for _, p := range together.Points {
		if len(p.Learned) != 4 {
			t.Errorf("%s: learned %v", p.Point, p.Learned)
		}
		for _, class := range together.Classes {
			if p.Learned[class] != 20 {
				t.Errorf("%s: learned %v", p.Point, p.Learned)
			}
		}
		for _, a := range p.Attackers {
			var classes []string
			for _, c := range a.PerClass {
				classes = append(classes, c.Class)
				if c.Support == 0 {
					t.Errorf("%s: no packet of %s is scored", p.Point, c.Class)
				}
			}
			if diff := cmp.Diff(together.Classes, classes); diff != "" {
				t.Errorf("%s: %s", p.Point, diff)
			}
			if a.Model != "" && models[a.Model] {
				t.Errorf("%s: a model of another point", p.Point)
			}
			models[a.Model] = true
		}
	}
	alone := run(t, small(t, "devices=8", "phones=2"))
	last := *together.Points[3]
	for i := range last.Attackers { // to the first point: alone it has none
		if d := last.Attackers[i].Along; d == nil || d.From != "devices=2 phones=2" {
			t.Errorf("compared along its axis: %+v", d)
		}
		last.Attackers[i].Difference, last.Attackers[i].Along = nil, nil
	}
	if diff := cmp.Diff(asJSON(t, alone.Points[0]), asJSON(t, last)); diff != "" {
		t.Errorf("a point by itself is not what it is among others: %s", diff)
	}
}

// An attacker who keeps to what it learned elsewhere is lost where lengths mean something else; one who is retrained is not.
func TestAttackersAreTrainedOnTheirOwnPoint(t *testing.T) {
	j := judge{classes: []string{"a", "b", classOther}, attackers: []string{AttackerPaper}, packets: 20, trees: 5, seed: 1, workers: 2}
	homes := func(from int, lengths []float32) []*sample { // lengths of the classes, of which packets miss by up to 9 bytes
		var out []*sample
		for family := from; family < from+2; family++ {
			s := &sample{family: family}
			for class, length := range lengths {
				r := rand.New(rand.NewPCG(uint64(family), uint64(class)))
				c := classSample{n: 30, kept: 30, far: make([]int, 30), at: make([]int64, 30)}
				for range 30 {
					row := make([]float32, width)
					row[featLength], row[featDir] = length+float32(r.IntN(19)-9), 1
					c.x = append(c.x, row...)
				}
				s.classes = append(s.classes, c)
			}
			out = append(out, s)
		}
		return out
	}
	here, there := []float32{100, 200, 300}, []float32{200, 300, 100}
	for _, c := range []struct {
		name          string
		learn, unseen []float32
		want          float64
	}{
		{"here", here, here, 1},
		{"there", there, there, 1},
		{"learned here, judged there", here, there, 0},
		{"learned there, judged here", there, here, 0},
	} {
		families, _, err := j.score(context.Background(), homes(0, c.learn), homes(unseenFrom, c.unseen))
		if err != nil {
			t.Fatal(err)
		}
		if a := figures(AttackerPaper, j.classes, families, 0); a.BalancedAccuracy != c.want || a.MacroF1 != c.want {
			t.Errorf("%s: balanced accuracy %.2f, macro-F1 %.2f, want %v", c.name, a.BalancedAccuracy, a.MacroF1, c.want)
		}
	}
}

func TestHomesThatJudgeTeachNobody(t *testing.T) {
	o := small(t, "devices=1,5")
	c, err := newCast(o.Scenario, o.Targets)
	if err != nil {
		t.Fatal(err)
	}
	w := &sweeper{o: o, cast: c, points: points(o.Axes, c.setting())}
	taught := make(map[uint64]bool)
	for point := range w.points {
		for _, x := range w.orders(point, 0, 50) {
			h, err := x.scenario.Draw(o.Seed, x.family)
			if err != nil {
				t.Fatal(err)
			}
			taught[h.Seed] = true
		}
	}
	for point := range w.points {
		for _, x := range w.orders(point, unseenFrom, 50) {
			h, err := x.scenario.Draw(o.Seed, x.family)
			if err != nil {
				t.Fatal(err)
			}
			if taught[h.Seed] {
				t.Fatalf("home %d judges and teaches", x.family)
			}
		}
	}
	if len(taught) != 50 {
		t.Errorf("%d homes teach, at all points together", len(taught))
	}
}

func TestSharesAreAlikeAsFarAsTheyCanBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have := rapid.SliceOfN(rapid.IntRange(0, 50), 1, 20).Draw(t, "have")
		sum := 0
		for _, n := range have {
			sum += n
		}
		total := rapid.IntRange(0, sum).Draw(t, "total")
		got := shares(have, total)
		most := 0
		for i, n := range got {
			total -= n
			most = max(most, n)
			if n < 0 || n > have[i] {
				t.Fatalf("%v of %v", got, have)
			}
		}
		if total != 0 {
			t.Fatalf("%v of %v: %d are missing", got, have, total)
		}
		for i, n := range got {
			if n < have[i] && n < most-1 {
				t.Fatalf("%v of %v: not alike", got, have)
			}
		}
	})
}

func TestTooFewPacketsAreNoFigure(t *testing.T) {
	o := small(t, "phones=0,1")
	o.Packets = 500
	r := run(t, o)
	for _, p := range r.Points {
		if p.Reason == "" || len(p.Attackers) > 0 {
			t.Errorf("%s: %q, %d attackers", p.Point, p.Reason, len(p.Attackers))
		}
	}
	o.Packets, o.Duration = 0, 20*time.Second
	if _, err := Run(context.Background(), o); !errors.Is(err, ErrFew) {
		t.Errorf("homes of 20 s: %v", err)
	}
}

// Equal options give equal results, whoever does the work, and however often it was stopped.
func TestResultsDoNotDependOnWorkersNorOnStops(t *testing.T) {
	o := small(t, "phones=0,2", "path=napt,vpn")
	o.Packets = 0
	o.Workers = 1
	want := asJSON(t, run(t, o))
	o.Workers = 2
	o.Out = filepath.Join(t.TempDir(), "out")
	ctx, stop := context.WithCancel(context.Background())
	o.Tell = func(p Progress) {
		if p.Done == 2 {
			stop()
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped: %v", err)
	}
	lived := 0
	o.Tell = func(p Progress) {
		if p.Finished == nil {
			lived++
		}
	}
	if diff := cmp.Diff(want, asJSON(t, run(t, o))); diff != "" {
		t.Error(diff)
	}
	if lived != 2*6 {
		t.Errorf("%d homes were lived after the stop, of two points", lived)
	}
	csv, err := os.ReadFile(filepath.Join(o.Out, FilePoints))
	if err != nil || bytes.Count(csv, []byte("\n")) != 1+4*(1+len(Attackers())) {
		t.Errorf("%v\n%s", err, csv)
	}
	o.Seed++
	if _, err := Run(context.Background(), o); !errors.Is(err, ErrOther) {
		t.Errorf("another sweep in the same directory: %v", err)
	}
}

// Figures against counts done by hand: packets that were not scored are stood for by those that were.
func TestFiguresWeighWhatWasNotScored(t *testing.T) {
	families := []familyScore{
		{Homes: []homeScore{{Packets: []int{10, 100}, Guesses: []confusion{{{4, 1}, {5, 15}}}}}},
		{Homes: []homeScore{{Packets: []int{0, 20}, Guesses: []confusion{{{0, 0}, {0, 20}}}}}},
	}
	a := figures("x", []string{"a", classOther}, families, 0)
	// truth a: 8 right, 2 as other; other: 25 as a, 75 + 20 right
	for what, v := range map[string][2]float64{
		"balanced accuracy": {a.BalancedAccuracy, (0.8 + 95.0/120) / 2},
		"accuracy":          {a.Accuracy, 103.0 / 130},
		"macro-F1":          {a.MacroF1, (16.0/(10+33) + 190.0/(120+97)) / 2},
		"target recall":     {a.TargetRecall, 0.8},
		"other recall":      {a.OtherRecall, 95.0 / 120},
		"precision of a":    {a.PerClass[0].Precision, 8.0 / 33},
	} {
		if d := v[0] - v[1]; d > 1e-12 || d < -1e-12 {
			t.Errorf("%s: %v, want %v", what, v[0], v[1])
		}
	}
	if a.PerClass[1].Support != 120 || a.PerClass[1].Scored != 40 || a.Interval == nil {
		t.Errorf("%+v", a)
	}
	d := difference("x", families, families, 0, 0, 2)
	if d.BalancedAccuracy != 0 || *d.Interval != (stat.Interval{}) {
		t.Errorf("a sweep differs from itself: %+v", d)
	}
}

// What the WAN shows tells devices apart behind NAPT; inside the tunnel there is none of it, and nothing has to be switched off.
func TestTheWANAttackerLosesInTheTunnelWhatItHadFromNames(t *testing.T) {
	o := small(t, "path=napt,vpn")
	o.Learn, o.Unseen, o.Packets, o.Trees = 8, 8, 40, 30
	r := run(t, o)
	napt, vpn := r.Points[0], r.Points[1]
	for i, name := range []string{AttackerPaper, AttackerWAN, lookUpName} {
		if napt.Attackers[i].Attacker != name {
			t.Fatalf("attacker %d is %s", i, napt.Attackers[i].Attacker)
		}
	}
	if d := napt.Attackers[1].OverPaper; d == nil || d.Interval == nil || d.Interval[0] <= 0 {
		t.Errorf("behind NAPT the WAN attacker is not better than the paper's: %+v", d)
	}
	if d := vpn.Attackers[1].Difference; d == nil || d.Interval == nil || d.Interval[1] >= 0 {
		t.Errorf("the tunnel costs the WAN attacker nothing: %+v", d)
	}
}

// What an observer calls far ends are the hosts of the device, and nothing that is not on the wire.
func TestFarEndsAreThoseOfTheDevices(t *testing.T) {
	for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
		c := castOf(t, "noisy-vpn", "echo-dot")
		s := c.setting()
		s.Path = path
		l := &lives{seed: 3, duration: 3 * time.Minute, classes: map[string]int{"echo-dot": 0}, other: 1, keep: 10_000, wide: true}
		home := c.family(s, 3, 0)[0]
		got, err := l.one(context.Background(), order{scenario: home})
		if err != nil {
			t.Fatal(err)
		}
		var hosts []string
		for _, service := range c.targets[0].Profile.Services {
			hosts = append(hosts, service.Host)
		}
		known, all := 0, 0
		for _, far := range got.classes[0].far {
			all++
			name := strings.TrimPrefix(got.names[far], "dns ")
			if slices.Contains(hosts, name) {
				known++
			}
			if path == scenarios.PathVPN && !netip.MustParseAddr(name).IsValid() {
				t.Errorf("behind the tunnel %q is seen", name)
			}
		}
		switch {
		case all == 0:
			t.Errorf("%s: no packet", path)
		case path == scenarios.PathNAPT && known < all*9/10:
			t.Errorf("%d of %d packets are with hosts of the device: %q", known, all, got.names)
		case path == scenarios.PathVPN && known > 0:
			t.Errorf("%d packets show a host through the tunnel", known)
		}
	}
}

// A packet that teaches is not told what its own home has of its far end; otherwise names met in one home would look surer than
// they are.
func TestNamesAreLearnedFromOtherHomes(t *testing.T) {
	teach := &training{}
	home := func(family int, met map[string][]int) {
		s := &sample{family: family, ids: make(map[string]int)}
		for _, name := range slices.Sorted(maps.Keys(met)) {
			far := s.name(name)
			for class, n := range met[name] {
				for range n {
					teach.y, teach.from, teach.far = append(teach.y, uint8(class)), append(teach.from, s), append(teach.far, far)
				}
			}
		}
	}
	home(0, map[string][]int{"a.x.com": {5, 0}, "b.x.com": {0, 5}, "192.0.2.1": {5, 5}})
	home(1, map[string][]int{"a.x.com": {5, 5}})
	n := learnNames(teach, 2)
	for _, c := range []struct {
		name   string
		except int
		want   []float32
	}{
		{"a.x.com", noFamily, []float32{2.0 / 3, 1.0 / 3, 0.5, 0.5}},
		{"a.x.com", 0, []float32{0.5, 0.5, 0.5, 0.5}},
		{"a.x.com", 1, []float32{1, 0, 0.5, 0.5}},
		{"b.x.com", 0, []float32{-1, -1, 0.5, 0.5}},
		{"c.x.com", noFamily, []float32{-1, -1, 0.5, 0.5}},
		{"192.0.2.1", noFamily, []float32{0.5, 0.5, 0.5, 0.5}},
		{"192.0.2.1", 0, []float32{-1, -1, -1, -1}},
		{"dns a.x.com", 0, []float32{-1, -1, 0.5, 0.5}},
	} {
		x := make([]float32, n.width())
		n.fill(x, c.name, c.except)
		if diff := cmp.Diff(c.want, x); diff != "" {
			t.Errorf("%s without %d: %s", c.name, c.except, diff)
		}
	}
}

// Where few devices are in a home, a family has more homes. Names are not learned from more packets for that.
func TestNamesAreLearnedFromAsManyPacketsAtEachPoint(t *testing.T) {
	o := small(t, "devices=1,8", "path=napt,vpn")
	c, err := newCast(o.Scenario, o.Targets)
	if err != nil {
		t.Fatal(err)
	}
	w := &sweeper{o: o, cast: c, points: points(o.Axes, c.setting())}
	w.j = judge{classes: c.classes(), attackers: o.Attackers, packets: o.Packets, trees: 1, seed: o.Seed, workers: 2}
	w.o.Tell = func(Progress) {}
	w.cost = make([]float64, len(w.points))
	homes := make(map[int]bool)
	for i := range w.points {
		orders := w.orders(i, 0, o.Learn)
		homes[len(orders)] = true
		learn, err := w.live(t.Context(), i, orders, mostPackets, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		teach, err := w.j.collect(learn)
		if err != nil {
			t.Fatal(err)
		}
		a, err := w.j.train(t.Context(), teach, AttackerWAN)
		if err != nil {
			t.Fatal(err)
		}
		got, want := make([]int, len(w.j.classes)), make([]int, len(w.j.classes))
		for k := range want {
			want[k] = o.Packets
		}
		for name, m := range a.far.of {
			if strings.HasPrefix(name, ".") { // a domain counts what its names have
				continue
			}
			for k, n := range m.all {
				got[k] += n
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, %d homes: names are learned from so many packets of each class: %s", w.points[i].name(o.Axes), len(orders), diff)
		}
	}
	if len(homes) != 2 {
		t.Errorf("families of the points have as many homes: %v", homes)
	}
}
