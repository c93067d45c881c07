package scenarios

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glasshouse/devices/catalogue"
	"glasshouse/devices/profile"
	"glasshouse/devices/strictyaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got; -update rewrites it):\n%s", file, diff)
	}
}

func load(tb testing.TB, name string) *Scenario {
	tb.Helper()
	s, err := Load(name)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestBuiltIns(t *testing.T) {
	names := Names()
	for _, want := range []string{"iot-napt", "iot-vpn", "noisy-napt", "noisy-vpn", "single-echo-dot", "single-360-camera", "single-360-camera-lan", "single-xiaomi-mobile"} {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+want+" ") {
			t.Errorf("no scenario %s among %v", want, names)
		}
	}
	for _, name := range names {
		s := load(t, name)
		if s.Name != name || s.Source() != name || s.About == "" {
			t.Errorf("%s: name %q, source %q, about %q", name, s.Name, s.Source(), s.About)
		}
		if want := map[bool]Path{true: PathVPN, false: PathNAPT}[strings.HasSuffix(name, "-vpn")]; s.Path != want {
			t.Errorf("%s: path %s", name, s.Path)
		}
		if _, err := s.Draw(1, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The canonical text is complete and stable.
func TestYAMLIsReadBack(t *testing.T) {
	golden(t, "noisy-vpn.txt", load(t, "noisy-vpn").YAML())
	for _, name := range Names() {
		s := load(t, name)
		again, err := Parse("again.yaml", []byte(s.YAML()))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again.YAML() != s.YAML() || again.Digest() != s.Digest() {
			t.Errorf("%s: the canonical form differs when read back:\n%s\n%s", name, s.YAML(), again.YAML())
		}
	}
}

// Built-in homes have density 1, so a simulated week has a week's user actions. Only table 1's homes have more.
func TestBuiltInHomesActAtLifesRate(t *testing.T) {
	for _, name := range Names() {
		if d := load(t, name).Household.Density; d != 1 && !strings.HasPrefix(name, "table1-") {
			t.Errorf("%s: density %g", name, d)
		}
	}
}

func TestDigest(t *testing.T) {
	base := load(t, "iot-napt")
	seen := map[string]string{base.Digest(): "iot-napt"}
	for what, change := range map[string][2]string{
		"density": {"density: 1", "density: 4"}, "path": {"path: napt", "path: vpn"}, "present": {"present: 70", "present: 84.9999"},
	} {
		src, err := Text("iot-napt")
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse("x.yaml", []byte(strings.Replace(string(src), change[0], change[1], 1)))
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[s.Digest()]; ok {
			t.Errorf("a change of %s does not change the digest of %s", what, other)
		}
		seen[s.Digest()] = what
	}
	src, err := Text("iot-napt")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse("x.yaml", append([]byte("# a comment\n"), src...))
	if err != nil {
		t.Fatal(err)
	}
	if s.Digest() != base.Digest() {
		t.Error("a comment changes the digest")
	}
}

// A profile of the user's own lies beside the scenario; where both lie does not matter to the digest.
func TestOwnDevice(t *testing.T) {
	var digests []string
	for range 2 {
		dir := t.TempDir()
		src, err := catalogue.Source("tplink-plug")
		if err != nil {
			t.Fatal(err)
		}
		src = []byte(strings.Replace(string(src), "device: tplink-plug", "device: kettle", 1))
		if err := os.WriteFile(filepath.Join(dir, "kettle.yaml"), src, 0o644); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "home.yaml")
		text := "name: mine\npath: napt\ndevices:\n  - device: kettle.yaml\n    units: 2\n  - device: echo-dot\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s := load(t, file)
		home, err := s.Draw(1, 0)
		if err != nil {
			t.Fatal(err)
		}
		var units []string
		for _, u := range home.Specimens {
			units = append(units, u.Name)
		}
		if diff := cmp.Diff([]string{"kettle", "kettle-2", "echo-dot"}, units); diff != "" {
			t.Error(diff)
		}
		if s.Source() != file {
			t.Errorf("source %q, want %q", s.Source(), file)
		}
		digests = append(digests, s.Digest())
	}
	if digests[0] != digests[1] {
		t.Error("the digest depends on the directory")
	}
}

func TestParseErrors(t *testing.T) {
	for _, name := range []string{"many", "profile"} {
		file := filepath.Join("testdata", "bad", name+".yaml")
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(file, src)
		if s != nil || err == nil {
			t.Errorf("%s was accepted", file)
			continue
		}
		text := filepath.ToSlash(err.Error()) + "\n"
		if dir, err := filepath.Abs("."); err == nil {
			text = strings.ReplaceAll(text, filepath.ToSlash(dir)+"/", "")
		}
		text = strings.ReplaceAll(text, "The system cannot find the file specified.", "no such file or directory")
		golden(t, filepath.Join("bad", name+".txt"), text)
	}
	if _, err := Load("iot-nap"); err == nil || !strings.Contains(err.Error(), "did you mean iot-napt?") {
		t.Errorf("error %v does not suggest the name that was meant", err)
	}
}

func TestDefaults(t *testing.T) {
	s, err := Parse("x.yaml", []byte("name: x\npath: napt\ndevices: [{device: echo-dot}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Duration != 10*time.Minute || s.WarmUp != 15*time.Second || s.Household.Density != 1 || s.RunDuration() != s.Duration {
		t.Errorf("%+v", s)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		src, err := Text(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	catalogueOnly := func(name string) (*profile.Profile, string, error) {
		p, err := catalogue.Load(name)
		return p, name, err
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := parse("f.yaml", src, catalogueOnly)
		if (s == nil) == (err == nil) {
			t.Fatalf("scenario %v, error %v", s, err)
		}
		if err != nil {
			var all strictyaml.ConfigErrors
			if !errors.As(err, &all) || len(all) == 0 || err.Error() == "" {
				t.Fatalf("error %T: %v", err, err)
			}
			return
		}
		again, err := parse("again.yaml", []byte(s.YAML()), catalogueOnly)
		if err != nil {
			t.Fatalf("%v\n%s", err, s.YAML())
		}
		if again.YAML() != s.YAML() {
			t.Fatalf("read back:\n%s\nwas\n%s", again.YAML(), s.YAML())
		}
		if home, err := s.Draw(1, 0); err == nil && len(home.Specimens) == 0 {
			t.Fatal("an empty home")
		}
	})
}
