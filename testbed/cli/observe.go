package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"glasshouse/classifier"
	"glasshouse/classifier/activity"
	"glasshouse/classifier/neural"
	"glasshouse/testbed/frames"
	"glasshouse/testbed/plain"
	"glasshouse/testbed/watch"
)

type observeOptions struct {
	iface   string
	model   string
	local   []string
	window  int
	only    string
	json    bool
	howLong time.Duration
}

func newObserve() *cobra.Command {
	var o observeOptions
	cmd := &cobra.Command{
		Use:   "observe FILE.pcap[ng] | -i IFACE",
		Short: "Label the packets of a capture or an interface as they pass",
		Long: `Labels each packet that crosses the edge of a home with the device that a model predicts, as soon as the model has its result,
and lists for each window of packets the devices in it, with their first and last packet and their activity (voice-command, streaming,
motion, switching, browsing, call, idle). Captures from any tool can be read: pcap or pcapng, gzip-compressed or not, or - for standard input; of
Ethernet, raw IP, Linux cooked, BSD loopback or PPP frames. Use a model trained behind a VPN for captures behind a VPN.

The home's side is given by --local, or else detected from the first packets: the one public address at an end of nearly all of
them, or private addresses that exchange packets with public ones. Frames that are not labelled are counted by reason, in left_out of --json.

A model that was trained with --unknown labels packets "unknown" that seem to come from a device outside the training data; their
probability is then the novelty score. Windows have a novelty score, too, and are unknown where it exceeds the threshold that only the
share given to --unknown of known windows exceeds. The threshold holds for windows of the model's own size: with another --window, and for a
short last window, none is unknown.

On a terminal a table is shown while packets pass. With --json each packet and each window is one line; the last line is the summary.

Watching an interface needs CAP_NET_RAW and Linux; Ctrl-C stops it.`,
		Example: `  glasshouse observe theirs.pcap --model napt.model
  glasshouse observe theirs.pcapng --model napt.model --local 203.0.113.7 --json
  glasshouse observe -i eth0 --model vpn.model --local 192.168.1.0/24
  glasshouse shell gateway -- glasshouse observe -i eth0 --model napt.model`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.iface != "" {
				return cobra.NoArgs(cmd, args)
			}
			if len(args) != 1 {
				return errors.New("a capture FILE or -i IFACE is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file := ""
			if len(args) == 1 {
				file = args[0]
			}
			return runObserve(cmd.Context(), &o, file, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.iface, "interface", "i", "", "watch the network interface `IFACE`")
	f.StringVar(&o.model, "model", "", "`FILE` of the model (required)")
	f.StringSliceVar(&o.local, "local", nil, "`ADDRESSES` or prefixes of the home's side (default: detected from the packets)")
	f.IntVar(&o.window, "window", 0, "`PACKETS` of a window (default the model's)")
	f.StringVar(&o.only, "only", "", "with --json: packets, windows or end, instead of all three")
	f.Var(durationFlag{&o.howLong}, "duration", "how long to watch an interface (default: until Ctrl-C)")
	f.BoolVar(&o.json, "json", false, "print JSON lines")
	return cmd
}

// Kinds of lines.
const (
	linePacket = "packet"
	lineWindow = "window"
	lineEnd    = "end"
)

type packetOut struct {
	Type        string  `json:"type"`
	Frame       int64   `json:"frame"` // in the capture, from 1
	TsNs        int64   `json:"ts_ns"`
	Dir         int8    `json:"dir"`
	Length      int32   `json:"length"`
	RemoteAddr  string  `json:"remote_addr"`
	RemotePort  uint16  `json:"remote_port"`
	AppProto    string  `json:"app_proto"`
	Class       string  `json:"class"`
	Probability float32 `json:"probability"`
}

type windowOut struct {
	Type string `json:"type"`
	*watch.Window
}

// endOut is the summary; without JSON lines it is all that is printed.
type endOut struct {
	Type    string             `json:"type"`
	Model   string             `json:"model"`
	Path    string             `json:"path"` // of the homes that the model was trained on
	Local   string             `json:"local"`
	Counts  watch.Counts       `json:"counts"`
	Dropped int64              `json:"dropped"` // by the kernel, of a live interface
	Cut     bool               `json:"cut"`     // the file ends within a packet
	Classes []watch.ClassTotal `json:"classes"`
	LeftOut frames.LeftOut     `json:"left_out"` // frames that are not labelled, by reason
	Notes   []string           `json:"notes"`    // anomalies of the capture
	WallS   float64            `json:"wall_s"`
}

func (o *observeOptions) check() error {
	switch {
	case o.model == "":
		return errors.New("--model FILE is needed")
	case o.only != "" && !o.json:
		return errors.New("--only goes with --json")
	case o.window < 0:
		return errors.New("--window must be 1 or more")
	case o.howLong > 0 && o.iface == "":
		return errors.New("--duration goes with -i")
	case o.only != "":
		return checkName("--only", o.only, []string{"packets", "windows", "end"})
	}
	return nil
}

func runObserve(ctx context.Context, o *observeOptions, file string, stdout, stderr io.Writer) error {
	if err := o.check(); err != nil {
		return usage(err)
	}
	local, err := watch.ParseLocal(o.local)
	if err != nil {
		return usagef("--local %w", err)
	}
	m, err := classifier.LoadFile(o.model)
	if err != nil {
		return usage(err)
	}
	out := bufio.NewWriterSize(stdout, 1<<16)
	w := watch.New(neural.Quick(m), local, o.window)
	view := newObserveView(stderr, w)
	enc := json.NewEncoder(out)
	if o.json && (o.only == "" || o.only == "packets") {
		w.OnPacket = func(p *watch.Packet) error {
			return enc.Encode(packetOut{linePacket, p.Frame, p.TsNs, p.Dir, p.Length, p.RemoteAddr, p.RemotePort, p.AppProto, p.Class, p.Probability})
		}
	}
	w.OnWindow = func(win *watch.Window) error {
		view.window(win)
		if o.json && (o.only == "" || o.only == "windows") {
			return enc.Encode(windowOut{lineWindow, win})
		}
		return nil
	}
	began := time.Now()
	end := endOut{Type: lineEnd, Model: m.Meta().Kind, Path: m.Meta().Path, LeftOut: make(frames.LeftOut), Notes: []string{}}
	if o.iface != "" {
		if o.howLong > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, o.howLong)
			defer cancel()
		}
		fmt.Fprintf(stderr, "watching %s; Ctrl-C stops it\n", o.iface)
		end.Dropped, err = watch.Interface(ctx, o.iface, func(f frames.Record) error {
			view.tick()
			if f.Data == nil { // no packet for a while: flush what is buffered
				return out.Flush()
			}
			return w.Frame(f)
		})
	} else {
		err = observeFile(ctx, file, w, view, &end)
	}
	if err == nil {
		err = w.Close()
	}
	view.done()
	if err != nil {
		_ = out.Flush()
		if errors.Is(err, watch.ErrSide) {
			return usage(err)
		}
		return err
	}
	end.LeftOut.Add(w.LeftOut())
	end.Local, end.Counts, end.Classes, end.WallS = w.Local().String(), w.Counts(), w.Totals(), time.Since(began).Seconds()
	switch {
	case o.json && (o.only == "" || o.only == "end"):
		err = enc.Encode(&end)
	case !o.json:
		err = writeObserved(out, &end)
	}
	return errors.Join(err, out.Flush())
}

// observeFile labels a capture file. One that ends within a packet is labelled up to there.
func observeFile(ctx context.Context, file string, w *watch.Watcher, view *observeView, end *endOut) error {
	r, err := frames.Open(file)
	if err != nil {
		return usage(err)
	}
	defer r.Close()
	for n := 0; ; n++ {
		rec, err := r.Record()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return usage(err)
		}
		if err := w.Frame(rec); err != nil {
			return usage(err)
		}
		if n%1024 == 0 {
			view.tick()
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	end.LeftOut.Add(r.LeftOut())
	end.Cut, end.Notes = r.LeftOut()[frames.CutOff] > 0, append(end.Notes, r.Notes()...)
	for _, note := range r.Notes() {
		fmt.Fprintf(view.w, "%s: %s\n", file, note)
	}
	return nil
}

func writeObserved(w io.Writer, e *endOut) error {
	t := plain.NewTable(w)
	fmt.Fprintf(t, "%s: %d labelled by the %s (trained on %s homes), %d inside the home, %d not IP, %d dropped; home side %s\n\n",
		plain.Count(e.Counts.Frames, "frame"), e.Counts.Labeled, e.Model, e.Path, e.Counts.Inside, e.Counts.NotIP, e.Dropped, e.Local)
	if e.LeftOut.Total() > 0 {
		fmt.Fprintf(t, "left out: %s\n\n", e.LeftOut)
	}
	writeTotals(t, e.Classes)
	return t.Flush()
}

func writeTotals(t io.Writer, classes []watch.ClassTotal) {
	fmt.Fprint(t, "class\tpackets\tkB\tmean probability\tfirst\tlast\twindows\tactivities\n")
	clock := func(ns int64) string { return time.Unix(0, ns).UTC().Format("15:04:05.000") }
	for _, c := range classes {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.0f %%\t%s\t%s\t%d\t%s\n", c.Class, c.Packets, float64(c.Bytes)/1000, 100*c.MeanProbability,
			clock(c.FirstNs), clock(c.LastNs), c.Windows, activities(c.Activities))
	}
}

// activities lists what a class does, and in how many windows, most first; "" where the model has none.
func activities(windows map[string]int) string {
	names := slices.SortedFunc(maps.Keys(windows), func(a, b string) int {
		return cmp.Or(cmp.Compare(windows[b], windows[a]), cmp.Compare(a, b))
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%s %d", n, windows[n])
	}
	return strings.Join(names, ", ")
}

// observeView shows on a terminal what has been seen so far, written over twice a second; elsewhere it shows nothing.
type observeView struct {
	w        io.Writer
	from     *watch.Watcher
	terminal bool
	last     time.Time
	lines    int
	recent   string
}

func newObserveView(w io.Writer, from *watch.Watcher) *observeView {
	f, ok := w.(*os.File)
	return &observeView{w: w, from: from, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (v *observeView) window(win *watch.Window) {
	if !v.terminal {
		return
	}
	v.recent = fmt.Sprintf("the last %d packets:", win.Packets)
	for _, p := range win.Present {
		v.recent += fmt.Sprintf(" %s %d", p.Class, p.Packets)
		if p.Activity != "" && p.Activity != activity.Idle {
			v.recent += " (" + p.Activity + ")"
		}
	}
	if win.Unknown {
		v.recent += "; an unknown device seems to be present"
	}
}

func (v *observeView) tick() {
	if !v.terminal || time.Since(v.last) < time.Second/2 {
		return
	}
	v.last = time.Now()
	v.clear()
	c := v.from.Counts()
	count := &lineCounter{w: v.w}
	t := plain.NewTable(count)
	fmt.Fprintf(t, "%s, %d labelled\n", plain.Count(c.Frames, "frame"), c.Labeled)
	writeTotals(t, v.from.Totals())
	if v.recent != "" {
		fmt.Fprintln(t, v.recent)
	}
	_ = t.Flush()
	v.lines = count.n
}

func (v *observeView) clear() {
	for range v.lines {
		fmt.Fprint(v.w, "\x1b[A\x1b[2K")
	}
	v.lines = 0
}

func (v *observeView) done() { v.clear() }

// lineCounter counts the lines that pass.
type lineCounter struct {
	w io.Writer
	n int
}

func (c *lineCounter) Write(b []byte) (int, error) {
	for _, x := range b {
		if x == '\n' {
			c.n++
		}
	}
	return c.w.Write(b)
}
