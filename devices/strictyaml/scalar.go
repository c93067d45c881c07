package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// String returns a text of 1 to limit bytes; "" for an absent value.
func (v Node) String(limit int) string {
	if !v.Given() {
		return ""
	}
	s, ok := v.scalar("a text")
	if !ok {
		return ""
	}
	if s == "" || len(s) > limit {
		v.Errorf(fmt.Sprintf("1 to %d bytes", limit), "a text of %d bytes", len(s))
		return ""
	}
	return s
}

// Enum returns one of the names; "" for an absent value.
func (v Node) Enum(names ...string) string {
	if !v.Given() {
		return ""
	}
	s, ok := v.scalar(strings.Join(names, ", "))
	if !ok {
		return ""
	}
	if !slices.Contains(names, s) {
		v.Errorf(OneOf(s, names), "%s is not known", v.describe())
		return ""
	}
	return s
}

// Bool returns true or false; false for an absent value.
func (v Node) Bool() bool {
	if !v.Given() {
		return false
	}
	b, ok := v.n.(*ast.BoolNode)
	if !ok {
		v.Errorf("true, false", "%s is neither", v.describe())
		return false
	}
	return b.Value
}

// scan reads a value, or a list [a, b] of two with a <= b.
func (v Node) scan(allowed string, one func(Node) (int64, bool)) (lo, hi int64) {
	seq, ok := v.n.(*ast.SequenceNode)
	if !ok {
		lo, _ = one(v)
		return lo, lo
	}
	if len(seq.Values) != 2 {
		v.Errorf(allowed+", or a range [from, to]", "a list of %d values", len(seq.Values))
		return 0, 0
	}
	ends := v.List()
	lo, okLo := one(ends[0])
	hi, okHi := one(ends[1])
	if okLo && okHi && lo > hi {
		v.Errorf("[from, to] with from <= to", "the range ends before it begins")
	}
	return lo, hi
}

// Int returns an integer from lo to hi; 0 for an absent value.
func (v Node) Int(lo, hi int64) int64 {
	if !v.Given() {
		return 0
	}
	n, _ := v.int(lo, hi)
	return n
}

func (v Node) int(lo, hi int64) (int64, bool) {
	allowed := fmt.Sprintf("an integer from %d to %d", lo, hi)
	s, ok := v.scalar(allowed)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		v.Errorf(allowed, "%s is no integer", v.describe())
		return 0, false
	case err != nil || n < lo || n > hi:
		v.Errorf(allowed, "%s is out of range", s)
		return 0, false
	}
	return n, true
}

// IntRange returns an integer twice, or the ends of a range [a, b], all from lo to hi.
func (v Node) IntRange(lo, hi int64) (from, to int64) {
	if !v.Given() {
		return 0, 0
	}
	return v.scan(fmt.Sprintf("an integer from %d to %d", lo, hi), func(x Node) (int64, bool) { return x.int(lo, hi) })
}

// Duration returns ns from lo to hi; 0 for an absent value.
func (v Node) Duration(lo, hi time.Duration) int64 {
	if !v.Given() {
		return 0
	}
	d, _ := v.duration(lo, hi)
	return d
}

// TryDuration is Duration that also tells whether there was such a value.
func (v Node) TryDuration(lo, hi time.Duration) (int64, bool) {
	if !v.Given() {
		return 0, false
	}
	return v.duration(lo, hi)
}

func (v Node) duration(lo, hi time.Duration) (int64, bool) {
	allowed := fmt.Sprintf("%s to %s, as in 250ms, 1m30s, 2d", FormatDuration(lo), FormatDuration(hi))
	s, ok := v.scalar(allowed)
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(s)
	switch {
	case err != nil:
		v.Errorf(allowed, "%s is no duration", v.describe())
		return 0, false
	case d < lo || d > hi:
		v.Errorf(allowed, "%s is out of range", s)
		return 0, false
	}
	return int64(d), true
}

// DurationRange returns a duration twice, or the ends of a range [a, b], in ns.
func (v Node) DurationRange(lo, hi time.Duration) (from, to int64) {
	if !v.Given() {
		return 0, 0
	}
	return v.scan(fmt.Sprintf("%s to %s", FormatDuration(lo), FormatDuration(hi)), func(x Node) (int64, bool) { return x.duration(lo, hi) })
}

