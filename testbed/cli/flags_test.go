package cli

import (
	"testing"

	"glasshouse/devices/strictyaml"
)

func TestSuggest(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"duraton", "did you mean duration? --help lists them"},
		{"wurld", "did you mean world? --help lists them"},
		{"jsno", "did you mean json? --help lists them"},
		{"telepathy", "--help lists them"},
		{"", "--help lists them"},
	} {
		if got := strictyaml.Suggest(c.name, []string{"duration", "world", "json", "output"}, "--help lists them"); got != c.want {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDrawnSeed(t *testing.T) {
	large := false
	for range 100 {
		var s seedFlag
		v := s.get()
		if v >= 1<<seedBits {
			t.Fatalf("seed %d has more than %d bits", v, seedBits)
		}
		if s.get() != v {
			t.Fatal("the seed changed")
		}
		large = large || v >= 1<<32
	}
	if !large {
		t.Error("100 seeds of 32 bits or fewer")
	}
}
