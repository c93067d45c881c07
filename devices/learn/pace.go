package learn

// Of how a device's frames follow each other.
const (
	enoughForPace = 300 // pairs of frames
	largeFrame    = 500 // bytes of payload: smaller ones are single words
)

// rhythmOfFrames learns how the large segments of a device follow each other within bursts. The air and the device's radio set it: its
// program hands them over faster.
func (s *Stack) rhythmOfFrames(t *Trace) {
	var gaps []int64
	last := int64(0)
	for i := range t.Packets {
		p := &t.Packets[i]
		if !p.Up || p.Proto != 6 {
			continue
		}
		if p.Payload >= largeFrame {
			if g := p.At - last; last > 0 && g < burstPause {
				gaps = append(gaps, max(g, 0))
			}
			last = p.At
		} else {
			last = 0
		}
	}
	if len(gaps) < enoughForPace {
		return
	}
	g := sorted(gaps)
	n := min(len(g)/4, 100)
	for i := range n + 1 {
		s.Pace = append(s.Pace, quantile(g, min(max(float64(i)/float64(n), 0.002), 0.998)))
	}
	s.PaceNext = chainOf(gaps, s.Pace, 0)
}

// segments learns whether the device joins what it writes: one that sends hundreds of large segments of one size, hardly one of which is
// full, does not.
func (s *Stack) segments(t *Trace) {
	full := segment(t)
	count, large := make(map[int]int), 0
	for i := range t.Packets {
		if p := &t.Packets[i]; p.Up && p.Proto == 6 && p.Payload > full*4/5 {
			count[p.Payload]++
			large++
		}
	}
	most := 0
	for size, n := range count {
		if size < full {
			most = max(most, n)
		}
	}
	s.Apart = large >= enoughForPace && most*10 >= large*9
}
