package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"glasshouse/classifier"
	"glasshouse/testbed/dataset"
)

// scenes prints the demo. On a terminal it has colours, unless NO_COLOR is set, and a line that is written over.
type scenes struct {
	w        io.Writer
	terminal bool
	colour   bool
}

func newScenes(w io.Writer) *scenes {
	f, ok := w.(*os.File)
	s := &scenes{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
	s.colour = s.terminal && os.Getenv("NO_COLOR") == ""
	return s
}

func (s *scenes) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *scenes) title(what, about string) {
	fmt.Fprintf(s.w, "\n%s\n%s\n\n", s.paint("1", what), s.paint("2", about))
}

// status shows a line that the next one writes over; it is left out where that cannot be.
func (s *scenes) status(format string, args ...any) {
	if s.terminal {
		fmt.Fprintf(s.w, "\r\x1b[K"+format, args...)
	}
}

func (s *scenes) clear() {
	if s.terminal {
		fmt.Fprint(s.w, "\r\x1b[K")
	}
}

func (s *scenes) opening(d *demo) {
	fmt.Fprintf(s.w, "Glasshouse, a smart home with no hardware in it. Seed %d, data sets in %s\n", d.seed, d.dir)
	fmt.Fprintf(s.w, "%d homes run now, each in a process and namespaces of its own: one behind NAPT, the same one behind\nWireGuard, and %d others to learn from.\n", 2+len(d.train), len(d.train))
}

func (s *scenes) house(h *demoHome) {
	s.title("1  The house", "who lives in it")
	t := tabwriter.NewWriter(s.w, 0, 0, 2, ' ', 0)
	for _, x := range h.home.Specimens {
		about, _, _ := strings.Cut(x.Profile.About, ". ")
		fmt.Fprintf(t, "  %s\t%s\t%s\n", x.Name, x.Addr, about)
	}
	_ = t.Flush()
	fmt.Fprintf(s.w, "\n  Its people act %d times as often as in life, so that a minute shows something (time_scale in the\n  manifest). The devices' own timers are not touched: an Echo Dot's heartbeat takes its 30 s.\n", demoDensity)
}

// isp shows ten packets in a row.
func (s *scenes) isp(ctx context.Context, h *demoHome) error {
	s.title("2  What the ISP sees", "ten packets in a row on the home's WAN: no device has a name here")
	const shown = 10
	start := h.sc.WarmUp + 2*time.Second
	if err := s.until(ctx, h, func() bool {
		p := h.state()
		s.status("  the home starts: %s, %d WAN packets", p.Elapsed.Round(time.Second), p.Packets.WAN)
		return p.Elapsed >= start && len(h.since(0)) >= shown
	}); err != nil {
		return err
	}
	s.clear()
	rows := h.since(0)
	for i := range rows[len(rows)-shown:] {
		fmt.Fprintln(s.w, "  "+packetLine(&rows[len(rows)-shown+i]))
	}
	return nil
}

// until polls a condition while the home runs.
func (s *scenes) until(ctx context.Context, h *demoHome, ready func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.over:
			if err := h.failed(); err != nil {
				return err
			}
			if ready() {
				return nil
			}
			return errors.New("the home's run ended too early")
		case <-tick.C:
		}
	}
	return nil
}

func (s *scenes) waitForHomes(ctx context.Context, d *demo) error {
	fmt.Fprintf(s.w, "\n  Meanwhile %d other homes run, of other seeds, for a model to learn from …\n", len(d.train))
	last := time.Now()
	for _, h := range d.train {
		if err := s.until(ctx, d.napt, func() bool {
			var packets int64
			slowest := demoTrain
			for _, o := range d.train {
				p := o.state()
				packets += p.Packets.WAN
				slowest = min(slowest, p.Elapsed)
			}
			s.status("  %s of %s, %d packets", slowest.Round(time.Second), demoTrain, packets)
			if !s.terminal && time.Since(last) > sparse {
				last = time.Now()
				fmt.Fprintf(s.w, "  %s of %s, %d packets\n", slowest.Round(time.Second), demoTrain, packets)
			}
			select {
			case <-h.over:
				return true
			default:
				return false
			}
		}); err != nil {
			return err
		}
		if err := h.failed(); err != nil {
			return err
		}
	}
	s.clear()
	return nil
}

// linesPerSecond is how many of the packets are shown while they pass.
const linesPerSecond = 2

