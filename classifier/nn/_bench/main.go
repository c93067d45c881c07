// Command bench measures the neural models beside PyTorch and oneDNN, all on two threads and in one run:
//
//	go run ./classifier/nn/_bench [-rounds 5] [-layers 1] [-cpu]
//
// BiLSTM, batches of 64 sequences of 64 steps of 16 features, hidden 128, 12 classes; training is forward, backward and Adam. Each round
// takes every contender in turn, each in a process of its own; the best round of each counts, since all that disturbs makes
// slower. PyTorch is Debian's (python3-torch), with OPENBLAS_NUM_THREADS=1. oneDNN's figure (libdnnl-dev, g++) is its LSTM primitives alone, without
// output layer, loss or Adam. With -cpu each has one thread, and processor time counts instead of the wall's: for machines that
// do other work meanwhile, where threads that wait for each other lose most. What is not installed is left out, with a word. Online figures are one packet at a
// time on one core; quick is as observe runs an LSTM, in whole numbers of 16 bits.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"syscall"
	"time"

	"glasshouse/classifier/nn"
)

const (
	batch, steps, features, hidden, classes = 64, 64, 16, 128, 12
	dir                                     = "classifier/nn/_bench/peers"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds; the best counts")
	layers := flag.Int("layers", 1, "layers of the BiLSTM")
	seconds := flag.Float64("seconds", 1.5, "time of a measurement")
	cpu := flag.Bool("cpu", false, "one thread, by processor time")
	work := flag.Bool("work", false, "measure in this process (used by itself)")
	flag.Parse()
	if *work {
		measure(*layers, *seconds, *cpu)
		return
	}
	if err := compare(*rounds, *layers, *seconds, *cpu); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// compare runs the contenders and prints the best of each.
func compare(rounds, layers int, seconds float64, cpu bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "nn-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	l, s, c := fmt.Sprint(layers), fmt.Sprint(seconds), "wall"
	omp := "OMP_NUM_THREADS=2"
	if cpu {
		c, omp = "cpu", "OMP_NUM_THREADS=1"
	}
	type contender struct {
		name string
		cmd  func() *exec.Cmd
	}
	var all []contender
	add := func(name string, env []string, args ...string) {
		all = append(all, contender{name, func() *exec.Cmd {
			c := exec.Command(args[0], args[1:]...)
			c.Env = append(os.Environ(), env...)
			c.Stderr = os.Stderr
			return c
		}})
	}
	for _, k := range []string{"avx512", "avx2"} {
		add(k, []string{"GLASSHOUSE_KERNEL=" + k}, self, "-work", "-layers", l, "-seconds", s, fmt.Sprintf("-cpu=%v", cpu))
	}
	if exec.Command("/usr/bin/python3", "-c", "import torch").Run() == nil {
		add("pytorch", []string{"OPENBLAS_NUM_THREADS=1", omp}, "/usr/bin/python3", filepath.Join(dir, "lstm.py"), l, s, c)
	} else {
		fmt.Fprintln(os.Stderr, "no PyTorch: apt-get install python3-torch")
	}
	onednn := filepath.Join(tmp, "onednn")
	if out, err := exec.Command("g++", "-O2", "-o", onednn, filepath.Join(dir, "onednn.cc"), "-ldnnl").CombinedOutput(); err == nil {
		add("onednn", []string{omp}, onednn, l, s, c)
	} else {
		fmt.Fprintf(os.Stderr, "no oneDNN (apt-get install libdnnl-dev g++): %s\n", out)
	}
	best := make(map[string]map[string]float64)
	for r := range rounds {
		for _, c := range all {
			out, err := c.cmd().Output()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			var got map[string]float64
			if err := json.Unmarshal(out, &got); err != nil {
				return fmt.Errorf("%s: %w: %s", c.name, err, out)
			}
			fmt.Fprintln(os.Stderr, "round", r+1, c.name, got)
			for k, v := range got {
				if best[k] == nil {
					best[k] = make(map[string]float64)
				}
				best[k][c.name] = max(best[k][c.name], v)
			}
		}
	}
	var keys []string
	for k := range best {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Printf("%s:\n", k)
		for _, c := range all {
			v, ok := best[k][c.name]
			if !ok {
				continue
			}
			fmt.Printf("  %-8s %12.0f packets/s", c.name, v)
			for _, of := range []string{"pytorch", "onednn"} {
				if p := best[k][of]; p > 0 && c.name != of {
					fmt.Printf("   %5.2f x %s", v/p, of)
				}
			}
			fmt.Printf("   %.3f us\n", 1e6/v)
		}
	}
	return nil
}

// measure prints packets per second of training, inference, and the online models.
func measure(layers int, seconds float64, cpu bool) {
	threads := 2
	now := func() float64 { return float64(time.Now().UnixNano()) / 1e9 }
	if cpu {
		threads = 1
		now = processorTime
	}
	runtime.GOMAXPROCS(threads)
	rate := func(seconds float64, packets int, f func()) float64 { return rate(now, seconds, packets, f) }
	spec := nn.Spec{Kind: nn.BiLSTM, Dense: features, Units: hidden, Layers: layers, Classes: classes}
	out := make(map[string]float64)
	b := nn.NewBatch(&spec, steps, batch)
	for i := range b.Dense {
		b.Dense[i] = float32(i%17)/17 - 0.5
	}
	for i := range b.Class {
		b.Class[i], b.Weight[i] = int32(i%classes), 1
	}
	for i := range b.Fresh {
		b.Fresh[i] = true
	}
	n := net(spec)
	tr := nn.NewTrainer(n, nn.TrainOptions{Workers: threads, Shard: batch / 2})
	out["training"] = rate(seconds, batch*steps, func() { tr.Step(b) })
	run, probs := nn.NewRunner(n, threads), make([]float32, batch*steps*classes)
	out["inference"] = rate(seconds, batch*steps, func() { run.Run(b, probs) })
	for _, o := range []struct {
		name string
		spec nn.Spec
	}{
		{"online lstm, hidden 64, 1 layer", nn.Spec{Kind: nn.LSTM, Dense: features, Units: 64, Layers: 1, Classes: classes}},
		{"online lstm, hidden 128, 1 layer", nn.Spec{Kind: nn.LSTM, Dense: features, Units: 128, Layers: 1, Classes: classes}},
		{"online lstm, hidden 64, 2 layers, ids (the paper's)", nn.Spec{Kind: nn.LSTM, Dense: 10, Embed: []nn.Embedding{{Vocab: 256, Dim: 30}}, Units: 64, Layers: 2, Classes: classes}},
		{"online lstm, hidden 128, 2 layers, ids", nn.Spec{Kind: nn.LSTM, Dense: 10, Embed: []nn.Embedding{{Vocab: 256, Dim: 30}}, Units: 128, Layers: 2, Classes: classes}},
		{"online bilstm, hidden 64, 2 layers (the paper's)", nn.Spec{Kind: nn.BiLSTM, Dense: 10, Embed: []nn.Embedding{{Vocab: 256, Dim: 30}}, Units: 64, Layers: 2, Classes: classes}},
	} {
		n := net(o.spec)
		streams := map[string]nn.Stream{o.name: n.NewStream()}
		if o.spec.Kind == nn.LSTM { // as observe runs it
			streams[o.name+", quick"] = n.NewQuickStream()
		}
		for name, st := range streams {
			dense, ids, p := make([]float32, features), []int32{3}, make([]float32, classes)
			for i := range dense {
				dense[i] = float32(i%5)/3 - 0.7
			}
			out[name] = rate(seconds/4, 1000, func() {
				for i := range 1000 {
					dense[0] = float32(i&7) / 8
					st.Step(dense, ids, p)
				}
			})
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(out)
}

func net(s nn.Spec) *nn.Net {
	n, err := nn.New(s, 1)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return n
}

// rate is packets a second in the best fifth of many short stretches.
func rate(now func() float64, seconds float64, packets int, f func()) float64 {
	f()
	end := time.Now().Add(time.Duration(seconds * 1e9))
	var took []float64
	for time.Now().Before(end) {
		t := now()
		f()
		took = append(took, now()-t)
	}
	sort.Float64s(took)
	took = took[:max(len(took)/5, 1)]
	sum := 0.0
	for _, t := range took {
		sum += t
	}
	return float64(packets*len(took)) / sum
}

// processorTime is what this process has used, seconds.
func processorTime() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
