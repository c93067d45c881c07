package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"glasshouse/classifier/model"
	"glasshouse/testbed/dataset"
)

// scenes prints the demo. On a terminal it has colours, unless NO_COLOR is set; progress is a line of another writer that is written over,
// where that one is a terminal.
type scenes struct {
	w        io.Writer
	progress io.Writer
	terminal bool // progress goes to one
	colour   bool
}

func newScenes(w, progress io.Writer) *scenes {
	return &scenes{w: w, progress: progress, terminal: isTerminal(progress), colour: isTerminal(w) && os.Getenv("NO_COLOR") == ""}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
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
		fmt.Fprintf(s.progress, "\r\x1b[K"+format, args...)
	}
}

func (s *scenes) clear() {
	if s.terminal {
		fmt.Fprint(s.progress, "\r\x1b[K")
	}
}

func (s *scenes) opening(d *demo) {
	fmt.Fprintf(s.w, "Glasshouse: a smart home with no hardware. Seed %d.\n", d.asked)
	if d.seed != d.asked {
		fmt.Fprintf(s.w, "The home is drawn from seed %d, the next seed with both voice assistants.\n", d.seed)
	}
	fmt.Fprintf(s.w, "Datasets go to %s\n", d.dir)
	if d.world != "live" {
		fmt.Fprintf(s.w, "A live home cannot run here: %s\nThe watched homes are virtual, shown at the pace of their own time.\n", d.why)
		return
	}
	fmt.Fprint(s.w, "Two live homes run now, each in a process and namespaces of its own: one behind\nNAPT, and the same one behind WireGuard.\n")
}

func (s *scenes) house(h *demoHome) {
	s.title("1  The house", "its devices")
	for _, x := range h.home.Specimens {
		about, _, _ := strings.Cut(x.Profile.About, ". ")
		fmt.Fprintln(s.w, fit(fmt.Sprintf("  %-17s %-15s  %s", x.Name, x.Addr, about), columns))
	}
	fmt.Fprintf(s.w, "\n  User actions are %d times as frequent as normal, so that a minute is enough\n"+
		"  (time_scale in the manifest). The devices' own timers are not scaled: the Echo\n  Dot sends a heartbeat every 30 s.\n", demoTimeScale)
}

// columns is the width that every line of the demo fits, except those that contain a path.
const columns = 80

// fit truncates a line at a word boundary.
func fit(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	short := string([]rune(line)[:width-2])
	if i := strings.LastIndex(short, " "); i > width/2 {
		short = short[:i]
	}
	return strings.TrimRight(short, " ,;:.") + " …"
}

// training reports what a model was trained on.
func (s *scenes) training(t *demoTraining, m *model.Meta) {
	fmt.Fprintf(s.w, "  Model: %s; features: %s.\n  Trained on %d packets of %d virtual homes: simulation %.1f s,\n  training %.1f s.\n\n",
		m.Kind, t.recipe.features, m.Packets, len(m.TrainedOn), t.generated.Seconds(), t.training.Seconds())
}

// isp shows ten packets in a row.
func (s *scenes) isp(ctx context.Context, h *demoHome) error {
	s.title("2  What the ISP sees", "ten packets in a row on the home's WAN; nothing names a device")
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

// finished waits until a home's run is over, and returns its error.
func (s *scenes) finished(ctx context.Context, h *demoHome) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-h.over:
			s.clear()
			return h.failed()
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			p := h.state()
			s.status("  the homes run on: %s of %s", p.Elapsed.Round(time.Second), p.Duration)
		}
	}
}

// fusion shows what the tunnel hides, from the packets that both homes sent.
func (s *scenes) fusion(d *demo) {
	n, v := d.napt.since(0), d.vpn.since(0)
	fmt.Fprintf(s.w, "\n  Remote addresses: %d behind NAPT, %d behind WireGuard.\n", remotes(n), remotes(v))
	for _, device := range []string{"echo-dot", "google-home"} {
		a, b := heartbeats(n, device), heartbeats(v, device)
		if len(a) > 0 && len(b) > 0 {
			fmt.Fprintf(s.w, "  Heartbeat of the %s: %s bytes; behind WireGuard, %s.\n", device, join(a), join(b))
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

// heartbeats lists the frame sizes of a device's heartbeats, upwards.
func heartbeats(rows []dataset.Row, device string) []int {
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
	wan, unattributed := d.packets()
	fmt.Fprintf(s.w, "\n%d of %d packets of the %d watched homes are unattributed. Wall time: %s.\n",
		unattributed, wan, len(d.homes()), time.Since(d.began).Round(time.Second))
	fmt.Fprintf(s.w, "\nDatasets, captures and models are in\n%s\nNow try (\"go build .\" builds the program):\n", d.dir)
	for _, line := range []string{
		"glasshouse dataset info " + d.napt.dir(d.dir),
		"wireshark " + d.napt.dir(d.dir) + "/home=000000/wan.pcapng",
		"glasshouse run noisy-napt --duration 5m",
		"glasshouse shell gateway                   # while that home runs",
		"glasshouse devices show echo-dot",
	} {
		fmt.Fprintln(s.w, "  "+line)
	}
}