// watch labels a home's packets as they pass, for a while, and shows some.
func (s *scenes) watch(ctx context.Context, h *demoHome, m classifier.Model, long time.Duration, what, about string) error {
	meta := m.Meta()
	s.title(what, fmt.Sprintf("%s; a forest of %d packets from other homes guesses", about, meta.Packets))
	stream, probs := m.Stream(), make([]float32, len(m.Classes()))
	warm := h.warmUp()
	seen, right, counted := 0, 0, 0
	type guess struct {
		row   dataset.Row
		class string
		p     float32
	}
	label := func() []guess {
		var fresh []guess
		for _, r := range h.since(seen) {
			seen++
			stream.Step(&r.Observation, probs)
			class, p := classifier.Guess(m, probs)
			if r.Kind == "infrastructure" || r.TsNs < warm {
				continue
			}
			counted++
			if class == r.Class {
				right++
			}
			fresh = append(fresh, guess{r, class, p})
		}
		return fresh
	}
	label() // what has passed so far, at once
	end := time.Now().Add(long)
	tick := time.NewTicker(time.Second / linesPerSecond)
	defer tick.Stop()
	turn := 0
	for time.Now().Before(end) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.over:
			if err := h.failed(); err != nil {
				return err
			}
			end = time.Now()
		case <-tick.C:
		}
		fresh := label()
		if len(fresh) == 0 {
			continue
		}
		// One of each class in turn, as far as they come by, or a page load would fill the screen.
		pick := &fresh[0]
		classes := meta.Classes
		for k := range classes {
			for i := range fresh {
				if fresh[i].row.Class == classes[(turn+k)%len(classes)] {
					pick, turn = &fresh[i], turn+k+1
					goto show
				}
			}
		}
	show:
		line := guessLine(&pick.row, pick.class, pick.p, pick.row.Class)
		if pick.class == pick.row.Class {
			line = s.paint("32", line)
		} else {
			line = s.paint("31", line)
		}
		s.clear()
		fmt.Fprintln(s.w, "  "+line)
		s.status("  %d packets labelled, %.1f %% right", counted, 100*float64(right)/float64(max(counted, 1)))
	}
	s.clear()
	fmt.Fprintf(s.w, "  %d packets labelled so far, %.1f %% right (above: one of each class in turn)\n", counted, 100*float64(right)/float64(max(counted, 1)))
	return nil
}

// warmUp is when the home's packets begin to count, UTC ns.
func (h *demoHome) warmUp() int64 {
	rows := h.since(0)
	if len(rows) == 0 {
		return 0
	}
	return rows[0].TsNs + int64(h.sc.WarmUp)
}

// fusion tells what the tunnel hides, from the packets that both homes sent.
func (s *scenes) fusion(d *demo) {
	n, v := d.napt.since(0), d.vpn.since(0)
	fmt.Fprintf(s.w, "\n  Remote addresses: %d behind NAPT, %d behind WireGuard.\n", remotes(n), remotes(v))
	for _, device := range []string{"echo-dot", "google-home"} {
		a, b := beats(n, device), beats(v, device)
		if len(a) > 0 && len(b) > 0 {
			fmt.Fprintf(s.w, "  The heartbeat of %s: frames of %s bytes behind NAPT, of %s behind WireGuard.\n", device, join(a), join(b))
		}
	}
}

func remotes(rows []dataset.Row) int {
	seen := make(map[string]bool)
	for i := range rows {
		if rows[i].Device != "internet" {
			seen[rows[i].RemoteAddr] = true
		}
	}
	return len(seen)
}

// beats lists the frame sizes of a device's heartbeats, upwards.
func beats(rows []dataset.Row, device string) []int {
	seen := make(map[int]bool)
	for i := range rows {
		if r := &rows[i]; r.Device == device && r.Activity == "heartbeat" && r.Role == "data" && r.Dir > 0 {
			seen[int(r.Length)] = true
		}
	}
	out := make([]int, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	sort.Ints(out)
	return out
}

func join(n []int) string {
	s := make([]string, len(n))
	for i, v := range n {
		s[i] = fmt.Sprint(v)
	}
	return strings.Join(s, " and ")
}

func (s *scenes) closing(d *demo) {
	fmt.Fprintf(s.w, "\n%d unattributed packets in %d. It took %s.\n", d.unattributed(),
		d.napt.result().Packets.WAN+d.vpn.result().Packets.WAN, time.Since(d.began).Round(time.Second))
	fmt.Fprintf(s.w, "\nThe data sets, captures and models are in %s. Now try:\n", d.dir)
	for _, line := range []string{
		"glasshouse dataset info " + d.napt.dir(d.dir),
		"wireshark " + d.napt.dir(d.dir) + "/home=000000/wan.pcapng",
		"glasshouse run noisy-napt --duration 5m     and, beside it:  glasshouse shell gateway",
		"glasshouse devices show echo-dot",
	} {
		fmt.Fprintln(s.w, "  "+line)
	}
}
