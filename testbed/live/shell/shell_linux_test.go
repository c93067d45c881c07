package shell_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"glasshouse/testbed/live/shell"
	"glasshouse/testbed/need"
	"glasshouse/testbed/run"
	"glasshouse/testbed/testbedtest"
)

// Each shell sees what is its namespace's: resolver, interfaces in /sys, its own end of the tunnel, and no private key. The host
// keeps what it had.
func TestShellSeesItsOwnNamespace(t *testing.T) {
	testbedtest.NeedLive(t)
	if _, err := exec.LookPath("wg"); err != nil {
		need.Skip(t, "wireguard-tools are not installed")
	}
	const look = `echo resolver: $(cat /etc/resolv.conf); echo sys: $(ls /sys/class/net); echo wg: $(wg show interfaces); wg show all dump; ls /run/wireguard /run/glasshouse/wireguard`
	host := hostFiles(t)
	sc := testbedtest.CalmHome(t, "vpn", "0", "xiaomi-hub")
	home, err := sc.Draw(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	running, dir := make(chan struct{}), t.TempDir()
	var once sync.Once
	failed := make(chan error, 1)
	go func() {
		<-running
		for _, ns := range []string{"gateway", "internet", "xiaomi-hub"} {
			if _, err := shell.Run(t.Context(), "own-test", ns, []string{"sh", "-c", "(" + look + ") > " + filepath.Join(dir, ns) + " 2>&1"}); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	testbedtest.Run(t, run.Options{
		Scenario: sc, Seed: 4, Duration: 12 * time.Second, Lab: "own-test",
		Progress: func(p run.Progress) {
			if p.Phase == "running" && p.Elapsed > 2*time.Second {
				once.Do(func() { close(running) })
			}
		},
	})
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	resolver := "resolver: nameserver " + home.DNS.String() + "\n"
	for ns, want := range map[string]struct {
		sys, wg string
		dump    string // begins with
	}{
		"gateway":    {"sys: eth0 lo tun0 wlan0\n", "wg: tun0\n", "tun0\t(none)\t"},
		"internet":   {"sys: isp0 lo vpn0\n", "wg: vpn0\n", "vpn0\t(none)\t"},
		"xiaomi-hub": {"sys: lo wlan0\n", "wg:\n", ""},
	} {
		b, err := os.ReadFile(filepath.Join(dir, ns))
		if err != nil {
			t.Fatal(err)
		}
		got := string(b)
		for _, w := range []string{resolver, want.sys, want.wg, want.dump} {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in\n%s", ns, w, got)
			}
		}
		for _, other := range []string{"tun0", "vpn0"} {
			if !strings.HasPrefix(want.dump, other) && strings.Contains(got, other) {
				t.Errorf("%s sees %s:\n%s", ns, other, got)
			}
		}
	}
	if now := hostFiles(t); now != host {
		t.Errorf("the host had\n%s\nand has\n%s", host, now)
	}
}

// hostFiles is what shells see otherwise than the host does, as the host sees it.
func hostFiles(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", "cat /etc/resolv.conf; ls /sys/class/net; ls -a /run; cut -d' ' -f3- /proc/self/mountinfo").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// The README's two captures of one home behind NAPT differ in what they teach: the addresses of devices on eth0, the router's alone
// on isp0.
func TestReadmesCapturesShowTheTranslation(t *testing.T) {
	testbedtest.NeedLive(t)
	if _, err := exec.LookPath("tcpdump"); err != nil {
		need.Skip(t, "tcpdump is not installed")
	}
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string][]string{"gateway": nil, "internet": nil}
	for ns := range commands {
		_, rest, ok := strings.Cut(string(readme), "\n./glasshouse shell "+ns+" -- tcpdump ")
		if !ok {
			t.Fatalf("the README has no tcpdump in %s", ns)
		}
		args, _, _ := strings.Cut(rest, "#")
		commands[ns] = append([]string{"timeout", "8", "tcpdump"}, strings.Fields(args)...)
	}
	sc := testbedtest.CalmHome(t, "napt", "0", "xiaomi-hub", "xiaomi-mobile")
	home, err := sc.Draw(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	running, dir := make(chan struct{}), t.TempDir()
	var once sync.Once
	var both sync.WaitGroup
	for ns, command := range commands {
		both.Go(func() {
			<-running
			// A capture that ends by its timeout has shown what there was.
			script := strings.Join(command, " ") + " > " + filepath.Join(dir, ns) + " 2> " + filepath.Join(dir, ns+".err") + "; true"
			if _, err := shell.Run(t.Context(), "teach-test", ns, []string{"sh", "-c", script}); err != nil {
				t.Error(err)
			}
		})
	}
	testbedtest.Run(t, run.Options{
		Scenario: sc, Seed: 4, Duration: 14 * time.Second, Lab: "teach-test", TimeScale: 300,
		Progress: func(p run.Progress) {
			if p.Phase == "running" && p.Elapsed > time.Second {
				once.Do(func() { close(running) })
			}
		},
	})
	both.Wait()
	lan := strings.TrimSuffix(home.GatewayLAN.String(), "1")
	for ns, want := range map[string][2]string{"gateway": {lan, home.WANAddr.String()}, "internet": {home.WANAddr.String(), lan}} {
		b, err := os.ReadFile(filepath.Join(dir, ns))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b); strings.Count(got, want[0]) < 3 || strings.Contains(got, want[1]) {
			t.Errorf("%s: want %q and not %q:\n%s", ns, want[0], want[1], got)
		}
	}
}
