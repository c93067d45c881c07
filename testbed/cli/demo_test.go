package cli

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"glasshouse/classifier/model"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/run"
)

// One home that is not valid makes the demo not valid, and is named; stray packets of either home count.
func TestDemoFaults(t *testing.T) {
	home := func(name string, res *run.Result) *demoHome { return &demoHome{name: name, res: res} }
	good := &run.Result{Valid: true, Packets: run.Counts{WAN: 10}}
	d := &demo{napt: home("napt", good), vpn: home("vpn", good)}
	if diff := cmp.Diff([]string{}, d.faults()); diff != "" {
		t.Error(diff)
	}
	d.vpn = home("vpn", &run.Result{Reasons: []string{"3 packets have no owner"}, Packets: run.Counts{WAN: 5, Unattributed: 3}})
	if diff := cmp.Diff([]string{"vpn: 3 packets have no owner"}, d.faults()); diff != "" {
		t.Error(diff)
	}
	if wan, stray := d.packets(); wan != 15 || stray != 3 {
		t.Errorf("%d packets, %d of them stray", wan, stray)
	}
}

// Packets are drawn from all that were labelled, however unequal the classes are: wrong guesses come up as often as they are made, and none
// comes twice.
func TestSampleShowsTheShareOfRightGuesses(t *testing.T) {
	s := newSample(7)
	const packets, wrong = 4000, 400
	for i := range packets { // the wrong ones are all of one rare class, and come last, as in a short burst
		g := guessed{row: dataset.Row{Observation: dataset.Observation{Frame: int64(i)}, Label: dataset.Label{Class: "noise"}}, class: "noise"}
		if i >= packets-wrong {
			g.row.Class = "tplink-plug"
		}
		s.add([]guessed{g})
	}
	seen := make(map[int64]bool)
	missed := 0
	for range 1000 {
		g, ok := s.draw()
		if !ok || seen[g.row.Frame] {
			t.Fatalf("frame %d, %v: drawn twice", g.row.Frame, ok)
		}
		seen[g.row.Frame] = true
		if g.class != g.row.Class {
			missed++
		}
	}
	if missed < 70 || missed > 130 { // 100 on average, with a standard deviation of 8
		t.Errorf("%d of 1000 drawn are wrong; a tenth of all are", missed)
	}
	for range packets - 1000 {
		if _, ok := s.draw(); !ok {
			t.Fatal("the sample ended early")
		}
	}
	if _, ok := s.draw(); ok {
		t.Error("more was drawn than there is")
	}
}

func TestShareInWords(t *testing.T) {
	for share, want := range map[float64]string{
		0: "none", 0.02: "very few", 0.36: "about 4 in 10", 0.9: "about 9 in 10", 0.94: "about 19 in 20", 0.98: "nearly all", 0.9999: "nearly all", 1: "all",
	} {
		if got := inWords(share); got != want {
			t.Errorf("%v: %q, want %q", share, got, want)
		}
	}
}

// A scene draws its packets although the home's run is over: on a slow machine, training takes longer than the home.
func TestWatchShowsAHomeThatIsOver(t *testing.T) {
	sc, err := scenarios.Load("demo-napt")
	if err != nil {
		t.Fatal(err)
	}
	h := newDemoHome("napt", sc, nil, 1, "virtual")
	for i := range 20 {
		h.passed(dataset.Row{
			Observation: dataset.Observation{TsNs: int64(sc.WarmUp) * int64(i), Frame: int64(i + 1), Dir: 1, Length: 100},
			Label:       dataset.Label{Class: "noise", Kind: "phone"},
		})
	}
	close(h.over)
	var out strings.Builder
	if err := newScenes(&out, io.Discard).watch(t.Context(), h, oneClass{}, 1, 2500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "✓"); n < 2 || !strings.Contains(out.String(), "Of all 19 packets so far\n  all are (100.0 %)") {
		t.Errorf("%d packets shown:\n%s", n, out.String())
	}
}

// oneClass is a model that knows one class.
type oneClass struct{}

func (oneClass) Classes() []string    { return []string{"noise"} }
func (oneClass) Stream() model.Stream { return oneClass{} }
func (oneClass) Meta() *model.Meta    { return &model.Meta{} }
func (oneClass) Save(io.Writer) error { return nil }
func (oneClass) Flush([]float32) (int64, bool) {
	return 0, false
}

func (oneClass) Step(o *dataset.Observation, p []float32) (int64, bool) {
	p[0] = 1
	return o.Frame, true
}

// Lines of the demo fit 80 columns, with the longest names there are.
func TestDemoLinesFit(t *testing.T) {
	g := guessed{
		row: dataset.Row{
			Observation: dataset.Observation{TsNs: 9_999_900e6, Dir: -1, RemoteAddr: "198.198.198.198", RemotePort: 65535, AppProto: "wireguard", Length: 1514},
			Label:       dataset.Label{Class: "mitu-storyteller"},
		},
		class: "mitu-storyteller", p: 1,
	}
	if line := demoLine(&g, 0); !strings.HasSuffix(line, "✓") {
		t.Errorf("%q: the guess is right", line)
	}
	g.class = "broadlink-plug"
	lines := []string{demoLine(&g, 0), "  " + packetLine(&g.row), fit(strings.Repeat("a word ", 30), columns), fit(strings.Repeat("x", 200), columns)}
	if !strings.HasSuffix(lines[0], "✗ mitu-storyteller") {
		t.Errorf("%q: the guess is wrong", lines[0])
	}
	for _, name := range []string{"demo-napt", "demo-vpn"} {
		sc, err := scenarios.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		s := newScenes(&out, io.Discard)
		for seed := range uint64(8) {
			home, err := sc.Draw(seed, 0)
			if err != nil {
				t.Fatal(err)
			}
			s.house(newDemoHome(name, sc, home, seed, "virtual"))
		}
		long := 9999 * time.Second
		s.training(&demoTraining{recipe: recipeOf("napt"), generated: long, training: long}, &model.Meta{
			Kind: "forest", Packets: 9_999_999, TrainedOn: make([]model.HomeID, 999),
		})
		s.opening(&demo{asked: math.MaxUint64, seed: 1, world: "live"})
		lines = append(lines, strings.Split(out.String(), "\n")...)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > columns {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}
