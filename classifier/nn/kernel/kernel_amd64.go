package kernel

import "golang.org/x/sys/cpu"

// assembly lists what this processor can run, best first.
func assembly() []*Kernel {
	var out []*Kernel
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ {
		k := &Kernel{name: "avx512", rows: 12, width: 32, lanes: 16, gates: gatesAVX512, back: backAVX512}
		k.vectors = []wide{{128, vectorAVX512}, {64, narrowAVX512}}
		k.gatesWhole, k.exp = gatesWholeAVX512, expAVX512
		if cpu.X86.HasAVX512VNNI {
			k.whole16, k.whole8 = whole16s{16: whole16x16AVX512, 64: whole16x64AVX512}, whole8s{64: whole8x64AVX512, 128: whole8x128AVX512}
		} else if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
			k.wholeAVX2()
		}
		for i, t := range []func(c *float32, ldc int, a *float32, rs int, cs int, b *float32, k int, set int){
			tileAVX512x1, tileAVX512x2, tileAVX512x3, tileAVX512x4, tileAVX512x5, tileAVX512x6,
			tileAVX512x7, tileAVX512x8, tileAVX512x9, tileAVX512x10, tileAVX512x11, tileAVX512x12,
		} {
			k.tiles[i+1] = t
		}
		out = append(out, k)
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		k := &Kernel{name: "avx2", rows: 6, width: 16, lanes: 8, gates: gatesAVX2, back: backAVX2}
		k.vectors = []wide{{64, vectorAVX2}}
		k.gatesWhole, k.exp = gatesWholeAVX2, expAVX2
		k.wholeAVX2()
		for i, t := range []func(c *float32, ldc int, a *float32, rs int, cs int, b *float32, k int, set int){
			tileAVX2x1, tileAVX2x2, tileAVX2x3, tileAVX2x4, tileAVX2x5, tileAVX2x6,
		} {
			k.tiles[i+1] = t
		}
		out = append(out, k)
	}
	return out
}

type (
	whole16s = map[int]func(y, scale *float32, x, w *int16, pairs, panels int)
	whole8s  = map[int]func(y, scale *float32, offset *int32, x *int16, w *int8, quads, panels int)
)

func (k *Kernel) wholeAVX2() {
	k.whole16, k.whole8 = whole16s{16: whole16x16AVX2, 64: whole16x64AVX2}, whole8s{64: whole8x64AVX2, 128: whole8x128AVX2}
}
