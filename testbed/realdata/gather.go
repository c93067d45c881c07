package realdata

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"

	"glasshouse/testbed/frames"
)

// Parts of a home's captures: a model that learns from one half is judged by the other.
const (
	PartAll = iota
	PartFirst
	PartSecond
)

// ErrTwice means that a packet was listed as that of two devices.
var ErrTwice = errors.New("two entries of the list claim the same packet")

// gathered are the packets of all units of a home, on disk.
type gathered struct {
	home    *Home
	units   []unit
	spill   *spill
	startNs int64 // UTC: when the first capture begins
	cut     bool  // most payloads are not there: what they show of protocols is not seen
	left    frames.LeftOut
	notes   []string
	digest  string

	with, without int // packets whose payloads show their protocol, and those that do not
}

// unit is what was gathered of one device.
type unit struct {
	*Capture // the first of its entries in the list
	who      *frames.Matcher
	copies   *frames.Copies
	first    int64 // UTC, ns: of the earliest frame of its captures
	lo, hi   int64 // of its packets
	packets  int64
}

// gather reads each capture of a home once, and keeps the beginnings of the packets that cross the gateway, in a file of a temporary
// directory: memory does not grow with the captures.
func (h *Home) gather(ctx context.Context) (*gathered, error) {
	s, err := newSpill()
	if err != nil {
		return nil, err
	}
	g := &gathered{home: h, spill: s, left: make(frames.LeftOut), startNs: math.MaxInt64}
	for i := range h.Captures {
		if c := &h.Captures[i]; c.unit == len(g.units) {
			g.units = append(g.units, unit{
				Capture: c, who: frames.NewMatcher(c.station()), copies: frames.NewCopies(), first: math.MaxInt64, lo: math.MaxInt64, hi: math.MinInt64,
			})
		}
	}
	digest := sha256.New()
	if err := json.NewEncoder(digest).Encode([]any{h.Name, h.Together}); err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, file := range h.files() {
		if err := g.read(ctx, file, digest); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	for i := range g.units {
		u := &g.units[i]
		g.startNs = min(g.startNs, u.first)
		if u.packets == 0 {
			return nil, errors.Join(fmt.Errorf("%s: %w of %s", u.File, ErrNothing, u.Profile.Device), s.close())
		}
		for _, d := range u.who.Doubts() {
			g.notes = append(g.notes, u.Profile.Device+": "+d)
		}
	}
	if n := g.left[frames.Copy]; n > 0 {
		g.notes = append(g.notes, fmt.Sprintf("%d packets are copies of those before them, as of a port that is mirrored twice: they are left out", n))
	}
	g.cut, g.digest = g.without > g.with, hex.EncodeToString(digest.Sum(nil))
	return g, nil
}

// files are the captures' paths, each once.
func (h *Home) files() (out []string) {
	for _, c := range h.Captures {
		if !slices.Contains(out, c.File) {
			out = append(out, c.File)
		}
	}
	return out
}

// read reads one file, for all units whose packets are in it.
func (g *gathered) read(ctx context.Context, file string, digest hash.Hash) error {
	r, err := frames.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	var units []int
	for _, c := range g.home.Captures {
		if c.File == file {
			units = append(units, c.unit)
			fmt.Fprintf(digest, "%s %s %d\n", c.Profile.Device, c.station(), c.At)
		}
	}
	cutter, failed := frames.NewCutter(), error(nil)
	for n := 0; failed == nil; n++ {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && n%1024 == 0 {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		owner, up, reason := g.owner(units, f)
		switch {
		case reason != "":
			g.left[reason]++
			continue
		case owner < 0:
			return fmt.Errorf("%s: frame %d: %w", file, f.Number, ErrTwice)
		}
		cutter.Cut(f, func(p *frames.Frame) {
			if failed == nil {
				failed = g.add(&crossing{Frame: *p, at: p.At, up: up, unit: owner})
			}
		})
	}
	for _, u := range units {
		g.units[u].first = min(g.units[u].first, r.First())
	}
	g.left.Add(r.LeftOut())
	for _, note := range r.Notes() {
		g.notes = append(g.notes, file+": "+note)
	}
	sum, err := r.Sum()
	_, _ = digest.Write(sum)
	return errors.Join(failed, err)
}

// owner tells whose packet it is, or why nobody's; −1 where two units claim it.
func (g *gathered) owner(units []int, f *frames.Frame) (owner int, up bool, reason string) {
	owner, why := -1, frames.OtherDevice
	for _, i := range units {
		u := &g.units[i]
		dir, reason := u.who.Match(f)
		if dir == 0 {
			if reason != frames.OtherDevice {
				why = reason
			}
			continue
		}
		near, far := f.Src, f.Dst
		if dir < 0 {
			near, far = far, near
		}
		switch {
		case !frames.Crosses(near, far):
			why = frames.StaysLocal
		case owner >= 0 && owner != i:
			return -1, false, ""
		case owner == i:
		case u.copies.Seen(f):
			return i, false, frames.Copy
		default:
			owner, up = i, dir > 0
		}
	}
	if owner < 0 {
		return 0, false, why
	}
	return owner, up, ""
}

func (g *gathered) add(p *crossing) error {
	if data, shown := p.shows(); shown {
		g.with++
	} else if data {
		g.without++
	}
	u := &g.units[p.unit]
	u.lo, u.hi = min(u.lo, p.at), max(u.hi, p.at+1)
	u.packets++
	return g.spill.add(p)
}

// each gives the packets of a part in the order of time, from the home's start; it can be called again. A packet is the caller's own.
func (g *gathered) each(part int, yield func(p crossing) error) error {
	shift, lo, hi := make([]int64, len(g.units)), make([]int64, len(g.units)), make([]int64, len(g.units))
	for i := range g.units {
		u := &g.units[i]
		shift[i] = int64(u.At) - u.first
		if g.home.Together {
			shift[i] = -g.startNs
		}
		lo[i], hi[i] = u.lo+shift[i], u.hi+shift[i]
	}
	if g.home.Together {
		first, last := slices.Min(lo), slices.Max(hi)
		for i := range lo {
			lo[i], hi[i] = first, last
		}
	}
	for i := range shift { // which of the packets, and when the part begins
		middle := lo[i] + (hi[i]-lo[i])/2
		switch {
		case part == PartFirst:
			hi[i] = middle
		case part == PartSecond && g.home.Together:
			shift[i] -= middle
			lo[i], hi[i] = 0, hi[i]-middle
		case part == PartSecond:
			back := middle - int64(g.units[i].At)
			shift[i] -= back
			lo[i], hi[i] = middle-back, hi[i]-back
		}
	}
	return g.spill.merge(shift, func(p crossing) error {
		if p.at < lo[p.unit] || p.at >= hi[p.unit] {
			return nil
		}
		return yield(p)
	})
}
