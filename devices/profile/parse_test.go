package profile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/devicestest"
	"glasshouse/devices/script"
	"glasshouse/devices/strictyaml"
)

// All mistakes at once, each with position, caret and what is allowed.
func TestParseErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		p, err := catalogue.Parse(name, src)
		if p != nil || err == nil {
			t.Errorf("%s was accepted", file)
			continue
		}
		devicestest.Golden(t, filepath.Join("bad", strings.TrimSuffix(name, ".yaml")+".txt"), err.Error()+"\n")
	}
}

func TestParseErrorIsStructured(t *testing.T) {
	_, err := catalogue.Parse("k.yaml", []byte("device: kettle\nabout: a kettle\nkind: robot\n"))
	var all strictyaml.ConfigErrors
	if !errors.As(err, &all) {
		t.Fatalf("%T", err)
	}
	var first strictyaml.ConfigError
	for _, e := range all {
		if e.Path == "kind" {
			first = e
		}
	}
	want := strictyaml.ConfigError{
		File: "k.yaml", Line: 3, Column: 7, Path: "kind", Msg: `"robot" is not known`, Allowed: "iot, phone, tablet",
		Snippet: "    3 | kind: robot\n      |       ^",
	}
	if first != want {
		t.Errorf("got  %#v\nwant %#v", first, want)
	}
}

// A profile that was read can be performed, whatever it says.
func FuzzParse(f *testing.F) {
	for _, name := range catalogue.Names() {
		src, err := catalogue.Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte(devicestest.Varied))
	f.Add([]byte(devicestest.Tabled))
	f.Add([]byte(devicestest.Chained))
	f.Add([]byte(devicestest.Slipping))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := catalogue.Parse("f.yaml", src)
		if (p == nil) == (err == nil) {
			t.Fatalf("profile %v, error %v", p, err)
		}
		if err != nil {
			var all strictyaml.ConfigErrors
			if !errors.As(err, &all) || len(all) == 0 || err.Error() == "" {
				t.Fatalf("error %T: %v", err, err)
			}
			return
		}
		s := script.New(script.Specimen{Profile: p, Seed: 1}, script.Options{Duration: 60e9, Density: 1, Peer: true})
		var last int64
		for range 20 {
			a, ok := s.Next()
			if !ok {
				break
			}
			if a.At < last {
				t.Fatalf("%d after %d", a.At, last)
			}
			last = a.At
		}
	})
}
