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

// forbidden says why a package must not import another; "" if it may.
func forbidden(from, to string) string {
	switch {
	case below(to, "github.com/spf13/cobra") || below(to, "github.com/spf13/viper"):
		if from != "glasshouse/testbed/cli" {
			return "the command line is in testbed/cli"
		}
	case below(to, "github.com/vishvananda"):
		if from != "glasshouse/testbed" && !below(from, "glasshouse/emulator/live") {
			return "namespaces are made by the lab and the live world"
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
