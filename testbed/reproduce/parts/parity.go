package parts

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"glasshouse/classifier/evaluate"
	"glasshouse/classifier/train"
	"glasshouse/classifier/tree"
	"glasshouse/classifier/twosample"
	"glasshouse/scenarios"
	"glasshouse/testbed/dataset"
	"glasshouse/testbed/parity"
	"glasshouse/testbed/reproduce/results"
)

// liveStart is how long live homes take to start and to stop, about.
const liveStart = 20 * time.Second

func twoWorlds(e *Env, path scenarios.Path) spec {
	o := struct {
		Pairs int   `json:"pairs"`
		Each  int64 `json:"duration_ns"`
	}{e.Pairs, int64(e.Live)}
	rounds := time.Duration((e.Pairs + 5) / 6 * 2)
	return spec{
		name: "parity-" + string(path), title: "Live and virtual homes behind " + pathTitle(path), options: o,
		measures: fmt.Sprintf("%s of noisy-%s of %s, each run live twice (real sockets and kernels) and once in the virtual world. A forest "+
			"is trained to tell the sides apart by windows of 100 "+
			"packets: an AUC of 0.5 means that it cannot, 1 that it always can. Live against live is the floor.", plural(e.Pairs, "home"),
			path, e.Live),
		wall: rounds * (e.Live + liveStart), cpu: 5 * float64(e.Pairs) * e.Live.Minutes(),
		run: func(ctx context.Context, e *Env, dir string) (*results.Content, error) {
			if e.LiveProblem != "" {
				return nil, &results.MissingError{Reason: "Live homes cannot run on this machine: " + e.LiveProblem + ". See `glasshouse doctor`."}
			}
			return e.compareWorlds(ctx, dir, path)
		},
	}
}

// compareWorlds runs homes live twice, and virtually, and compares them.
func (e *Env) compareWorlds(ctx context.Context, dir string, path scenarios.Path) (*results.Content, error) {
	sc, err := scenarios.Load("noisy-" + string(path))
	if err != nil {
		return nil, err
	}
	o := TwinOrder{Scenario: sc, Duration: e.Live, TimeScale: timeScale}
	for i := range e.Pairs {
		o.Seeds = append(o.Seeds, e.Seed+uint64(i))
	}
	var sets [3][]*dataset.Dataset // first live, second live, virtual
	for round := range 2 {
		o.Out = filepath.Join(dir, fmt.Sprint("round-", round))
		twins, err := e.Twins(ctx, o)
		if err != nil {
			return nil, err
		}
		for i, t := range twins {
			if !t.Live.Valid {
				return nil, &results.InvalidError{Reason: fmt.Sprintf("seed %d, live: %v. The machine may have been busy", o.Seeds[i], t.Live.Reasons)}
			}
			live, err := dataset.Open(t.Live.Dataset)
			if err != nil {
				return nil, err
			}
			sets[round] = append(sets[round], live)
			if round == 0 {
				virtual, err := dataset.Open(t.Virtual.Dataset)
				if err != nil {
					return nil, err
				}
				sets[2] = append(sets[2], virtual)
			}
		}
		e.Tell(fmt.Sprintf("round %d of 2 is complete", round+1))
	}
	var all []*parity.Result
	t := results.Table{Columns: []string{"sides", "same script", "streams with equal messages", "AUC (95 % interval over homes)", "windows"}}
	for _, c := range []struct {
		name string
		a, b int
	}{{"live and live", 0, 1}, {"first live and virtual", 0, 2}, {"second live and virtual", 1, 2}} {
		p, err := e.pair(ctx, sets[c.a], sets[c.b])
		if err != nil {
			return nil, err
		}
		all = append(all, p)
		t.Rows = append(t.Rows, append([]string{c.name}, parityRow(p)...))
	}
	return &results.Content{Tables: []results.Table{t}, Notes: transferNotes(all), Data: all}, nil
}

func (e *Env) pair(ctx context.Context, a, b []*dataset.Dataset) (*parity.Result, error) {
	pairs := make([]parity.Pair, len(a))
	for i := range a {
		pairs[i] = parity.Pair{A: a[i], B: b[i]}
	}
	return parity.Compare(ctx, pairs, parity.Options{
		Test:     twosample.Options{Workers: e.Workers},
		Transfer: evaluate.TransferOptions{Train: train.Options{Kind: "forest", Forest: tree.ForestOptions{Workers: e.Workers}}},
	})
}

func parityRow(p *parity.Result) []string {
	script := fmt.Sprintf("yes, %d events", p.Script.Events)
	if !p.Script.Equal {
		script = fmt.Sprintf("no: %d of %d events differ", p.Script.Differing, p.Script.Events)
	}
	streams := "not compared"
	if p.Messages.Compared {
		streams = fmt.Sprintf("%d of %d", p.Messages.Equal, p.Messages.Streams)
	}
	auc, windows := "too few packets", ""
	if t := p.Test; t != nil {
		auc, windows = fmt.Sprintf("%.2f (%.2f to %.2f)", t.AUC, t.Low, t.High), fmt.Sprintf("%d and %d", t.Windows[0], t.Windows[1])
	}
	return []string{script, streams, auc, windows}
}

// transferNotes say what a forest loses that is trained on virtual homes and watches live ones.
func transferNotes(all []*parity.Result) []string {
	var out []string
	for i, name := range []string{"", "first", "second"} {
		r := all[i].Transfer
		if i == 0 || r == nil { // the first is live and live
			continue
		}
		out = append(out, fmt.Sprintf("A forest trained on virtual homes has %.1f points of macro-F1 less on unseen live homes than one "+
			"trained on their live twins "+
			"(%.1f to %.1f over %s; %s live set).", 100*r.Loss, 100*r.Low, 100*r.High, plural(r.Homes, "home"), name))
	}
	if len(out) == 0 {
		out = append(out, "What a model trained on virtual homes loses on live ones is not measured: it takes six homes or more.")
	}
	return append(out, caution(len(all[0].Seeds))...)
}
