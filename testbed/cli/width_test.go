package cli_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"glasshouse/testbed/cli"
	"glasshouse/testbed/plain"
)

// command runs a command line and returns what it prints.
func command(t *testing.T, line string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := cli.Main(t.Context(), strings.Fields(line), strings.NewReader(""), &out, &errs); code != 0 && !strings.HasPrefix(line, "doctor") {
		t.Fatalf("glasshouse %s: exit %d: %s", line, code, errs.String())
	}
	return out.String()
}

// TestTablesFit: what commands print for people fits a terminal of 80 columns. A word that is longer, as a URL or a path is, may stand alone.
func TestTablesFit(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"napt", "vpn"} {
		command(t, "generate noisy-"+path+" --homes 3 --duration 3m --time-scale 60 --seed 3 --only-wan -o "+path)
	}
	command(t, "train napt -m forest --seed 1 -o napt.model")
	for _, line := range []string{
		"devices list", "devices show echo-dot", "devices show tuya-motion", "devices show xiaomi-hub", "devices show xiaomi-mobile", "scenarios list",
		"dataset info napt", "dataset verify napt", "score napt.model napt --allow-seen", "score napt.model vpn", "doctor", "version",
		"evaluate napt -m forest --leaks --control --seeds 2 --seed 1", "observe napt/home=000000/wan.pcapng --model napt.model",
		"reproduce table1 --rows broadlink-plug,orvibo-plug --duration 30m --seed 1",
		"sweep noisy-napt --vary phones=0,1 --homes 2 --unseen 2 --duration 4m --packets 20 --trees 5 --seed 1 --targets echo-dot,360-camera",
		"generate noisy-napt --homes 3 --duration 3m --time-scale 60 --seed 3 --only-wan -o napt",
	} {
		t.Run(line, func(t *testing.T) {
			out := command(t, line)
			if out == "" {
				t.Error("it prints nothing")
			}
			for l := range strings.Lines(out) {
				l = strings.TrimSuffix(l, "\n")
				if n := utf8.RuneCountInString(l); n > plain.Width && len(strings.Fields(l)) > 1 {
					t.Errorf("%d columns: %s", n, l)
				}
			}
		})
	}
}
