package profile_test

import (
	"os"
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/devicestest"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml/schematest"
)

// Every profile of the catalogue is what the schema allows.
func TestSchemaTakesTheCatalogue(t *testing.T) {
	src, err := profile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	s := schematest.Compile(t, src)
	for _, name := range catalogue.Names() {
		profile, err := catalogue.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(schematest.Decode(t, profile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, src := range map[string]string{"varied": devicestest.Varied, "tabled": devicestest.Tabled, "chained": devicestest.Chained, "slipping": devicestest.Slipping} {
		if err := s.Validate(schematest.Decode(t, []byte(src))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"many", "kits", "variants"} {
		bad, err := os.ReadFile("testdata/bad/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(schematest.Decode(t, bad)); err == nil {
			t.Errorf("%s.yaml is allowed", name)
		}
	}
}

// everywhere has a key that nothing knows in every mapping of a profile.
const everywhere = `
x: 0
stack: {x: 0}
wifi: {x: 0}
sources: [{x: 0}]
services: [{x: 0, reply: {x: 0}, login: {x: 0, messages: [{x: 0}]}, name: a, transport: tcp}]
kits: [{x: 0}]
states: [{x: 0}]
activities:
  - {x: 0, trigger: timer, every: 1h, slip: {x: 0}, steps: [{x: 0, service: a, messages: [{x: 0, stream: {x: 0}}, {variants: [{x: 0}]}]}]}
`

// The reader and the schema know the same keys in every mapping.
func TestSchemaKnowsTheReadersKeys(t *testing.T) {
	src, err := profile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	_, err = catalogue.Parse("x.yaml", []byte(everywhere))
	schematest.SameKeys(t, src, err, 16)
}
