// Package schematest holds JSON schemas against the strict readers whose files they describe. For tests.
package schematest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"glasshouse/devices/strictyaml"
)

// Compile makes a validator of a schema.
func Compile(t *testing.T, src []byte) *jsonschema.Schema {
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

// Decode reads YAML.
func Decode(t *testing.T, src []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(src, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// SameKeys fails unless schema src and a reader know the same keys in every mapping. err is what the reader says of a file that has
// the unknown key x in each of its places mappings.
func SameKeys(t *testing.T, src []byte, err error, places int) {
	t.Helper()
	root, ok := Decode(t, src).(map[string]any)
	if !ok {
		t.Fatal("no schema")
	}
	var all strictyaml.ConfigErrors
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	found := 0
	for _, e := range all {
		if e.Msg != `unknown key "x"` {
			continue
		}
		found++
		allowed, _, _ := strings.Cut(e.Allowed, ";")
		want := strings.Split(strings.ReplaceAll(allowed, " ", ""), ",")
		slices.Sort(want)
		if got := keysAt(t, root, strings.Split(e.Path, ".")); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the reader takes %v", e.Path, got, want)
		}
	}
	if found != places {
		t.Errorf("%d mappings, %v", found, err)
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
