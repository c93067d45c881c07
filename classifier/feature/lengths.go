package feature

import "glasshouse/testbed/dataset"

// LengthSlots is how many lengths are told apart; longer ones count as the last.
const LengthSlots = 2048

// SizeOf is a packet's length and direction as one number: negative is down.
func SizeOf(o *dataset.Observation) int32 {
	n := min(max(o.Length, 1), LengthSlots-1)
	if o.Dir < 0 {
		return -n
	}
	return n
}

// HashRemote is FNV-1a over the remote end.
func HashRemote(o *dataset.Observation) uint32 {
	h := uint32(2166136261)
	for i := range len(o.RemoteAddr) {
		h = (h ^ uint32(o.RemoteAddr[i])) * 16777619
	}
	h = (h ^ uint32(o.RemotePort&0xff)) * 16777619
	return (h ^ uint32(o.RemotePort>>8)) * 16777619
}
