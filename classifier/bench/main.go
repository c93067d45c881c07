// Command bench measures the forest beside scikit-learn's, in one run, on two threads: training on 200,000 rows of 16 numbers
// (100 trees), and labelling a home's packets as they pass with a forest of 20 trees.
//
//	go run . generate noisy-napt --homes 2 --duration 10m --seed 1 -o /tmp/homes
//	go run ./classifier/bench /tmp/homes
//
// It needs Debian's python3-sklearn for the comparison. The rows are drawn: 12 classes of 3 clusters each, which overlap; one
// label in ten is wrong. Timings are the best of -turns, taken in turn.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"glasshouse/classifier/tree"
)

const (
	rows     = 200_000
	tests    = 50_000
	features = 16
	classes  = 12
	threads  = 2
	trees    = 100
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	turns := flag.Int("turns", 3, "how often each is measured")
	flag.Parse()
	if flag.NArg() != 1 {
		return errors.New("usage: go run ./classifier/bench DATASET (one with captures)")
	}
	runtime.GOMAXPROCS(threads)
	if err := training(ctx, *turns); err != nil {
		return err
	}
	return labelling(ctx, flag.Arg(0), *turns)
}

// result is one way to train.
type result struct {
	What     string  `json:"what"`
	Seconds  float64 `json:"seconds"`
	Accuracy float64 `json:"accuracy"`
}

func training(ctx context.Context, turns int) error {
	x, y := draw(rows, 1)
	xt, yt := draw(tests, 2)
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, v := range map[string]any{"x": x, "y": y, "xt": xt, "yt": yt} {
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			return err
		}
	}
	best := make(map[string]result)
	var order []string
	keep := func(r result) {
		if old, ok := best[r.What]; !ok {
			order = append(order, r.What)
			best[r.What] = r
		} else if r.Seconds < old.Seconds {
			best[r.What] = r
		}
	}
	for range turns {
		for _, o := range []struct {
			what string
			o    tree.ForestOptions
		}{
			{"ours, as train grows it", tree.ForestOptions{}},
			{"ours, leaves as small as can be", tree.ForestOptions{MinLeaf: 1, MaxDepth: 100}},
		} {
			o.o.Trees, o.o.Workers, o.o.Seed = trees, threads, 1
			began := time.Now()
			f, err := tree.FitRows(ctx, x, features, y, classes, o.o)
			if err != nil {
				return err
			}
			keep(result{o.what, time.Since(began).Seconds(), accuracy(f, xt, yt)})
		}
		theirs, err := scikit(ctx, dir)
		if err != nil {
			return err
		}
		for _, r := range theirs {
			keep(r)
		}
	}
	fmt.Printf("training %d trees on %d x %d, %d classes, %d threads; best of %d\n", trees, rows, features, classes, threads, turns)
	for _, what := range order {
		r := best[what]
		fmt.Printf("  %-42s %7.2f s   accuracy on %d others %.4f\n", r.What, r.Seconds, tests, r.Accuracy)
	}
	return nil
}

// scikit trains scikit-learn's forest on the files of a directory.
func scikit(ctx context.Context, dir string) ([]result, error) {
	script := filepath.Join("classifier", "bench", "forest.py")
	if _, err := os.Stat(script); err != nil {
		return nil, errors.New("run it from the top of the repository: go run ./classifier/bench")
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", script, dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("scikit-learn (Debian's python3-sklearn): %w", err)
	}
	var r []result
	if err := json.Unmarshal(out, &r); err != nil {
		return nil, fmt.Errorf("scikit-learn says %q: %w", out, err)
	}
	return r, nil
}

// draw draws rows and their classes; another seed gives other rows of the same classes.
func draw(n int, seed uint64) (x []float32, y []uint8) {
	r := rand.New(rand.NewPCG(0, 0))
	var centres [classes][3][features]float64
	for c := range centres {
		for k := range centres[c] {
			for f := range features {
				centres[c][k][f] = r.NormFloat64() * 1.2
			}
		}
	}
	r = rand.New(rand.NewPCG(seed, 1))
	for range n {
		c := r.IntN(classes)
		for _, m := range centres[c][r.IntN(3)] {
			x = append(x, float32(m+r.NormFloat64()))
		}
		if r.IntN(10) == 0 {
			c = r.IntN(classes)
		}
		y = append(y, uint8(c))
	}
	return x, y
}

func accuracy(f *tree.RowForest, x []float32, y []uint8) float64 {
	probs := make([]float32, classes)
	right := 0
	for i, c := range y {
		f.Predict(x[i*features:(i+1)*features], probs)
		best := 0
		for k, p := range probs {
			if p > probs[best] {
				best = k
			}
		}
		if best == int(c) {
			right++
		}
	}
	return float64(right) / float64(len(y))
}
