package devices

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compile makes a validator of a schema.
func compile(t *testing.T, src []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(t *testing.T, src []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(src, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Every profile of the catalogue is what the schema allows.
func TestSchemaTakesTheCatalogue(t *testing.T) {
	src, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	s := compile(t, src)
	for _, name := range Names() {
		profile, err := Source(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(decode(t, profile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"many", "kits"} {
		bad, err := os.ReadFile("testdata/bad/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(decode(t, bad)); err == nil {
			t.Errorf("%s.yaml is allowed", name)
		}
	}
}

// everywhere has a key that nothing knows in every mapping of a profile.
const everywhere = `
x: 0
stack: {x: 0}
wifi: {x: 0}
services: [{x: 0, reply: {x: 0}, login: {x: 0}, name: a, transport: tcp}]
kits: [{x: 0}]
activities:
  - {x: 0, trigger: touch, steps: [{x: 0, service: a, messages: [{x: 0, stream: {x: 0}}]}]}
`

// The reader and the schema know the same keys in every mapping.
func TestSchemaKnowsTheReadersKeys(t *testing.T) {
	src, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	root, ok := decode(t, src).(map[string]any)
	if !ok {
		t.Fatal("no schema")
	}
	var all ConfigErrors
	_, err = ParseProfile("x.yaml", []byte(everywhere))
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	places := 0
	for _, e := range all {
		if e.Msg != `unknown key "x"` {
			continue
		}
		places++
		allowed, _, _ := strings.Cut(e.Allowed, ";")
		want := strings.Split(strings.ReplaceAll(allowed, " ", ""), ",")
		slices.Sort(want)
		if got := keysAt(t, root, strings.Split(e.Path, ".")); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the reader takes %v", e.Path, got, want)
		}
	}
	if places != 11 {
		t.Errorf("%d mappings, %v", places, err)
	}
}

// keysAt returns the sorted keys of a mapping of the schema.
func keysAt(t *testing.T, root map[string]any, path []string) (keys []string) {
	t.Helper()
	resolve := func(m map[string]any) map[string]any {
		if ref, ok := m["$ref"].(string); ok {
			m, _ = root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		return m
	}
	at := root
	for _, p := range path {
		if p == "" {
			continue
		}
		name, _, list := strings.Cut(p, "[")
		properties, _ := at["properties"].(map[string]any)
		next, ok := properties[name].(map[string]any)
		if !ok {
			t.Fatalf("the schema has no %s of %v", p, path)
		}
		if list {
			next, _ = next["items"].(map[string]any)
		}
		at = resolve(next)
	}
	properties, _ := at["properties"].(map[string]any)
	for k := range properties {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
