package scenarios

import (
	"os"
	"testing"

	"glasshouse/devices/strictyaml/schematest"
)

// Every built-in scenario is valid by the schema, as written and in canonical form.
func TestSchemaTakesTheLibrary(t *testing.T) {
	src, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	s := schematest.Compile(t, src)
	for _, name := range Names() {
		text, err := Text(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range [][]byte{text, []byte(load(t, name).YAML())} {
			if err := s.Validate(schematest.Decode(t, src)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	bad, err := os.ReadFile("testdata/bad/many.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(schematest.Decode(t, bad)); err == nil {
		t.Error("many.yaml is allowed")
	}
}

// everywhere has an unknown key in every mapping of a scenario.
const everywhere = `
x: 0
devices: [{x: 0}]
household: {x: 0}
wan: {x: 0}
wifi: {x: 0}
router: {x: 0}
`

// The parser and the schema have the same keys in every mapping.
func TestSchemaKnowsTheReadersKeys(t *testing.T) {
	src, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("x.yaml", []byte(everywhere))
	schematest.SameKeys(t, src, err, 6)
}
