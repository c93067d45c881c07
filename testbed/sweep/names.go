package sweep

import (
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
)

// noFamily is no family's number.
const noFamily = -1

// names is what an attacker has learned of far ends: which classes talk to whom. In numbers, for a tree to cut: the share that
// each class has in a far end's packets; once for the name itself and once for its domain, the last two labels. They are learned from
// the packets that all else is learned from: as many of each class as of any other, and as many at each point, however many homes
// there are. A far end that was met in no family's packets but the packet's own has -1 throughout: addresses are drawn for each home,
// as most of them are in life, and names are not.
type names struct {
	classes int
	of      map[string]*met
}

// met is how many packets a name has.
type met struct {
	all    []int         // by class
	family map[int][]int // and those of each family
}

// learnNames learns from the packets that teach.
func learnNames(t *training, classes int) *names {
	n := &names{classes: classes, of: make(map[string]*met)}
	for i, s := range t.from {
		name := s.names[t.far[i]]
		n.add(name, s.family, int(t.y[i]))
		if d := domain(name); d != name {
			n.add(d, s.family, int(t.y[i]))
		}
	}
	return n
}

func (n *names) add(name string, family, class int) {
	m := n.of[name]
	if m == nil {
		m = &met{all: make([]int, n.classes), family: make(map[int][]int)}
		n.of[name] = m
	}
	f := m.family[family]
	if f == nil {
		f = make([]int, n.classes)
		m.family[family] = f
	}
	m.all[class]++
	f[class]++
}

// domain returns the last two labels of a name, with a dot before them; an address is its own.
func domain(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || name[len(name)-1] >= '0' && name[len(name)-1] <= '9' {
		return name
	}
	return "." + name[strings.LastIndexAny(name[:i], ". ")+1:]
}

func (n *names) width() int { return 2 * n.classes }

// fill writes what is known of a far end, leaving out what one family taught.
func (n *names) fill(x []float32, name string, except int) {
	n.shares(x[:n.classes], name, except)
	n.shares(x[n.classes:], domain(name), except)
}

func (n *names) shares(x []float32, name string, except int) {
	m := n.of[name]
	sum := 0
	for c := range x {
		x[c] = -1
		if m != nil {
			sum += m.without(c, except)
		}
	}
	if sum == 0 {
		return
	}
	for c := range x {
		x[c] = float32(m.without(c, except)) / float32(sum)
	}
}

// without is how many packets a class has but for a family's.
func (m *met) without(class, except int) int {
	if f := m.family[except]; f != nil {
		return m.all[class] - f[class]
	}
	return m.all[class]
}

// hash writes all that is known.
func (n *names) hash(h hash.Hash) {
	for _, name := range slices.Sorted(maps.Keys(n.of)) {
		fmt.Fprintf(h, "%q %v\n", name, n.of[name].all)
	}
}
