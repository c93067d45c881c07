package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"glasshouse/testbed"
	"glasshouse/testbed/dataset"
)

// One home that is not valid makes the demo not valid, and is named; stray packets of either home count.
func TestDemoFaults(t *testing.T) {
	home := func(name string, res *testbed.Result) *demoHome { return &demoHome{name: name, res: res} }
	good := &testbed.Result{Valid: true, Packets: testbed.Counts{WAN: 10}}
	d := &demo{napt: home("napt", good), vpn: home("vpn", good)}
	if diff := cmp.Diff([]string{}, d.faults()); diff != "" {
		t.Error(diff)
	}
	d.vpn = home("vpn", &testbed.Result{Reasons: []string{"3 packets have no owner"}, Packets: testbed.Counts{WAN: 5, Unattributed: 3}})
	if diff := cmp.Diff([]string{"vpn: 3 packets have no owner"}, d.faults()); diff != "" {
		t.Error(diff)
	}
	if wan, stray := d.packets(); wan != 15 || stray != 3 {
		t.Errorf("%d packets, %d of them stray", wan, stray)
	}
}

// The picked packets go round the classes, so that one which sends little is seen beside one which fills the line.
func TestPickTakesTurns(t *testing.T) {
	of := func(class string) guessed {
		return guessed{row: dataset.Row{Label: dataset.Label{Class: class}}}
	}
	fresh := []guessed{of("b"), of("b"), of("c"), of("a")}
	var got []string
	turn := 0
	for range 4 {
		var g guessed
		g, turn = pick(fresh, []string{"a", "b", "c"}, turn)
		got = append(got, g.row.Class)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "a"}, got); diff != "" {
		t.Error(diff)
	}
	if g, _ := pick(fresh[:1], []string{"a"}, 0); g.row.Class != "b" {
		t.Error("a class that the model does not know is not shown")
	}
}

// A line of the demo fits a terminal of a hundred columns, with the longest names there are.
func TestLinesFit(t *testing.T) {
	r := dataset.Row{
		Observation: dataset.Observation{Dir: -1, RemoteAddr: "198.198.198.198", RemotePort: 65535, AppProto: "wireguard", Length: 1514},
		Label:       dataset.Label{Class: "mitu-storyteller"},
	}
	if n := utf8.RuneCountInString("  " + guessLine(&r, "xiaobai-camera", 1, r.Class)); n > 100 {
		t.Errorf("%d columns", n)
	}
	if line := guessLine(&r, r.Class, 1, r.Class); !strings.Contains(line, "✓") {
		t.Errorf("%q: the guess is right", line)
	}
}
