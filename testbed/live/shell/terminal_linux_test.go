package shell

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"
)

// terminals is how many pseudo-terminals this process holds open, masters and slaves.
func terminals(t *testing.T) int {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && (strings.HasPrefix(to, "/dev/pts/") || to == "/dev/ptmx" || to == "/dev/pts/ptmx") {
			n++
		}
	}
	return n
}

// A relay carries both ways and, when it is closed, leaves nothing: no descriptor, no goroutine, and no reader that takes what the
// user types next.
func TestRelayTerminalLeavesNothing(t *testing.T) {
	user, tty, err := pty.Open() // the user's terminal: user is its keyboard and screen
	if err != nil {
		t.Skip("no pseudo-terminal here:", err)
	}
	defer user.Close()
	defer tty.Close()
	before := terminals(t)
	goroutines := goleak.IgnoreCurrent()
	for range 3 {
		r, err := relayTerminal(tty, tty)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := user.WriteString("typed\r"); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(r.slave).ReadString('\n'); err != nil || line != "typed\n" {
			t.Fatalf("the shell reads %q, %v", line, err)
		}
		if _, err := r.slave.WriteString("shown\n"); err != nil {
			t.Fatal(err)
		}
		r.Close()
		_ = user.SetReadDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 100)
		seen := ""
		for !strings.Contains(seen, "shown") {
			n, err := user.Read(b)
			if err != nil {
				t.Fatalf("the user sees %q, %v", seen, err)
			}
			seen += string(b[:n])
		}
	}
	if n := terminals(t); n != before {
		t.Errorf("%d descriptors of pseudo-terminals are open, %d were before", n, before)
	}
	goleak.VerifyNone(t, goroutines, goleak.IgnoreTopFunction("os/signal.signal_recv"), goleak.IgnoreTopFunction("os/signal.loop"))
	if _, err := user.WriteString("next\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(tty).ReadString('\n'); err != nil || line != "next\n" {
		t.Errorf("after the relay, the terminal's next reader gets %q, %v", line, err)
	}
}
