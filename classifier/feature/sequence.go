package feature

import (
	"glasshouse/classifier/stat"
	"glasshouse/testbed/dataset"
)

// Features of the sequence of packets, which follow HomeMole's eleven. Each depends on the home's observations up to this packet only,
// so they are the same in training, scoring and live classification.
const (
	featBurstPosition  = NumFeatures + iota // packets since the last pause of burstGap or more; 1 is the first
	featBurstBytes                          // bytes of those packets, this one included
	featSinceLength                         // seconds since the last packet of this length and direction; -1: none
	featPeriod                              // featSinceLength of that packet; -1: none
	featSinceDirection                      // seconds since the last packet of this direction; -1: none
	featPrevious1                           // length of the previous packet, negative if it went down; 0: none
	featPrevious2
	featPrevious3
	featPrevious4
	featIntervalBefore // seconds between the two packets before this one; 0: none
	featSpan8          // seconds from the first to the last of the last 8 packets, this one included
	featSpan32
	featSpan128
	featUp32    // packets up among the last 32, this one included
	featBytes32 // bytes of the last 32 packets
	featSame128 // packets of this length and direction among the last 128, this one included
	allFeatures
)

const (
	burstGap = 100e6 // ns
	keptBack = 128   // packets that the features look back over; a power of two
	lengths  = 2048  // distinct frame lengths; larger ones count as the last
)

// SequenceNames lists the features of the sequence, in their order.
func SequenceNames() []string {
	return []string{
		"burst_position", "burst_bytes", "since_length", "period", "since_direction", "previous_1", "previous_2", "previous_3",
		"previous_4", "interval_before", "span_8", "span_32", "span_128", "up_32", "bytes_32", "same_128",
	}
}

// kept is a packet in the ring.
type kept struct {
	at   int64
	size int32 // negative: down
}

// seenLength is the state of a length and direction.
type seenLength struct {
	at     int64
	before float32 // seconds between the last two packets
	known  bool
	recent uint8 // among the last keptBack packets
}

// sequence computes the sequence features of one home, in constant time per packet. The zero value is ready.
type sequence struct {
	n       int64 // packets so far
	ring    [keptBack]kept
	lengths [2][lengths]seenLength // down, up
	turn    [2]int64               // time of the last packet, by direction
	turned  [2]bool
	burst   int64
	bytes   int64
	up32    int32
	bytes32 int64
}

// Step writes the features to out, which has allFeatures elements. It allocates nothing.
func (s *sequence) Step(o *dataset.Observation, out []float32) {
	way, sign := 0, int32(-1)
	if o.Dir > 0 {
		way, sign = 1, 1
	}
	size := min(max(o.Length, 1), lengths-1) // never 0: its sign is the direction
	seen := &s.lengths[way][size]

	out[featSinceLength], out[featPeriod], out[featSinceDirection] = -1, -1, -1
	if seen.known {
		out[featSinceLength], out[featPeriod] = Seconds(o.TsNs-seen.at), seen.before
	}
	if s.turned[way] {
		out[featSinceDirection] = Seconds(o.TsNs - s.turn[way])
	}
	for k := range int64(4) {
		out[featPrevious1+int(k)] = 0
		if s.n > k {
			out[featPrevious1+int(k)] = float32(s.back(k + 1).size)
		}
	}
	out[featIntervalBefore] = 0
	if s.n > 1 {
		out[featIntervalBefore] = Seconds(s.back(1).at - s.back(2).at)
	}

	if s.n == 0 || o.TsNs-s.back(1).at >= burstGap {
		s.burst, s.bytes = 0, 0
	}
	s.burst++
	s.bytes += int64(o.Length)
	if s.n >= 32 {
		old := s.back(32)
		s.bytes32 -= int64(max(old.size, -old.size))
		if old.size > 0 {
			s.up32--
		}
	}
	if s.n >= keptBack {
		old := s.back(keptBack)
		s.lengths[stat.Indicator(old.size > 0)][max(old.size, -old.size)].recent--
	}
	s.ring[s.n%keptBack] = kept{o.TsNs, sign * size}
	s.n++
	s.bytes32 += int64(size)
	if sign > 0 {
		s.up32++
	}
	seen.recent++
	seen.at, seen.before, seen.known = o.TsNs, out[featSinceLength], true
	s.turn[way], s.turned[way] = o.TsNs, true

	out[featBurstPosition], out[featBurstBytes] = float32(s.burst), float32(s.bytes)
	for i, k := range [3]int64{8, 32, 128} {
		out[featSpan8+i] = Seconds(o.TsNs - s.back(min(k, s.n)).at)
	}
	out[featUp32], out[featBytes32], out[featSame128] = float32(s.up32), float32(s.bytes32), float32(seen.recent)
}

// back returns the k-th last packet; 1 is the last.
func (s *sequence) back(k int64) kept { return s.ring[(s.n-k)%keptBack] }

// Seconds converts nanoseconds.
func Seconds(ns int64) float32 { return float32(float64(ns) / 1e9) }
