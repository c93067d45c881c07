// Package generate makes datasets of many homes in the virtual world, in parallel, home by home: a run that was stopped goes on where it
// was, and a shard is a function of scenario, seed and index alone. Wall time is measured for the report; no home sees it.
package generate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"glasshouse/emulator/wire/secure"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/label"
	"glasshouse/testbed/run"
	"glasshouse/testbed/virtual"
)

// Options say which homes to live in the virtual world. Equal scenarios, seeds, homes, durations and kinds of output
// give equal bytes, whatever Workers and the shard are.
type Options struct {
	Scenario  *scenarios.Scenario
	Seed      uint64
	Homes     int           // of the whole run
	Duration  time.Duration // of script time, each home
	Workers   int           // homes that are lived at once
	Shard, Of int           // which part of the homes: 1 of 1 is all of them
	Out       string
	Captures  string // dataset.CapturesAll, CapturesWAN or CapturesNone
	Snaplen   int    // bytes kept of a captured frame; 0 = all
	TimeScale float64

	Progress func(Progress) // called now and then, from one goroutine at a time
}

// Progress tells how far a run is.
type Progress struct {
	Homes, Of int           // whole homes, of this shard's
	Simulated time.Duration // of this call, all homes together
	Left      time.Duration // of script time that is still to come
	Packets   int64         // on the WAN, of this call
	Wall      time.Duration
}

// Result is what a call did; the JSON keys are the contract's. Counts of homes and packets are those of the data set.
type Result struct {
	Homes       int      `json:"homes"`
	Packets     int64    `json:"packets"`
	SimulatedS  float64  `json:"simulated_s"` // by this call
	WallS       float64  `json:"wall_s"`
	PacketsPerS float64  `json:"packets_per_s"` // made by this call, a wall second
	PeakRSSMB   float64  `json:"peak_rss_mb"`
	Digest      string   `json:"digest"`
	Dataset     string   `json:"dataset"`
	Seed        uint64   `json:"seed"`
	Valid       bool     `json:"valid"`
	Reasons     []string `json:"reasons"`
	Complete    bool     `json:"complete"` // all homes of the run, or of its shard, are there
	Already     bool     `json:"already"`  // and were before: nothing was done
	Resumed     int      `json:"resumed"`  // homes that were there already
}

// shardHomes lists the homes of a shard: every n-th one, so that shards are of one size.
func (o *Options) shardHomes() []int {
	var homes []int
	for h := o.Shard - 1; h < o.Homes; h += o.Of {
		homes = append(homes, h)
	}
	return homes
}

// Homes lives homes in the virtual world and writes their data set. A run that was stopped, or killed, goes on where it
// was: home by home.
func Homes(ctx context.Context, o Options) (*Result, error) {
	began := time.Now()
	density := o.TimeScale
	if density == 0 {
		density = o.Scenario.Household.Density
	}
	about := run.Description{
		Scenario: o.Scenario, Seed: o.Seed, World: dataset.WorldVirtual, StartNs: o.Scenario.Start.UnixNano(),
		Duration: o.Duration, Density: density,
	}
	m := about.Manifest()
	m.RunHomes, m.Captures, m.Snaplen = o.Homes, o.Captures, o.Snaplen
	if o.Of > 1 {
		m.Shard = fmt.Sprintf("%d/%d", o.Shard, o.Of)
	}
	m.Vocabulary = label.ScenarioVocabulary(o.Scenario)
	set, found, err := dataset.OpenOrCreate(o.Out, m, []byte(o.Scenario.YAML()))
	if err != nil {
		return nil, err
	}
	res := &Result{Dataset: o.Out, Seed: o.Seed, Complete: true, Already: found == dataset.FoundComplete}
	g := &generator{o: o, about: about, set: set, began: began, counts: make(map[int]homeProgress)}
	if found != dataset.FoundComplete {
		if err := g.run(ctx); err != nil {
			return nil, err
		}
		if err := set.FinishHomes(len(g.reasons) == 0, g.sortedReasons()); err != nil {
			return nil, err
		}
	}
	d, err := dataset.Open(o.Out)
	if err != nil {
		return nil, err
	}
	res.Homes, res.Packets, res.Digest = len(d.Manifest.Homes), d.Manifest.Counts.WAN, d.Manifest.Digest()
	res.Valid, res.Reasons = d.Manifest.Valid, d.Manifest.Reasons
	if res.Reasons == nil {
		res.Reasons = []string{}
	}
	made := g.total()
	res.Resumed = g.resumed
	res.SimulatedS, res.WallS = made.simulated.Seconds(), time.Since(began).Seconds()
	res.PacketsPerS = float64(made.packets) / max(res.WallS, 1e-9)
	res.PeakRSSMB = peakRSS()
	return res, nil
}

