package plain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glasshouse/testbed/plain"
)

func set(t *testing.T, keys int, text string) string {
	t.Helper()
	var b strings.Builder
	table := plain.NewTable(&b)
	table.Keys = keys
	fmt.Fprint(table, text)
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	many := "truth\t" + strings.Join(slices.Repeat([]string{"1234"}, 20), "\t") + "\nplug\t" + strings.Join(slices.Repeat([]string{"5"}, 20), "\t") + "\n"
	for _, c := range []struct {
		name, text, want string
		keys             int
	}{
		{"fits", "class\tn\n\nplug\t12\tx\necho-dot\t3\n", "class  n\n\nplug      12  x\necho-dot  3\n", 1},
		{"no column without anything", "a\t\tb\n1\t\t2\n", "a  b\n1  2\n", 1},
		{
			"long cells are wrapped", "name\tabout\nplug\t" + strings.Repeat("word ", 18) + "\nhub\tshort\n",
			"name  about\nplug  " + strings.TrimSpace(strings.Repeat("word ", 15)) + "\n      word word word\nhub   short\n", 1,
		},
		{
			"figures are not", "a heading of several long words\tanother heading of several long words\tand one more of them all\nx\t0.912 to 0.95\t0.912 to 0.95\n",
			"a heading of several long   another heading of several  and one more of them all\n" +
				"words                       long words\n" +
				"x                           0.912 to 0.95               0.912 to 0.95\n", 1,
		},
		{
			"too many columns: parts", many,
			"truth" + strings.Repeat("  1234", 12) + "\nplug" + strings.Repeat("     5", 12) + "\n\ntruth" + strings.Repeat("  1234", 8) + "\nplug" + strings.Repeat("     5", 8) + "\n", 1,
		},
		{"a remark spans", "name\tauc\tfloor\nplug\ttoo few packets to tell anything\n", "name  auc  floor\nplug  too few packets to tell anything\n", 1},
		{"text is wrapped", strings.Repeat("word ", 17) + "5 %\n", strings.TrimSpace(strings.Repeat("word ", 16)) + "\nword 5 %\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := set(t, c.keys, c.text)
			if c.name == "too many columns: parts" { // padding between figures is not the point
				got, c.want = strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(c.want), " ")
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestTableKeys: each part of a table has its keys.
func TestTableKeys(t *testing.T) {
	row := "home-1\tvpn\t" + strings.Repeat("123456789\t", 12)
	got := strings.Split(set(t, 2, "home\tpath\t"+strings.Repeat("a\t", 12)+"\n"+row+"\n"), "\n")
	n := 0
	for _, l := range got {
		if strings.HasPrefix(l, "home-1  vpn ") {
			n++
		}
	}
	if n < 2 {
		t.Errorf("%d parts have their keys:\n%s", n, strings.Join(got, "\n"))
	}
}

// TestTableWidth: whatever is written, no line is too wide and no letter is lost.
func TestTableWidth(t *testing.T) {
	cell := rapid.StringMatching(`[ a-z0-9/%µ.-]{0,60}`)
	rapid.Check(t, func(t *rapid.T) {
		var in strings.Builder
		for range rapid.IntRange(1, 6).Draw(t, "rows") {
			in.WriteString(strings.Join(rapid.SliceOfN(cell, 1, 12).Draw(t, "row"), "\t") + "\n")
		}
		var out strings.Builder
		table := plain.NewTable(&out)
		fmt.Fprint(table, in.String())
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > plain.Width {
				t.Fatalf("%d columns: %q", n, line)
			}
		}
		for r := 'a'; r <= 'z'; r++ {
			if i, o := strings.Count(in.String(), string(r)), strings.Count(out.String(), string(r)); o < i {
				t.Fatalf("%c is there %d times of %d\n%s\n%s", r, o, i, in.String(), out.String())
			}
		}
	})
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		n    int
		noun string
		want string
	}{
		{0, "home", "0 homes"},
		{1, "home", "1 home"},
		{2, "WAN packet", "2 WAN packets"},
		{2, "class", "2 classes"},
		{1, "class", "1 class"},
		{3, "activity", "3 activities"},
		{2, "key", "2 keys"},
		{2, "batch", "2 batches"},
		{2, "is|are", "2 are"},
	} {
		if got := plain.Count(c.n, c.noun); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.n, c.noun, got, c.want)
		}
	}
}

func TestParagraphs(t *testing.T) {
	got := plain.Paragraphs("One line\nof a paragraph that goes on.\n\n  name   what it is, at some length\n  b  c\n", 24)
	want := "One line of a paragraph\nthat goes on.\n\n  name   what it is, at\n         some length\n  b  c"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
