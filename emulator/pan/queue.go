package pan

// push adds what is due. Equal times keep the order in which they were pushed.
func (a *Air) push(x item) {
	x.seq = a.seq
	a.seq++
	a.queue = append(a.queue, x)
	for i := len(a.queue) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a.before(i, parent) {
			return
		}
		a.queue[i], a.queue[parent] = a.queue[parent], a.queue[i]
		i = parent
	}
}

// pop removes what is due first.
func (a *Air) pop() item {
	first := a.queue[0]
	last := len(a.queue) - 1
	a.queue[0] = a.queue[last]
	a.queue[last] = item{}
	a.queue = a.queue[:last]
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < last && a.before(child, least) {
				least = child
			}
		}
		if least == i {
			return first
		}
		a.queue[i], a.queue[least] = a.queue[least], a.queue[i]
		i = least
	}
}

func (a *Air) before(i, j int) bool {
	if a.queue[i].at != a.queue[j].at {
		return a.queue[i].at < a.queue[j].at
	}
	return a.queue[i].seq < a.queue[j].seq
}
