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
	fmt.Fprintf(s.w, "Glasshouse, a smart home with no hardware in it. Seed %d", d.asked)
	if d.seed != d.asked {
		fmt.Fprintf(s.w, "; the home is drawn from %d,\nthe first from there on in which both voice assistants live", d.seed)
	}
	fmt.Fprintf(s.w, ".\nData sets go to %s\n", d.dir)
	if d.world != "live" {
		fmt.Fprintf(s.w, "No live home can run here as it is: %s\nThe homes that are watched are virtual ones, shown at the pace of their own time.\n", d.why)
		return
	}
	fmt.Fprintln(s.w, "Two homes run now, live, each in a process and namespaces of its own: one behind NAPT, and the same one behind\nWireGuard.")
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

// fusion tells what the tunnel hides, from the packets that both homes sent.
func (s *scenes) fusion(d *demo) {
	n, v := d.napt.since(0), d.vpn.since(0)
	fmt.Fprintf(s.w, "\n  Remote addresses: %d behind NAPT, %d behind WireGuard.\n", remotes(n), remotes(v))
	for _, device := range []string{"echo-dot", "google-home"} {
		a, b := beats(n, device), beats(v, device)
		if len(a) > 0 && len(b) > 0 {
			fmt.Fprintf(s.w, "  The heartbeat of %s: frames of %s bytes, of %s behind WireGuard.\n", device, join(a), join(b))
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
	wan, unattributed := d.packets()
	fmt.Fprintf(s.w, "\n%d unattributed packets in %d, of %d watched homes. It took %s.\n",
		unattributed, wan, len(d.homes()), time.Since(d.began).Round(time.Second))
	fmt.Fprintf(s.w, "\nThe data sets, captures and models are in %s.\nNow try (\"go build .\" makes the program):\n", d.dir)
	for _, line := range []string{
		"glasshouse dataset info " + d.napt.dir(d.dir),
		"wireshark " + d.napt.dir(d.dir) + "/home=000000/wan.pcapng",
		"glasshouse run noisy-napt --duration 5m     and, beside it:  glasshouse shell gateway",
		"glasshouse devices show echo-dot",
	} {
		fmt.Fprintln(s.w, "  "+line)
	}
}
