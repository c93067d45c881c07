package profile_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml/schematest"
)

var shownProfile = regexp.MustCompile("(?s)<!-- profile: ([a-z0-9-]+) -->\n```yaml\n(.*?)```\n")

// The profiles that README.md shows are read without an error, and are what the schema allows.
func TestReadmeProfiles(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := profile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	s := schematest.Compile(t, schema)
	shown := shownProfile.FindAllStringSubmatch(string(text), -1)
	if n := strings.Count(string(text), "```yaml"); n != len(shown) || n == 0 {
		t.Fatalf("%d blocks of YAML, %d profiles", n, len(shown))
	}
	for _, m := range shown {
		p, err := catalogue.Parse(m[1]+".yaml", []byte(m[2]))
		if err != nil {
			t.Error(err)
			continue
		}
		if p.Device != m[1] {
			t.Errorf("the profile %s is called %s", m[1], p.Device)
		}
		if err := s.Validate(schematest.Decode(t, []byte(m[2]))); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}