// generator lives the homes of a shard.
type generator struct {
	o       Options
	about   run.Description
	set     *dataset.Set
	began   time.Time
	resumed int
	chains  secure.Chains // of the homes' clouds

	mu      sync.Mutex
	counts  map[int]homeProgress
	whole   int
	of      int
	reasons map[int][]string
}

type homeProgress struct {
	simulated time.Duration
	packets   int64
}

// run lives what is not there yet.
func (g *generator) run(ctx context.Context) error {
	g.reasons = make(map[int][]string)
	homes := g.o.shardHomes()
	g.of = len(homes)
	left := make([]int, 0, len(homes))
	for _, home := range homes {
		if g.set.Done(home) {
			g.resumed++
			continue
		}
		left = append(left, home)
	}
	g.mu.Lock()
	g.whole = g.resumed
	g.mu.Unlock()
	workers, running := errgroup.WithContext(ctx)
	workers.SetLimit(max(g.o.Workers, 1))
	for _, home := range g.o.inOrder(left, g.about.Density) {
		if running.Err() != nil {
			break
		}
		workers.Go(func() error {
			if err := g.home(running, home); err != nil {
				return fmt.Errorf("home %d: %w", home, err)
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// Home lives one home.
func (g *generator) home(ctx context.Context, index int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sc := g.o.Scenario
	h, err := sc.Draw(g.o.Seed, index)
	if err != nil {
		return err
	}
	names := label.NewLabeller(h.Specimens, h.Activities())
	options, err := g.about.HomeOptions(h)
	if err != nil {
		return err
	}
	options.Snaplen = g.o.Snaplen
	files := names.Direct(options)
	files.Captures, files.LAN = g.o.Captures != dataset.CapturesNone, g.o.Captures == dataset.CapturesAll
	part := g.set.PartPath(index)
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	r, err := virtual.Simulate(ctx, virtual.Order{
		Scenario: sc, Home: h, Names: names, Duration: g.o.Duration, Density: g.about.Density, Dir: part, Chains: &g.chains,
		Options:  files,
		Progress: func(done time.Duration, n run.Counts) { g.report(index, homeProgress{done, n.WAN}, false) },
	})
	if err != nil {
		return err
	}
	if err := g.set.HomeDone(names.Home(h), r.Counts, r.Fidelity, r.Files); err != nil {
		return err
	}
	g.mu.Lock()
	if len(r.Reasons) > 0 {
		g.reasons[index] = r.Reasons
	}
	g.mu.Unlock()
	g.report(index, homeProgress{r.Simulated, r.Packets.WAN}, true)
	return nil
}

func (g *generator) report(home int, p homeProgress, whole bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts[home] = p
	if whole {
		g.whole++
	}
	if g.o.Progress == nil {
		return
	}
	sum := homeProgress{}
	for _, c := range g.counts {
		sum.simulated += c.simulated
		sum.packets += c.packets
	}
	g.o.Progress(Progress{
		Homes: g.whole, Of: g.of, Simulated: sum.simulated, Packets: sum.packets, Wall: time.Since(g.began),
		Left: time.Duration(g.of-g.resumed)*g.o.Duration - sum.simulated,
	})
}

func (g *generator) total() homeProgress {
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := homeProgress{}
	for _, c := range g.counts {
		sum.simulated += c.simulated
		sum.packets += c.packets
	}
	return sum
}

func (g *generator) sortedReasons() []string {
	out := []string{}
	for _, home := range g.o.shardHomes() {
		out = append(out, g.reasons[home]...)
	}
	return out
}

// ErrShard means that a shard is not one of those that there are.
var ErrShard = errors.New("a shard is I/N, with I from 1 to N, and no more shards than homes")

// CheckShard tells whether a shard is one of a run's.
func CheckShard(shard, of, homes int) error {
	if of < 1 || shard < 1 || shard > of || of > homes {
		return fmt.Errorf("%w: %d/%d of %d homes", ErrShard, shard, of, homes)
	}
	return nil
}
