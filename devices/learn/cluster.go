package learn

import (
	"fmt"
	"slices"
	"strings"
)

// cluster is dialogues of one shape.
type cluster struct {
	members []dialogue
	paced   bool // the device's radio is known to pace its frames
}

// exactShape is how many messages a dialogue can have to be told from others by their exact sizes.
const exactShape = 12

// shape names what dialogues have in common: the sizes of a short one, the turns of a longer one.
func shape(ms []message) string {
	var b strings.Builder
	if len(ms) <= exactShape {
		for _, m := range ms {
			fmt.Fprintf(&b, "%t%d ", m.up, m.size)
		}
		return b.String()
	}
	return "long"
}

// clusters groups dialogues by shape. Of a shape that came only once or twice, those with the same directions are joined.
func clusters(ds []dialogue) []*cluster {
	byShape := make(map[string]*cluster)
	var out []*cluster
	add := func(key string, d dialogue) {
		if byShape[key] == nil {
			byShape[key] = &cluster{}
			out = append(out, byShape[key])
		}
		byShape[key].members = append(byShape[key].members, d)
	}
	count := make(map[string]int)
	for _, d := range ds {
		count[shape(d.messages)]++
	}
	few := max(3, len(ds)/100)
	for _, d := range ds {
		key := shape(d.messages)
		if count[key] < few {
			key = "like " + directions(d.messages)
		}
		add(key, d)
	}
	byCount(out)
	return out
}

func directions(ms []message) string {
	if len(ms) > exactShape {
		return "long"
	}
	b := make([]byte, len(ms))
	for i, m := range ms {
		b[i] = '<'
		if m.up {
			b[i] = '>'
		}
	}
	return string(b)
}

func (c *cluster) times() []int64 {
	at := make([]int64, len(c.members))
	for i := range at {
		at[i] = c.members[i].at()
	}
	return at
}

// gaps returns the ns from one member to the next; of one talk only, if they are on one line: while it was down nothing could
// be said.
func (c *cluster) gaps(within bool) []int64 {
	var g []int64
	for i := 1; i < len(c.members); i++ {
		if within && c.members[i].talk != c.members[i-1].talk {
			continue
		}
		g = append(g, c.members[i].at()-c.members[i-1].at())
	}
	return g
}

// item is a message of an activity, or a group that repeats.
type item struct {
	up     bool
	size   [2]int   // bytes of the application, least and most
	wait   [2]int64 // ns
	waits  bool
	table  []int64 // quantiles of the wait, where it is known so well
	next   [][]int64
	repeat [2]int
	group  []item

	variants []item // one of these groups is drawn, by their weights
	weight   int
}

// script says what the members say: message by message where they have one structure, else as the median one does.
func (c *cluster) script(over int, rtt int64, doze []int64) []item {
	n := len(c.members[0].messages)
	same := n <= exactShape
	for _, m := range c.members {
		same = same && directions(m.messages) == directions(c.members[0].messages)
	}
	if !same {
		return c.median(over, rtt)
	}
	var out []item
	for i := range n {
		var sizes, waits []int64
		for _, m := range c.members {
			sizes = append(sizes, int64(app(m.messages[i].size, over)))
			if i > 0 {
				w := m.messages[i].at - m.messages[i-1].end
				if m.messages[i-1].up && !m.messages[i].up {
					w -= m.slow
				}
				waits = append(waits, w)
			}
		}
		sizes, waits = sorted(sizes), sorted(waits)
		it := item{up: c.members[0].messages[i].up, repeat: [2]int{1, 1}}
		it.size = [2]int{int(quantile(sizes, 0.05)), int(quantile(sizes, 0.95))}
		if mode, share := commonest(sizes); share > 0.8 {
			it.size = [2]int{mode, mode}
		}
		if i > 0 {
			it.waits = true
			it.wait = turnWait(quantile(waits, 0.1), quantile(waits, 0.9), it.up, out[i-1].up, rtt)
			it.table = waitTable(waits, it.up, out[i-1].up, rtt, doze)
		}
		out = append(out, it)
	}
	return out
}

// longestWait is the longest within an activity that a profile may have, ns.
const longestWait = int64(3600e9)

// turnWait takes the network's way and back off an answer's lag: the emulated network has its own.
func turnWait(lo, hi int64, up, before bool, rtt int64) [2]int64 {
	if !up && before {
		lo, hi = lo-rtt, hi-rtt
	}
	return [2]int64{min(max(lo, 0), longestWait), min(max(hi, 0), longestWait)}
}

// waitTable is turnWait for all quantiles; nil of a small sample. What a device that dozes answers has waited for it to wake.
func waitTable(waits []int64, up, before bool, rtt int64, doze []int64) []int64 {
	t := spreadOf(waits)
	for i := range t {
		t[i] = min(t[i], longestWait)
	}
	switch {
	case t == nil:
		return nil
	case !up && before:
		return less(t, []int64{rtt})
	case up && !before && len(doze) > 0:
		return less(t, doze)
	}
	return less(t, tardy())
}

// tardy is how late an emulated program is after a wait, ns, in the median.
func tardy() []int64 { return []int64{90e3} }

// app returns the application's bytes in a message: a record's overhead comes once for each 16 KiB.
func app(size, over int) int {
	return max(size-over*(1+size/(16<<10+over+1)), 1)
}

