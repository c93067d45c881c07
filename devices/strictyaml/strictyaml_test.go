package strictyaml

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"0": 0, "30s": 30 * time.Second, "1m30s": 90 * time.Second, "250ms": 250 * time.Millisecond, "1.5h": 90 * time.Minute,
		"2d": 2 * day, "1w": 7 * day, "1w2d3h": 9*day + 3*time.Hour, "1.5d": 36 * time.Hour, "-1d": -day, "10us": 10 * time.Microsecond,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-", "d", "1", "1x", "1d-2h", "--1s", "1 s", "200000d", "9999999999999h", "1dd", "s1", "1.2.3s", "1e3s"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("%q: %v was accepted", s, got)
		}
	}
}

func TestFormatDurationIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-math.MaxInt64, math.MaxInt64).Draw(t, "d"))
		if rapid.Bool().Draw(t, "round") {
			d = d / time.Minute * time.Minute
		}
		if got, err := ParseDuration(FormatDuration(d)); err != nil || got != d {
			t.Fatalf("%s: %v, %v; want %v", FormatDuration(d), got, err, d)
		}
	})
	if s := FormatDuration(10 * time.Minute); s != "10m" {
		t.Error(s)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"echo-dot", "google-home", "plug"}
	for name, want := range map[string]string{"ecko-dot": "echo-dot", "plugs": "plug", "googlehome": "google-home", "fridge": "", strings.Repeat("x", 1000): ""} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestScalars(t *testing.T) {
	doc, root := Parse("f", []byte("int: 7\ndec: 0.25\nrange: [1, 2.5]\nrate: [8kbit, 2mbit]\nspan: [1s, 2m]\ntext: >\n  two\n  lines\n"))
	m := root.Map("int", "dec", "range", "rate", "span", "text", "absent")
	lo, hi := m.Need("range").DecimalRange(0, 10)
	from, to := m.Need("span").DurationRange(0, time.Hour)
	slow, fast := m.Need("rate").Quantity([]Unit{{"kbit", 1e3}, {"mbit", 1e6}}, 1, 1e9, "rates")
	if m.Need("int").Int(0, 10) != 7 || m.Need("dec").Decimal(0, 1) != 250_000 || lo != Micro || hi != 2_500_000 || from != 1e9 || to != 120e9 ||
		slow != 8e3 || fast != 2e6 || m.Need("text").String(100) != "two lines" || m.Opt("absent").Int(1, 2) != 0 {
		t.Error("a value was misread")
	}
	if err := doc.Err(); err != nil {
		t.Error(err)
	}
}

func TestScalarErrors(t *testing.T) {
	for src, want := range map[string]string{
		"x: 11":                         `f:1:4: x: 11 is out of range (allowed: an integer from 0 to 10)`,
		"x: 1.5":                        `f:1:4: x: "1.5" is no integer`,
		"x: [1]":                        `f:1:4: x: a list of 1 values`,
		"x: [5, 4]":                     `f:1:4: x: the range ends before it begins`,
		"x: {a: 1}":                     `a mapping where a value is needed`,
		"x: [1, [2]]":                   `f:1:8: x[1]: a list where a value is needed`,
		"y: 1":                          `f:1:1: unknown key "y" (allowed: x; did you mean x?)`,
		"x: 1\nx: 2":                    `f:2:1: key "x" is given twice`,
		"- 1":                           `a list is no mapping`,
		"":                              `the file is empty`,
		"x: 1\n---\nx: 2":               `a second document`,
		"x: \x00":                       `zero byte`,
		"x: \xff":                       `not UTF-8`,
		"x: !!int 1":                    `not supported`,
		"  ä: 1":                        `unknown key "ä"`,
		"x: 99999999999999999999999999": `is out of range`,
	} {
		doc, root := Parse("f", []byte(src))
		if !doc.Failed() {
			root.Map("x").Need("x").IntRange(0, 10)
		}
		err := doc.Err()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", src, err, want)
		}
	}
}

func TestTooMuch(t *testing.T) {
	for name, src := range map[string]string{
		"bytes": strings.Repeat("a: 1\n", 1<<17), "line": "a: " + strings.Repeat("x", 1<<13), "depth": strings.Repeat("[\n", 1000),
	} {
		if doc, _ := Parse("f", []byte(src)); !doc.Failed() {
			t.Errorf("%s: accepted", name)
		}
	}
}
