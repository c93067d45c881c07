package testbed_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goPackage is what `go list` says of a package.
type goPackage struct {
	ImportPath     string
	GoFiles        []string
	IgnoredGoFiles []string // of other systems
	Imports, Deps  []string
	Dir            string
}

// listed returns the packages of this module.
func listed(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,GoFiles,IgnoredGoFiles,Imports,Deps,Dir", "glasshouse/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 50 {
		t.Fatalf("only %d packages were listed", len(packages))
	}
	return packages
}

// TestImportRules holds the package tree to its map: packets go one way, and nothing calls back into what is above it.
func TestImportRules(t *testing.T) {
	for _, p := range listed(t) {
		for _, imported := range p.Imports {
			if why := forbidden(p.ImportPath, imported); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, why)
			}
		}
	}
}

// mostFiles is how many files a package has at most, tests aside: more are a second subject. The command line has a file a command.
const mostFiles = 15

func TestPackagesAreSmall(t *testing.T) {
	for _, p := range listed(t) {
		n := len(p.GoFiles)
		for _, f := range p.IgnoredGoFiles {
			if !strings.HasSuffix(f, "_test.go") && !slices.Contains(p.GoFiles, strings.Replace(f, "_other.go", "_linux.go", 1)) {
				n++
			}
		}
		if n > mostFiles && p.ImportPath != "glasshouse/testbed/cli" {
			t.Errorf("%s has %d files; at most %d are allowed, without tests", p.ImportPath, n, mostFiles)
		}
	}
}

// The top-level folders are layers, but for the classifier, which reads datasets: those are below all that makes or judges them.
func TestTopLevelFoldersAreLayers(t *testing.T) {
	layer := func(path string) int {
		return slices.IndexFunc([]string{
			"glasshouse/devices", "glasshouse/scenarios", "glasshouse/emulator", "glasshouse/gateway", "glasshouse/testbed/dataset",
			"glasshouse/classifier", "glasshouse/testbed", "glasshouse",
		}, func(tree string) bool { return below(path, tree) })
	}
	for _, p := range listed(t) {
		for _, imported := range p.Imports {
			if below(imported, "glasshouse") && layer(imported) > layer(p.ImportPath) {
				t.Errorf("%s imports %s, which is above it", p.ImportPath, imported)
			}
		}
	}
}

// What the page's single file is built from runs in a browser: no sockets of the host, no TUN, no namespaces, no Parquet, no engines. Where
// that does not hold yet, the reason stands here.
func TestPageNeedsNoHost(t *testing.T) {
	const parquet = "github.com/parquet-go/parquet-go"
	host := []string{
		"github.com/songgao/water", "github.com/vishvananda", "github.com/insomniacslk/dhcp", "golang.zx2c4.com/wireguard",
		"github.com/quic-go/quic-go", "github.com/mochi-mqtt/server/v2", "github.com/spf13", parquet,
	}
	exceptions := map[string]string{
		"glasshouse/testbed/virtual": parquet, // a home's rows are written by testbed/dataset/write, there is no other writer yet
	}
	needed := []string{
		"glasshouse/scenarios", "glasshouse/devices/catalogue", "glasshouse/devices/script", "glasshouse/emulator/virtual",
		"glasshouse/gateway/nat",
		"glasshouse/gateway/accesspoint", "glasshouse/gateway/link", "glasshouse/gateway/tunnel/wgmodel", "glasshouse/classifier/tree",
		"glasshouse/testbed/virtual",
	}
	packages := listed(t)
	for _, path := range needed {
		i := slices.IndexFunc(packages, func(p goPackage) bool { return p.ImportPath == path })
		if i < 0 {
			t.Errorf("%s is not there", path)
			continue
		}
		excepted := false
		for _, h := range host {
			dep := slices.IndexFunc(packages[i].Deps, func(d string) bool { return below(d, h) })
			switch {
			case dep < 0:
			case exceptions[path] == h:
				excepted = true
			default:
				t.Errorf("%s needs %s, which needs the host", path, packages[i].Deps[dep])
			}
		}
		if exceptions[path] != "" && !excepted {
			t.Errorf("%s needs no %s any more: the exception can go", path, exceptions[path])
		}
	}
}

// The classifier reads headers by emulator/packet, and no more of it: a packet in flight has its truth with it.
func TestClassifierSeesHeadersOnly(t *testing.T) {
	header := regexp.MustCompile(`^((Parse)?(IPv4|IPv6|TCP|UDP|ICMP)(Size)?|Ethernet\w+|Proto\w+|Flag\w+)$`)
	used := 0
	for _, p := range listed(t) {
		if !below(p.ImportPath, "glasshouse/classifier") || p.ImportPath == "glasshouse/classifier/classifiertest" {
			continue
		}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"glasshouse/emulator/packet"` }) {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "packet" {
						if used++; !header.MatchString(s.Sel.Name) {
							t.Errorf("%s/%s uses packet.%s", p.ImportPath, name, s.Sel.Name)
						}
					}
				}
				return true
			})
		}
	}
	if used == 0 {
		t.Error("nothing of emulator/packet is used any more: the exception in forbidden can go")
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
		{"glasshouse/testbed/dataset/write", "glasshouse/devices/script"},
		{"glasshouse/gateway/tunnel/wgmodel", "golang.zx2c4.com/wireguard/device"},
		{"glasshouse/testbed/watch", "github.com/songgao/water"},
		{"glasshouse/classifier/tree", "glasshouse/emulator/packet"},
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
	for _, rule := range []struct {
		trees []string // outside of this module
		only  []string // who may import them
		why   string
	}{
		{[]string{"github.com/spf13/cobra", "github.com/spf13/viper"}, []string{"glasshouse/testbed/cli"}, "the command line is in testbed/cli"},
		{
			[]string{"github.com/vishvananda", "github.com/songgao/water"},
			[]string{"glasshouse/emulator/live", "glasshouse/testbed/live"},
			"namespaces and interfaces are made by the live lab and the live world",
		},
		{ // its control socket, wireguard/ipc, is the live lab's
			[]string{"golang.zx2c4.com/wireguard/device", "golang.zx2c4.com/wireguard/conn", "golang.zx2c4.com/wireguard/tun"},
			[]string{"glasshouse/gateway/tunnel"},
			"the tunnel's engine is in gateway/tunnel",
		},
	} {
		in := func(path string) func(string) bool { return func(tree string) bool { return below(path, tree) } }
		if slices.ContainsFunc(rule.trees, in(to)) && !slices.ContainsFunc(rule.only, in(from)) {
			return rule.why
		}
	}
	if from == "glasshouse/gateway/tunnel/wgmodel" && below(to, "golang.zx2c4.com/wireguard") {
		return "the tunnel's model needs no engine"
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
		// Header views alone (TestClassifierSeesHeadersOnly); classifiertest makes datasets for tests.
		"glasshouse/classifier/feature":        {"glasshouse/classifier", "glasshouse/testbed/dataset", "glasshouse/emulator/packet"},
		"glasshouse/classifier/classifiertest": {"glasshouse/classifier", "glasshouse/testbed/dataset", "glasshouse/emulator/packet"},
		"glasshouse/testbed/dataset":           {"glasshouse/testbed/dataset", "glasshouse/emulator/packet"},
		"glasshouse/scenarios":                 {"glasshouse/devices"},
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