func commonest(sorted []int64) (mode int, share float64) {
	best, run := 0, 0
	for i, v := range sorted {
		if i > 0 && v == sorted[i-1] {
			run++
		} else {
			run = 1
		}
		if run > best {
			best, mode = run, int(v)
		}
	}
	return mode, float64(best) / float64(max(len(sorted), 1))
}

// median takes the member with the median number of bytes for all, and lets its longest run be as long as the others' are.
func (c *cluster) median(over int, rtt int64) []item {
	members := slices.Clone(c.members)
	slices.SortStableFunc(members, func(a, b dialogue) int { return int(sign(int64(volume(a.messages) - volume(b.messages)))) })
	m := members[len(members)/2]
	lo, hi := members[len(members)/10], members[len(members)*9/10]
	var pace [2]pace
	pace[1].paced = c.paced
	for i := range members {
		pace[0].add(members[i].messages, false)
		pace[1].add(members[i].messages, true)
	}
	items := runs(m.messages, over, rtt+m.slow, &pace)
	longest := -1
	for i := range items {
		if len(items[i].group) > 0 && (longest < 0 || items[i].repeat[1] > items[longest].repeat[1]) {
			longest = i
		}
	}
	if v := volume(m.messages); longest >= 0 && v > 0 {
		k := items[longest].repeat[1]
		items[longest].repeat = [2]int{max(1, k*volume(lo.messages)/v), max(1, k*volume(hi.messages)/v)}
	}
	return items
}

func volume(ms []message) (n int) {
	for _, m := range ms {
		n += m.size
	}
	return n
}

// Runs of more messages than this one way are written as bursts.
const longRun = 6

// burstPause ends a burst within a run.
const burstPause = int64(15e6)

// pace is how fast the messages of long runs follow each other, one way: within bursts, and between them.
type pace struct {
	short, pauses, lengths []int64 // ns, and messages of bursts
	paced                  bool    // the radio does: the program hands over a burst at once
}

func (w *pace) add(ms []message, up bool) {
	for i := 0; i < len(ms); {
		j := i
		for j < len(ms) && ms[j].up == ms[i].up {
			j++
		}
		if ms[i].up == up && j-i > longRun {
			length := int64(1)
			for k := i + 1; k < j; k++ {
				if v := ms[k].at - ms[k-1].end; v > burstPause {
					w.pauses = append(w.pauses, v)
					w.lengths = append(w.lengths, length)
					length = 0
				} else {
					w.short = append(w.short, v)
				}
				length++
			}
			w.lengths = append(w.lengths, length)
		}
		i = j
	}
}

// paceOf is that of one dialogue.
func paceOf(ms []message) *[2]pace {
	var p [2]pace
	p[0].add(ms, false)
	p[1].add(ms, true)
	return &p
}

// runs writes a long dialogue: its turns, and of long runs in one direction how many come at once and how often.
func runs(ms []message, over int, rtt int64, all *[2]pace) []item {
	var out []item
	for i := 0; i < len(ms); {
		j := i
		for j < len(ms) && ms[j].up == ms[i].up {
			j++
		}
		if j-i <= longRun {
			for k := i; k < j; k++ {
				out = append(out, single(ms, k, over, rtt))
			}
			i = j
			continue
		}
		out = append(out, single(ms, i, over, rtt))
		var sizes []int64
		for k := i + 1; k < j; k++ {
			sizes = append(sizes, int64(app(ms[k].size, over)))
		}
		w := &all[0]
		if ms[i].up {
			w = &all[1]
		}
		pauses, short := sorted(w.pauses), sorted(w.short)
		sizes = sorted(sizes)
		size := [2]int{int(quantile(sizes, 0.1)), int(quantile(sizes, 0.9))}
		if mode, share := commonest(sizes); share > 0.6 {
			size = [2]int{mode, mode}
		}
		lengths := sorted(w.lengths)
		each := [2]int{int(max(1, quantile(lengths, 0.15))), int(max(1, quantile(lengths, 0.85)))}
		group := []item{{up: ms[i].up, size: size, waits: true, repeat: [2]int{1, 1}, wait: [2]int64{quantile(pauses, 0.1), quantile(pauses, 0.9)}, table: less(spreadOf(pauses), tardy())}}
		if each[1] > 1 {
			within := item{
				up: ms[i].up, size: size, repeat: [2]int{max(1, each[0]-1), each[1] - 1},
				waits: len(short) > 0, wait: [2]int64{quantile(short, 0.1), quantile(short, 0.9)}, table: less(spreadOf(short), tardy()),
			}
			if w.paced {
				within.wait, within.table = [2]int64{}, nil
			}
			group = append(group, within)
		}
		n := max(1, 2*len(sizes)/(each[0]+each[1]))
		out = append(out, item{group: group, repeat: [2]int{n, n}})
		i = j
	}
	return out
}

func single(ms []message, k, over int, rtt int64) item {
	it := item{up: ms[k].up, size: [2]int{app(ms[k].size, over), app(ms[k].size, over)}, repeat: [2]int{1, 1}}
	if k > 0 {
		w := ms[k].at - ms[k-1].end
		it.waits = true
		it.wait = turnWait(w*9/10, w*11/10, it.up, ms[k-1].up, rtt)
	}
	return it
}