// Micro is the unit of Decimal: decimals are kept as integers, so that every machine computes the same.
const Micro = 1_000_000

// Decimal returns a number with up to six decimals, in millionths, from lo to hi (whole numbers); 0 for an absent value.
func (v Node) Decimal(lo, hi int64) int64 {
	if !v.Given() {
		return 0
	}
	n, _ := v.decimal(lo, hi)
	return n
}

// DecimalRange returns a decimal twice, or the ends of a range [a, b], in millionths.
func (v Node) DecimalRange(lo, hi int64) (from, to int64) {
	if !v.Given() {
		return 0, 0
	}
	return v.scan(fmt.Sprintf("a number from %d to %d", lo, hi), func(x Node) (int64, bool) { return x.decimal(lo, hi) })
}

func (v Node) decimal(lo, hi int64) (int64, bool) {
	allowed := fmt.Sprintf("a number from %d to %d with up to six decimals", lo, hi)
	s, ok := v.scalar(allowed)
	if !ok {
		return 0, false
	}
	whole, frac, _ := strings.Cut(s, ".")
	digits := whole + (frac + "000000")[:max(6, len(frac))]
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		v.Errorf(allowed, "%s is out of range", shorten(s))
		return 0, false
	case err != nil || len(frac) > 6 || whole == "":
		v.Errorf(allowed, "%s is no such number", v.describe())
		return 0, false
	case n < lo*Micro || n > hi*Micro:
		v.Errorf(allowed, "%s is out of range", s)
		return 0, false
	}
	return n, true
}

// ParseDuration reads Go's durations, with d (24 h) and w (7 d) beside h, m, s, ms, us, ns: "1w", "1d12h", "90s", "0".
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no duration, such as 250ms, 1m30s, 12h, 2d, 1w", s)
	rest, sign := strings.TrimPrefix(s, "-"), time.Duration(1)
	if rest != s {
		sign = -1
	}
	var sum time.Duration
	for rest != "" {
		n := strings.IndexFunc(rest, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
		if n < 0 {
			n = len(rest)
		}
		u := n + strings.IndexFunc(rest[n:]+"0", func(c rune) bool { return c >= '0' && c <= '9' || c == '.' })
		number, unit, factor := rest[:n], rest[n:u], time.Duration(1)
		switch unit {
		case "d":
			unit, factor = "h", 24
		case "w":
			unit, factor = "h", 7*24
		}
		part, err := time.ParseDuration(number + unit)
		if err != nil || part < 0 || part > math.MaxInt64/factor || sum > math.MaxInt64-part*factor {
			return 0, bad
		}
		sum += part * factor
		rest = rest[u:]
	}
	if s == "" || s == "-" {
		return 0, bad
	}
	return sign * sum, nil
}

// FormatDuration writes a duration that ParseDuration reads, without zero parts: 10m, 1d, 1h30m.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := strings.ReplaceAll(d.String(), "\u00b5s", "us")
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Unit is a suffix of a quantity and what it stands for.
type Unit struct {
	Name   string
	Factor int64
}

// Quantity returns a whole number with one of these suffixes twice, or the ends of a range [a, b] of such, as numbers from
// lo to hi; 0 for an absent value. A unit named "" allows a bare number.
func (v Node) Quantity(units []Unit, lo, hi int64, allowed string) (from, to int64) {
	if !v.Given() {
		return 0, 0
	}
	return v.scan(allowed, func(x Node) (int64, bool) {
		s, ok := x.scalar(allowed)
		if !ok {
			return 0, false
		}
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		n, err := strconv.ParseInt(s[:digits], 10, 64)
		suffix := strings.ToLower(strings.TrimSpace(s[digits:]))
		for _, u := range units {
			if err != nil || u.Name != suffix {
				continue
			}
			if n > hi/u.Factor || n*u.Factor < lo {
				x.Errorf(allowed, "%s is out of range", s)
				return 0, false
			}
			return n * u.Factor, true
		}
		x.Errorf(allowed, "%s is no such quantity", x.describe())
		return 0, false
	})
}
