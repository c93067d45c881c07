package learn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// openingTime is how long after a line's opening what is said is taken for part of it.
const openingTime = int64(120e9)

// apartAtLeast is the pause after which what is said all the time is told from what it follows.
const apartAtLeast = int64(50e6)

// frequent tells which shapes of dialogue are said all the time: one in twenty, and three at least.
type frequent struct {
	count map[string]int
	all   int
}

func frequentOf(ds []dialogue) frequent {
	f := frequent{make(map[string]int), len(ds)}
	for _, d := range ds {
		f.count[shape(d.messages)]++
	}
	return f
}

func (f frequent) has(ms []message) bool {
	n := f.count[shape(ms)]
	return n >= 3 && n*20 >= f.all
}

// separate cuts dialogues in two where what is said all the time happened to follow something else: an opening, or another such.
func separate(ds []dialogue) []dialogue {
	f := frequentOf(ds)
	var out []dialogue
	for _, d := range ds {
		cut := 0
		for i := 1; i < len(d.messages) && cut == 0 && !f.has(d.messages); i++ {
			if d.messages[i].at-d.messages[i-1].end >= apartAtLeast && f.has(d.messages[i:]) && (d.opening || f.has(d.messages[:i])) {
				cut = i
			}
		}
		if cut == 0 {
			out = append(out, d)
			continue
		}
		first, second := d, d
		first.messages, second.messages, second.opening = d.messages[:cut], d.messages[cut:], false
		out = append(out, first, second)
	}
	return out
}

// opening is all that is said first on a line.
type opening struct {
	talk     *talk
	from     int64 // ns: when the first message could have been said
	messages []message
	slow     int64
}

// Of openings.
const (
	longOpening  = 40 // messages: longer ones are sketched after one of them
	mostVariants = 8
)

