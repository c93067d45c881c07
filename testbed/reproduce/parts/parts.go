// Package parts are the experiments behind RESULTS.md: each makes its homes, measures, and returns tables; results keeps and writes them.
//
// How much is run is a Budget, and all homes and times of a part follow from it. Every part is a function of the budget and the seed
// alone, but for those that measure wall time (throughput) or run live homes (parity). Called by the command line, from one goroutine.
package parts

import (
	"context"
	"fmt"
	"time"

	"glasshouse/scenarios"
	"glasshouse/testbed/generate"
	"glasshouse/testbed/reproduce"
	"glasshouse/testbed/reproduce/results"
	"glasshouse/testbed/run"
)

// Budget says how much is run.
type Budget struct {
	Kinds    []string      `json:"models"`
	Seeds    int           `json:"seeds"`       // models of each kind, of seeds that follow each other
	Homes    int           `json:"homes"`       // that test; three fifths as many train
	Duration time.Duration `json:"duration_ns"` // of a home; table 1 has 32 times that for each row, short homes a quarter
	Epochs   int           `json:"epochs"`      // of neural models, at most
	Live     time.Duration `json:"live_ns"`     // of a live home
	Pairs    int           `json:"pairs"`       // of live and virtual homes
}

// Full takes under 90 minutes on two cores of the reference machine, Quick under 10, by the estimates of
// the parts that need no captures.
func Full() Budget {
	return Budget{
		Kinds: []string{"forest", "boost", "lstm", "bilstm", "tcn"}, Seeds: 3, Homes: 16, Duration: 45 * time.Minute, Epochs: 5,
		Live: 3 * time.Minute, Pairs: 6,
	}
}

// Quick is the budget of --quick.
func Quick() Budget {
	b := Full()
	b.Seeds, b.Homes, b.Duration, b.Epochs, b.Live, b.Pairs = 2, 8, 10*time.Minute, 1, 30*time.Second, 2
	return b
}

// train is how many homes train models.
func (b *Budget) train() int { return max(2, 3*b.Homes/5) }

// shortHome is how long a home lasts where much is trained on it.
func (b *Budget) shortHome() time.Duration { return max(b.Duration/4, 3*time.Minute) }

// hours is the simulated time of a data set of the models' homes, for estimates.
func (b *Budget) hours(homes int, each time.Duration) float64 { return float64(homes) * each.Hours() }

// Env is what parts run with.
type Env struct {
	Budget
	Seed     uint64
	Workers  int
	Captures string // directory of others' captures; "" = none
	Now      func() time.Time
	Tell     func(line string) // progress within a part

	// Twins runs homes live and virtually; LiveProblem says why none can be run live here, or is "".
	Twins       func(ctx context.Context, o TwinOrder) ([]Twin, error)
	LiveProblem string
	// Generate runs `generate` in a process of its own, so that memory and time are its own.
	Generate func(ctx context.Context, args ...string) (*generate.Result, error)
	// Command is the command that repeats a part.
	Command func(part string) string
}

// TwinOrder says which homes are run in both worlds.
type TwinOrder struct {
	Scenario  *scenarios.Scenario
	Seeds     []uint64
	Duration  time.Duration
	TimeScale float64
	Out       string
}

// Twin is a home that was run in both worlds.
type Twin struct{ Live, Virtual *run.Result }

// timeScale is how often people act in the homes of all parts, relative to life.
const timeScale = reproduce.HomeMoleTimeScale

// spec is a part before it is bound to an environment.
type spec struct {
	name, title, measures string
	options               any
	cpu                   float64 // processor seconds on one core of the reference machine, an AMD EPYC (Zen 4)
	wall                  time.Duration
	run                   func(context.Context, *Env, string) (*results.Content, error)
}

// All lists the parts in their order in the file.
func All(e *Env) []results.Part {
	specs := []spec{protocols(e)}
	for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
		specs = append(specs, models(e, path))
	}
	specs = append(specs, homeMole(e))
	for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
		specs = append(specs, unknown(e, path))
	}
	specs = append(specs, activities(e), hides(e))
	for _, path := range []scenarios.Path{scenarios.PathNAPT, scenarios.PathVPN} {
		specs = append(specs, twoWorlds(e, path))
	}
	specs = append(specs, throughput(e), realData(e), comparison(e))
	out := make([]results.Part, len(specs))
	for i, s := range specs {
		out[i] = results.Part{
			Name: s.name, Title: s.title, Measures: s.measures, Options: s.options, Command: e.Command(s.name),
			Estimate: s.wall + time.Duration(s.cpu/float64(max(e.Workers, 1))*float64(time.Second)),
			Run:      func(ctx context.Context, dir string) (*results.Content, error) { return s.run(ctx, e, dir) },
		}
	}
	return out
}

// Names lists the parts' names.
func Names() []string {
	var out []string
	for _, p := range All(&Env{Budget: Full(), Command: func(string) string { return "" }}) {
		out = append(out, p.Name)
	}
	return out
}

// pathTitle is a path as headings have it.
func pathTitle(p scenarios.Path) string {
	if p == scenarios.PathVPN {
		return "WireGuard"
	}
	return "NAPT"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
