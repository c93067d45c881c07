package cli

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"seed", "seed", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"duraton", "duration", 1},
		{"wurld", "world", 1},
		{"kitten", "sitting", 3},
		{"jsno", "json", 2},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
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
