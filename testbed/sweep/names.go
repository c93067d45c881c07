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
// each class has in a far end's traffic, where each class has as much traffic as any other and each home counts alike; once for the
// name itself and once for its domain, the last two labels. A far end that was met in no home but the packet's own has -1
// throughout: addresses are drawn for each home, as most of them are in life, and names are not.
type names struct {
	classes int
	of      map[string]*met
}

// met is a name's traffic.
type met struct {
	all    []float64         // by class, summed over homes
	family map[int][]float64 // and that of each family
}

// learnNames learns from homes.
func learnNames(samples []*sample, classes int) *names {
	n := &names{classes: classes, of: make(map[string]*met)}
	for _, s := range samples {
		for id, name := range s.names {
			for c, k := range s.met[id] {
				if k == 0 {
					continue
				}
				share := float64(k) / float64(s.classes[c].n)
				n.add(name, s.family, c, share)
				if d := domain(name); d != name {
					n.add(d, s.family, c, share)
				}
			}
		}
	}
	return n
}

func (n *names) add(name string, family, class int, share float64) {
	m := n.of[name]
	if m == nil {
		m = &met{all: make([]float64, n.classes), family: make(map[int][]float64)}
		n.of[name] = m
	}
	f := m.family[family]
	if f == nil {
		f = make([]float64, n.classes)
		m.family[family] = f
	}
	m.all[class] += share
	f[class] += share
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
	sum := 0.0
	for c := range x {
		x[c] = -1
		if m != nil {
			sum += m.without(c, except)
		}
	}
	if sum <= 0 {
		return
	}
	for c := range x {
		x[c] = float32(m.without(c, except) / sum)
	}
}

// without is a class's traffic but for a family's. What only that family had leaves nothing, whatever rounding says.
func (m *met) without(class, except int) float64 {
	f := m.family[except]
	if f == nil {
		return m.all[class]
	}
	if v := m.all[class] - f[class]; v > 1e-12 {
		return v
	}
	return 0
}

// hash writes all that is known.
func (n *names) hash(h hash.Hash) {
	for _, name := range slices.Sorted(maps.Keys(n.of)) {
		fmt.Fprintf(h, "%q %v\n", name, n.of[name].all)
	}
}
