package testbed_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportRules holds the package tree to its map: packets go one way, and nothing calls back into what is above it.
func TestImportRules(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "glasshouse/...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	type pkg struct {
		ImportPath string
		Imports    []string
	}
	n := 0
	for dec := json.NewDecoder(out); ; n++ {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, imported := range p.Imports {
			if why := forbidden(p.ImportPath, imported); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, why)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if n < 10 {
		t.Errorf("only %d packages were listed", n)
	}
}

func TestImportRulesCatchViolations(t *testing.T) {
	for _, c := range [][2]string{
		{"glasshouse/classifier", "glasshouse/emulator/truth"},
		{"glasshouse/devices", "glasshouse/gateway"},
		{"glasshouse/gateway", "github.com/vishvananda/netlink"},
		{"glasshouse/emulator/clock", "glasshouse/emulator/packet"},
		{"glasshouse/emulator/live", "glasshouse/testbed"},
		{"glasshouse/testbed", "github.com/spf13/cobra"},
		{"glasshouse/testbed", "github.com/vishvananda/netlink"},
		{"glasshouse/testbed/virtual", "glasshouse/classifier/feature"},
		{"glasshouse/testbed/live", "glasshouse/testbed/parity"},
		{"glasshouse/testbed/wan", "glasshouse/testbed/virtual"},
		{"glasshouse/testbed/label", "glasshouse/testbed/wan"},
		{"glasshouse/testbed/dataset", "glasshouse/emulator/truth"},
		{"glasshouse/scenarios", "glasshouse/testbed/dataset"},
	} {
		if forbidden(c[0], c[1]) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

// below tells whether a package is in a tree.
func below(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

// parts are the trees of what every lab is built from.
func parts() []string {
	return []string{"glasshouse/devices", "glasshouse/emulator", "glasshouse/gateway", "glasshouse/scenarios", "glasshouse/testbed/dataset"}
}

// lab lists what a lab may import.
func lab() []string {
	return append(parts(), "glasshouse/testbed/homenet", "glasshouse/testbed/label", "glasshouse/testbed/run", "glasshouse/testbed/wan")
}

// forbidden says why a package must not import another; "" if it may.
func forbidden(from, to string) string {
	switch {
	case below(to, "github.com/spf13/cobra") || below(to, "github.com/spf13/viper"):
		if from != "glasshouse/testbed/cli" {
			return "the command line is in testbed/cli"
		}
	case below(to, "github.com/vishvananda"):
		if !below(from, "glasshouse/emulator/live") && !below(from, "glasshouse/testbed/live") {
			return "namespaces are made by the live lab and the live world"
		}
	}
	if !below(to, "glasshouse") {
		return ""
	}
	allowed := map[string][]string{
		"glasshouse/devices":                  {"glasshouse/devices"},
		"glasshouse/emulator/clock":           {},
		"glasshouse/emulator/packet":          {},
		"glasshouse/emulator/clock/clocktest": {"glasshouse/emulator/clock"},
		"glasshouse/emulator":                 {"glasshouse/devices", "glasshouse/emulator"},
		"glasshouse/gateway":                  {"glasshouse/gateway", "glasshouse/emulator/clock", "glasshouse/emulator/packet"},
		"glasshouse/classifier":               {"glasshouse/classifier", "glasshouse/testbed/dataset"},
		"glasshouse/testbed/dataset":          {"glasshouse/emulator/packet"},
		"glasshouse/scenarios":                {"glasshouse/devices"},
		// The labs: what is run, and how it is labelled. No classifier is known here, nor who compares or watches.
		"glasshouse/testbed/run":      {"glasshouse/emulator/pan", "glasshouse/scenarios", "glasshouse/testbed/buildinfo", "glasshouse/testbed/dataset"},
		"glasshouse/testbed/homenet":  {"glasshouse/devices", "glasshouse/gateway/accesspoint", "glasshouse/scenarios"},
		"glasshouse/testbed/label":    append(parts(), "glasshouse/testbed/run"),
		"glasshouse/testbed/wan":      append(parts(), "glasshouse/testbed/label"),
		"glasshouse/testbed/virtual":  lab(),
		"glasshouse/testbed/live":     append(lab(), "glasshouse/testbed/live", "glasshouse/testbed/backlog"),
		"glasshouse/testbed/generate": append(lab(), "glasshouse/testbed/virtual"),
	}
	best, found := "", false
	for tree := range allowed { // the longest tree that holds the package decides
		if below(from, tree) && len(tree) > len(best) {
			best, found = tree, true
		}
	}
	if !found {
		if from != "glasshouse" && !below(from, "glasshouse/testbed") {
			return "the package is not on the map"
		}
		return ""
	}
	if !slices.ContainsFunc(allowed[best], func(tree string) bool { return below(to, tree) }) {
		return "it may import " + strings.Join(allowed[best], ", ")
	}
	return ""
}
