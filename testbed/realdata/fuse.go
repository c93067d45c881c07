package realdata

import (
	"cmp"
	"slices"
)

// Parts of a home's captures: a model that learns from one half is judged by the other.
const (
	PartAll = iota
	PartFirst
	PartSecond
)

// fused are the packets of all devices of a home, in the order of their times, ns from the home's start.
type fused struct {
	packets []crossing
	end     int64 // ns: when the last capture ends
	startNs int64 // UTC: when the first capture begins
	cut     bool  // most payloads are not there: what they show of protocols is not seen
}

// fuse reads the captures of a home, shifts them, and keeps a part of them.
func (h *Home) fuse(part int) (*fused, error) {
	f := &fused{}
	var all [][]crossing
	var firsts []int64
	for i := range h.Captures {
		p, first, err := read(&h.Captures[i], i)
		if err != nil {
			return nil, err
		}
		all, firsts = append(all, p), append(firsts, first)
	}
	f.startNs = slices.Min(firsts)
	with, without := 0, 0
	for i, packets := range all {
		zero, at := firsts[i], int64(h.Captures[i].At)
		if h.Together {
			zero, at = f.startNs, 0
		}
		for k := range packets {
			packets[k].at += at - zero
			if data, shown := packets[k].shows(); shown {
				with++
			} else if data {
				without++
			}
		}
		slices.SortStableFunc(packets, func(a, b crossing) int { return cmp.Compare(a.at, b.at) })
	}
	f.cut = without > with
	for i, packets := range all {
		lo, hi := packets[0].at, packets[len(packets)-1].at+1
		if h.Together {
			lo, hi = span(all)
		}
		middle := lo + (hi-lo)/2
		for _, p := range packets {
			switch {
			case part == PartFirst && p.at >= middle, part == PartSecond && p.at < middle:
				continue
			case part == PartSecond && h.Together:
				p.at -= middle
			case part == PartSecond:
				p.at -= middle - int64(h.Captures[i].At)
			}
			f.packets = append(f.packets, p)
			f.end = max(f.end, p.at+1)
		}
	}
	inOrder(f.packets)
	return f, nil
}

// span is from the first to the last packet of all captures.
func span(all [][]crossing) (lo, hi int64) {
	lo, hi = all[0][0].at, 0
	for _, p := range all {
		lo, hi = min(lo, p[0].at), max(hi, p[len(p)-1].at+1)
	}
	return lo, hi
}

// enough is how much of a payload tells its protocol.
const enough = 6

// shows tells whether a packet has TCP data, and whether what is there of it is enough to show its protocol.
func (p *crossing) shows() (data, shown bool) {
	head := int(p.ip[0]&15) * 4
	if p.ip[9] != protoTCP || len(p.ip) < head+20 {
		return false, false
	}
	from := head + int(p.ip[head+12]>>4)*4
	if p.length <= from {
		return false, false
	}
	return true, len(p.ip)-from >= min(enough, p.length-from)
}

// inOrder sorts packets by time; those of one moment stay as they are.
func inOrder(packets []crossing) []crossing {
	slices.SortStableFunc(packets, func(a, b crossing) int { return cmp.Compare(a.at, b.at) })
	return packets
}
