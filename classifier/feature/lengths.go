package feature

import "glasshouse/testbed/dataset"

// LengthSlots is the number of distinct lengths; longer ones count as the last.
const LengthSlots = 2048

// SizeOf is a packet's length with its direction as the sign: negative is down.
func SizeOf(o *dataset.Observation) int32 {
	n := min(max(o.Length, 1), LengthSlots-1)
	if o.Dir < 0 {
		return -n
	}
	return n
}

// HashRemote is FNV-1a over the remote address and port.
func HashRemote(o *dataset.Observation) uint32 {
	h := uint32(2166136261)
	for i := range len(o.RemoteAddr) {
		h = (h ^ uint32(o.RemoteAddr[i])) * 16777619
	}
	h = (h ^ uint32(o.RemotePort&0xff)) * 16777619
	return (h ^ uint32(o.RemotePort>>8)) * 16777619
}
