// Command bench runs one small home (home.yaml) in ns-3, in the virtual world and in the live one, one after another,
// and prints simulated seconds per CPU second, WAN packets per CPU second, and peak memory:
//
//	go run ./testbed/bench
//
// It needs g++ and ns-3's development files (Debian: apt install g++ libns3-dev); without them, and where no live home can
// run, it says so and leaves that row out. All worlds are programs of their own, measured alike: processor time and memory
// are what the kernel counted for them and their children.
//
// ns-3 runs the home as UDP and TCP clients behind a router (ns3/home.cc): the same devices' periods and sizes, but random
// bytes that nobody looks at, no TLS, DNS or HTTP, no address translation, no Wi-Fi, no labels and nothing written. How often
// its people act is set first so that its WAN carries as many packets an hour as the virtual home's.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := 0
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = 1
	}
	stop()
	os.Exit(code)
}

func run(ctx context.Context) error {
	hours := flag.Float64("hours", 24, "simulated `hours` of ns-3 and of the virtual world")
	live := flag.Duration("live", time.Minute, "how long the live home runs; 0 leaves it out")
	rounds := flag.Int("rounds", 3, "`times` that ns-3 and the virtual world take turns; the fastest of each is printed")
	asJSON := flag.Bool("json", false, "print as JSON")
	flag.Parse()
	if flag.NArg() > 0 || *hours <= 0 || *rounds < 1 || *live < 0 {
		flag.Usage()
		return fmt.Errorf("hours and rounds are above 0, and there is no argument")
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "glasshouse-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{root: root, dir: dir, home: filepath.Join(root, "testbed", "bench", "home.yaml"), hours: *hours}
	res, err := b.all(ctx, *rounds, *live)
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(res)
	}
	return write(res)
}

// write prints the table.
func write(res []result) error {
	fmt.Printf("One home of six devices: Echo Dot, 360 camera, TP-Link plug, Xiaomi hub, two phones. %s/%s, %d processors, of which one is used by each simulator.\n\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tsimulated s\tWAN packets\twall s\tCPU s\tsimulated s/wall s\tpackets/wall s\tpackets/CPU s\tpeak MB\t")
	for _, r := range res {
		if r.Missing != "" {
			fmt.Fprintf(t, "%s\t%s\t\t\t\t\t\t\t\t\n", r.World, "not run")
			continue
		}
		fmt.Fprintf(t, "%s\t%.0f\t%d\t%.2f\t%.2f\t%.3g\t%.3g\t%.3g\t%.0f\t\n",
			r.World, r.SimulatedS, r.Packets, r.WallS, r.CPUS, r.SimulatedPerWall, r.PacketsPerWall, r.PacketsPerCPU, r.PeakMB)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Println()
	for _, r := range res {
		if r.Missing != "" {
			fmt.Printf("%s: not run: %s\n", r.World, r.Missing)
		} else if r.Note != "" {
			fmt.Printf("%s: %s\n", r.World, r.Note)
		}
	}
	return nil
}

// moduleRoot finds the directory of go.mod, from here upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module glasshouse\n") {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("not inside glasshouse's source tree")
		}
		dir = up
	}
}