// openingsOf puts together what belongs to each opening. TLS handshakes are left out.
func openingsOf(told [][]dialogue, over int) []opening {
	var out []opening
	for _, ds := range told {
		k := ds[0].talk
		o := opening{talk: k, from: k.start + k.rtt, slow: ds[0].slow}
		for i, d := range ds {
			ms := d.messages
			if i == 0 && over > 0 {
				ms = afterHandshake(ms)
				if n := len(d.messages) - len(ms); n > 0 {
					o.from = d.messages[n-1].end
				}
			}
			o.messages = append(o.messages, ms...)
		}
		if len(o.messages) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// exact names an opening by the directions and sizes of all its messages, or their directions alone.
func exact(ms []message, sizes bool) string {
	if len(ms) > longOpening {
		return "long"
	}
	var b strings.Builder
	for _, m := range ms {
		fmt.Fprintf(&b, "%t", m.up)
		if sizes {
			fmt.Fprintf(&b, "%d", m.size)
		}
	}
	return b.String()
}

// variantsOf groups openings by what is said in them, the commonest first. Of what was said once only, those that go the same way
// are joined.
func variantsOf(os []opening) [][]opening {
	count := make(map[string]int)
	for _, o := range os {
		count[exact(o.messages, true)]++
	}
	by := make(map[string]int)
	var groups [][]opening
	for _, o := range os {
		key := exact(o.messages, true)
		if count[key] == 1 {
			key = exact(o.messages, false)
		}
		i, ok := by[key]
		if !ok {
			i = len(groups)
			by[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], o)
	}
	slices.SortStableFunc(groups, func(a, b []opening) int { return cmp.Compare(len(b), len(a)) })
	first := groups[0][0].messages[0]
	groups = slices.DeleteFunc(groups, func(g []opening) bool {
		return slices.ContainsFunc(g, func(o opening) bool { return o.messages[0].up != first.up })
	})
	return groups[:min(len(groups), mostVariants)]
}

// turn names a message and the one before it.
type turn struct {
	first, before, up bool
	sizes             [2]int
}

func turnOf(ms []message, i int) turn {
	t := turn{up: ms[i].up, sizes: [2]int{0, ms[i].size}}
	if t.first = i == 0; !t.first {
		t.before, t.sizes[0] = ms[i-1].up, ms[i-1].size
	}
	return t
}

// login writes how a line begins. The waits before a message are those of all openings in which it follows the same one.
func (l *learner) login(s *Service, os []opening) []item {
	waits := make(map[turn][]int64)
	for _, o := range os {
		for i, m := range o.messages {
			from := o.from
			if i > 0 {
				from = o.messages[i-1].end
			}
			t := turnOf(o.messages, i)
			w := m.at - from
			if t.answers() {
				w -= o.slow
			}
			waits[t] = append(waits[t], w)
		}
	}
	var out []item
	for _, g := range variantsOf(os) {
		v := item{weight: len(g)}
		if len(g[0].messages) > longOpening {
			slices.SortStableFunc(g, func(a, b opening) int { return cmp.Compare(volume(a.messages), volume(b.messages)) })
			m := g[len(g)/2]
			pace := paceOf(m.messages)
			pace[1].paced = len(l.r.Stack.Pace) > 0
			v.group = runs(m.messages, s.over, l.rtt+m.slow, pace)
		} else {
			for i := range g[0].messages {
				v.group = append(v.group, l.said(s, g, i, waits[turnOf(g[0].messages, i)]))
			}
		}
		if first := &v.group[0]; first.up && len(first.group) == 0 {
			first.size = [2]int{max(16, first.size[0]), max(16, first.size[1])}
		}
		out = append(out, v)
	}
	if len(out) == 1 {
		return out[0].group
	}
	return []item{{variants: out}}
}

// answers tells whether a message comes from the far end behind one of the device's, or behind its SYN.
func (t turn) answers() bool { return !t.up && (t.before || t.first) }

// said is message i of the openings of a variant.
func (l *learner) said(s *Service, g []opening, i int, waits []int64) item {
	var sizes []int64
	for _, o := range g {
		sizes = append(sizes, int64(app(o.messages[i].size, s.over)))
	}
	sizes = sorted(sizes)
	it := item{up: g[0].messages[i].up, repeat: [2]int{1, 1}, waits: true, size: [2]int{int(sizes[0]), int(sizes[len(sizes)-1])}}
	if mode, share := commonest(sizes); share > 0.8 {
		it.size = [2]int{mode, mode}
	}
	t := turnOf(g[0].messages, i)
	off := tardy()[0]
	if t.answers() {
		off = l.rtt
	}
	waits = sorted(waits)
	for k := range waits {
		waits[k] = min(max(waits[k]-off, 0), int64(3600e9))
	}
	if !t.answers() && waits[len(waits)*9/10] < 100e3 { // written at once
		waits = []int64{0}
	}
	it.wait = [2]int64{waits[0], waits[len(waits)-1]}
	if len(waits) >= 3 {
		it.table = whole(waits)
	}
	return it
}

// whole returns a sorted sample as quantiles: all of it where it is small.
func whole(sorted []int64) []int64 {
	if len(sorted) <= 51 {
		return sorted
	}
	return spreadOf(sorted)
}

// openings learns how a line begins, and how often it is opened.
func (l *learner) openings(s *Service, told [][]dialogue, starts []int64) []Activity {
	s.Login = [2]int{64, 64}
	for _, ds := range told {
		for _, d := range ds {
			l.used += len(d.messages)
		}
	}
	if os := openingsOf(told, s.over); len(os) > 0 {
		s.opening = l.login(s, os)
		s.Openings = len(os)
		for d, up := range []bool{true, false} {
			if i := slices.IndexFunc(os[0].messages, func(m message) bool { return m.up == up }); i >= 0 {
				s.Login[d] = app(os[0].messages[i].size, s.over)
			}
		}
	}
	if len(starts) < 2 {
		return nil
	}
	rhythm := rhythmOf(l.round(starts))
	if rhythm.N == 0 {
		return nil
	}
	return []Activity{{Name: "reopen", Op: "reconnect", Seen: len(starts), Shape: fmt.Sprintf("%d connections", len(starts)), Rhythm: rhythm}}
}

// restarts tells whether a line's opening starts a rhythm anew, and how long after it the first beat comes: quantiles. It does where the
// first beats of four openings or more come together: the middle half of them within a seventh of the time between two beats, of
// which it would take a half if they came whenever they come.
func (c *cluster) restarts(usual int64) []int64 {
	var after []int64
	seen := make(map[*talk]bool)
	for _, d := range c.members {
		if k := d.talk; k.opened && !seen[k] && d.at()-k.start <= longestGap {
			seen[k] = true
			after = append(after, d.at()-k.start)
		}
	}
	if len(after) < 4 {
		return nil
	}
	after = sorted(after)
	if (quantile(after, 0.75)-quantile(after, 0.25))*7 > usual {
		return nil
	}
	return whole(after)
}

// afterHandshake leaves out the messages of a TLS handshake: two each way.
func afterHandshake(ms []message) []message {
	var n [2]int
	for i, m := range ms {
		d := 1
		if m.up {
			d = 0
		}
		if n[d]++; n[0] > 2 && n[1] >= 1 || n[1] > 2 {
			return ms[i:]
		}
	}
	return nil
}
