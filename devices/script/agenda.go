package script

// Planned is one activity of a home: event Event, performed by the specimen whose Index is Unit.
type Planned struct {
	Event    int64 // from 0, in the order of the agenda
	Unit     int32
	Activity Activity
}

// Agenda yields the activities of all units of a home in one total order: by time, then unit, then the unit's own order.
// Equal scripts give equal event numbers. It is used from one goroutine at a time.
type Agenda struct {
	heads []head // a binary heap
	next  int64
}

type head struct {
	script *Script
	first  Activity
}

// Merge makes an agenda of the scripts of a home. It takes them over.
func Merge(scripts []*Script) *Agenda {
	a := &Agenda{heads: make([]head, 0, len(scripts))}
	for _, s := range scripts {
		if first, ok := s.Next(); ok {
			a.heads = append(a.heads, head{s, first})
		}
	}
	for i := len(a.heads)/2 - 1; i >= 0; i-- {
		a.sink(i)
	}
	return a
}

// Next returns the next activity; false after the last one.
func (a *Agenda) Next() (Planned, bool) {
	if len(a.heads) == 0 {
		return Planned{}, false
	}
	h := &a.heads[0]
	p := Planned{Event: a.next, Unit: h.script.unit, Activity: h.first}
	a.next++
	if following, ok := h.script.Next(); ok {
		h.first = following
	} else {
		last := len(a.heads) - 1
		a.heads[0] = a.heads[last]
		a.heads = a.heads[:last]
	}
	a.sink(0)
	return p, true
}

func (a *Agenda) before(i, j int) bool {
	x, y := &a.heads[i], &a.heads[j]
	if x.first.At != y.first.At {
		return x.first.At < y.first.At
	}
	return x.script.unit < y.script.unit
}

func (a *Agenda) sink(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(a.heads) && a.before(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		a.heads[i], a.heads[least] = a.heads[least], a.heads[i]
		i = least
	}
}
