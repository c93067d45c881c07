package catalogue_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/devicestest"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml/schematest"
)

// Each entry of the catalogue's list says where it is found, whose it is, what was measured and how; each is cited by a profile
// or marked as background, and none that is marked is cited.
func TestCatalogueSourcesAreCompleteAndCited(t *testing.T) {
	refs, err := catalogue.References()
	if err != nil {
		t.Fatal(err)
	}
	cited := make(map[string]bool)
	for _, p := range devicestest.All(t) {
		all, err := catalogue.Citations(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			cited[r.Key] = true
		}
	}
	for _, r := range refs {
		for what, there := range map[string]bool{
			"authors": r.Authors != "", "year": r.Year != 0, "address": r.Address != "", "licence": r.Licence != "",
			"measured": r.Measured != "", "values": len(r.Values) > 0, "method": r.Method != "",
			"commit": r.Commit != "" || !strings.HasPrefix(r.Address, "https://github.com/"),
		} {
			if !there {
				t.Errorf("%s has no %s", r.Key, what)
			}
		}
		if cited[r.Key] == r.Background {
			t.Errorf("%s: cited by a profile %t, background %t", r.Key, cited[r.Key], r.Background)
		}
	}
}

// Every key that a built-in profile cites is resolved, in the texts' order and each once.
func TestEveryBuiltInCitationResolves(t *testing.T) {
	for _, p := range devicestest.All(t) {
		var want []string
		for o := range p.Origins() {
			for _, key := range profile.Cited(o.Source) {
				if !slices.Contains(want, key) {
					want = append(want, key)
				}
			}
		}
		refs, err := catalogue.Citations(p)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range refs {
			got = append(got, r.Key)
			if r.Title == "" || r.Address == "" {
				t.Errorf("%s: nobody can find %s", p.Device, r.Key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s cites %v, of which %v resolve", p.Device, want, got)
		}
	}
}

// cited is a profile whose source text is to be filled in, and a list of sources before its services.
func cited(sources, text string) []byte {
	return []byte(`device: box
about: a box
kind: iot
category: hub
oui: "00:11:22"
` + sources + `services:
  - {name: api, host: api.k.io, port: 443, transport: tls12, cloud: k, basis: measured, source: '` + text + `'}
activities:
  - {name: report, trigger: timer, every: 5s, basis: assumed, source: s, steps: [{service: api, messages: [{up: 20}]}]}
`)
}

const own = `sources:
  - {key: my-week, title: My box, address: "https://example.org/", file: box.pcap, year: 2026}
  - {key: my-monday, of: my-week, file: monday.pcap, measured: 24 h}
`

// A profile cites the catalogue's sources and its own; a part takes what it leaves out from the whole. Free text stays free.
func TestProfilesCite(t *testing.T) {
	for _, text := range []string{"a capture [1], see [there] and [A-B] and [x]", "box.pcap"} {
		if _, err := catalogue.Parse("box.yaml", cited("", text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	p, err := catalogue.Parse("box.yaml", cited(own, "[my-monday] at noon; [homemole-table1] [my-monday]"))
	if err != nil {
		t.Fatal(err)
	}
	refs, err := catalogue.Citations(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(refs) != 2 || refs[0].Key != "my-monday" || refs[1].Key != "homemole-table1" {
		t.Fatalf("cites %v", refs)
	}
	if r := refs[0]; r.Title != "My box" || r.Address != "https://example.org/" || r.File != "monday.pcap" || r.Year != 2026 {
		t.Errorf("a part is %+v", r)
	}
	schema, err := profile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if err := schematest.Compile(t, schema).Validate(schematest.Decode(t, cited(own, "[my-monday]"))); err != nil {
		t.Errorf("the schema refuses a profile's own sources: %v", err)
	}
}

// The reader says where a citation, or a list of sources, is wrong.
func TestBadCitations(t *testing.T) {
	for name, c := range map[string]struct{ sources, text, want string }{
		"unknown":       {"", "[homemole-tabel1] 3 %", "did you mean homemole-table1?"},
		"unknown, near": {own, "[my-mondays]", "did you mean my-monday?"},
		"twice":         {own + "  - {key: my-week, title: t, file: f}\n", "s", `a second source "my-week"`},
		"no title":      {"sources: [{key: a-b, file: f}]\n", "s", `source "a-b" has no title`},
		"nowhere":       {"sources: [{key: a-b, title: t}]\n", "s", `nobody can find source "a-b"`},
		"no address":    {"sources: [{key: a-b, title: t, address: 10.1145/1}]\n", "s", "is no address"},
		"no commit":     {"sources: [{key: a-b, title: t, file: f, commit: main}]\n", "s", "is no commit"},
		"one word":      {"sources: [{key: week, title: t, file: f}]\n", "s", `"week" is no key`},
		"part of none":  {"sources: [{key: a-b, of: c-d, title: t, file: f}]\n", "s", `part of an unknown source "c-d"`},
		"part of part":  {own + "  - {key: a-b, of: my-monday, file: f}\n", "s", `part of "my-monday", which is a part`},
	} {
		_, err := catalogue.Parse("box.yaml", cited(c.sources, c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "box.yaml:") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Nothing in the repository cites a document that its readers do not have.
func TestNoSourceOutsideTheRepository(t *testing.T) {
	private := regexp.MustCompile(`FACTS ?§|device_facts\.tsv` + `|HomeMole §|moniotr_unsw_flows|realdata/FACTS`)
	read := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case !d.Type().IsRegular() || d.Name() == "reference_test.go":
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".md", ".yaml", ".yml", ".tsv", ".txt", ".txtar", ".py", ".js", ".html":
		default:
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		for i, line := range bytes.Split(b, []byte("\n")) {
			if what := private.Find(line); what != nil {
				t.Errorf("%s:%d cites %s", path, i+1, what)
			}
		}
		return nil
	})
	if err != nil || read < 300 {
		t.Fatalf("%d files read: %v", read, err)
	}
}
