package accesspoint

import "glasshouse/gateway/dice"

// Pace is how the frames of a station follow each other where it has several to send: quantiles, in equal steps, of the ns from one
// to the next, and how each depends on the one before: rows of weights, of the next value's state for each state of the last
// one's, states sharing the steps evenly. Where two neighbouring quantiles are more than ten times apart there is nothing between
// them: radios that put frames together hand them over a microsecond or two apart, others take as long as the air does.
type Pace struct {
	Quantiles []int64
	Next      [][]int64
}

func (p *Pace) given() bool { return len(p.Quantiles) > 1 }

// pacer is one station's.
type pacer struct{ state int }

// draw returns the time to the next frame.
func (p *pacer) draw(pace *Pace, d dice.Dice) int64 {
	q, n := pace.Quantiles, int64(len(pace.Next))
	steps := int64(len(q) - 1)
	lo, hi := int64(0), steps
	if n > 0 && n <= steps {
		if p.state < 0 {
			p.state = int(d.UpTo(n - 1))
		} else {
			p.state = weighted(pace.Next[p.state], d)
		}
		lo, hi = int64(p.state)*steps/n, (int64(p.state)+1)*steps/n
	}
	i := lo + d.UpTo(hi-lo-1)
	if a, b := q[i], q[i+1]; b > 10*max(a, 1) {
		return q[i+d.UpTo(1)]
	}
	return q[i] + d.UpTo(q[i+1]-q[i])
}

func weighted(row []int64, d dice.Dice) int {
	total := int64(0)
	for _, w := range row {
		total += w
	}
	at := d.UpTo(total - 1)
	for i, w := range row {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(row) - 1
}

// next says when a frame that is ready at a time goes, the last one having gone at last. at is when it would go by itself: a frame that is
// ready long after the last one is not held back.
func (p *pacer) next(pace *Pace, d dice.Dice, ready, last, at int64) int64 {
	if last == 0 || ready-last > pace.Quantiles[len(pace.Quantiles)-1] {
		p.state = -1
		return at
	}
	return max(at, last+p.draw(pace, d))
}

// inOrder keeps captured frames in the order of their times where those of some stations are not the program's.
func (a *AccessPoint) inOrder(at int64) int64 {
	if !a.paced {
		return at
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = max(a.seen, at)
	return a.seen
}
