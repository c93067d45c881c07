package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// wholeOne is what 1 is as a whole number.
const wholeOne = float32(4096)

// whole is y += scale·(x·W) for panels of so many columns of whole numbers of 16 bits, with sums of 32. Each row of a panel holds pairs
// of neighbouring rows of the matrix, column by column.
func whole(s isa, cols int) {
	name := fmt.Sprintf("whole16x%d%s", cols, s.name)
	TEXT(name, NOSPLIT, "func(y *float32, scale *float32, x *int16, w *int16, pairs int, panels int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds a row of whole numbers times panels of %d columns of 16 bits, scaled, to y.", name, cols))
	y, scale := Load(Param("y"), GP64()), Load(Param("scale"), GP64())
	first, w := Load(Param("x"), GP64()), Load(Param("w"), GP64())
	pairs, panels := Load(Param("pairs"), GP64()), Load(Param("panels"), GP64())
	x, k := GP64(), GP64()
	acc := s.vecs(4 * cols / s.bytes)
	Label("panel" + name)
	s.clear(acc)
	MOVQ(first, x)
	MOVQ(pairs, k)
	Label("loop" + name)
	v := s.vec()
	VPBROADCASTD(Mem{Base: x}, v)
	for i, a := range acc {
		weights := Mem{Base: w, Disp: i * s.bytes}
		if s.bytes == 64 {
			VPDPWSSD(weights, v, a)
			continue
		}
		p := s.vec()
		VPMADDWD(weights, v, p)
		VPADDD(p, a, a)
	}
	ADDQ(Imm(4), x)
	ADDQ(U32(4*cols), w)
	DECQ(k)
	JNZ(LabelRef("loop" + name))
	s.addScaled(acc, y, scale, 0)
	ADDQ(U32(4*cols), y)
	ADDQ(U32(4*cols), scale)
	DECQ(panels)
	JNZ(LabelRef("panel" + name))
	VZEROUPPER()
	RET()
}

// addScaled adds sums, times their scales, to y.
func (s isa) addScaled(sums []reg.VecVirtual, y, scale reg.Register, at int) {
	for i, a := range sums {
		v := s.vec()
		VMOVUPS(Mem{Base: y, Disp: at + i*s.bytes}, v)
		VCVTDQ2PS(a, a)
		VFMADD231PS(Mem{Base: scale, Disp: at + i*s.bytes}, a, v)
		VMOVUPS(v, Mem{Base: y, Disp: at + i*s.bytes})
	}
}

func (s isa) vecs(n int) []reg.VecVirtual {
	out := make([]reg.VecVirtual, n)
	for i := range out {
		out[i] = s.vec()
	}
	return out
}

func (s isa) clear(all []reg.VecVirtual) {
	for _, a := range all {
		if s.bytes == 64 {
			VPXORD(a, a, a)
		} else {
			VPXOR(a, a, a)
		}
	}
}

// bytes is whole for weights of 8 bits: each row of a panel holds four neighbouring rows of the matrix, column by column.
//
// With VNNI, x+32768 is 256·high+low, of which both are bytes without a sign, so that two instructions take 64 weights; offset is what
// 32768 too much are for a column. What is beyond 32 bits on the way is lost in the end, too.
func bytes(s isa, cols int) {
	name := fmt.Sprintf("whole8x%d%s", cols, s.name)
	var low, high, sign Mem
	if s.bytes == 64 {
		low, high, sign = quadBytes(name)
	}
	TEXT(name, NOSPLIT, "func(y *float32, scale *float32, offset *int32, x *int16, w *int8, quads int, panels int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds a row of whole numbers times panels of %d columns of 8 bits, scaled, to y.", name, cols))
	y, scale, offset := Load(Param("y"), GP64()), Load(Param("scale"), GP64()), Load(Param("offset"), GP64())
	first, w := Load(Param("x"), GP64()), Load(Param("w"), GP64())
	quads, panels := Load(Param("quads"), GP64()), Load(Param("panels"), GP64())
	x, k, at := GP64(), GP64(), GP64()
	if s.bytes == 64 {
		lows, highs, signs := s.vec(), s.vec(), s.vec()
		VPBROADCASTD(low, lows)
		VPBROADCASTD(high, highs)
		VPBROADCASTD(sign, signs)
		l, h := s.vecs(cols/16), s.vecs(cols/16)
		Label("panel" + name)
		s.clear(l)
		s.clear(h)
		MOVQ(first, x)
		MOVQ(quads, k)
		Label("loop" + name)
		four, hs, m := s.vec(), s.vec(), s.vec()
		VPBROADCASTQ(Mem{Base: x}, four)
		VPSHUFB(highs, four, hs)
		VPSHUFB(lows, four, four)
		VPXORD(signs, hs, hs)
		for i := range l {
			VMOVDQU64(Mem{Base: w, Disp: 64 * i}, m)
			VPDPBUSD(m, hs, h[i])
			VPDPBUSD(m, four, l[i])
		}
		ADDQ(Imm(8), x)
		ADDQ(U32(4*cols), w)
		DECQ(k)
		JNZ(LabelRef("loop" + name))
		for i := range l {
			VPSLLD(Imm(8), h[i], h[i])
			VPADDD(h[i], l[i], l[i])
			VPADDD(Mem{Base: offset, Disp: 64 * i}, l[i], l[i])
		}
		s.addScaled(l, y, scale, 0)
	} else {
		acc := s.vecs(8) // of four columns each, in halves
		Label("panel" + name)
		for part := range cols / 32 {
			s.clear(acc)
			MOVQ(first, x)
			MOVQ(quads, k)
			MOVQ(w, at)
			loop := fmt.Sprintf("loop%d%s", part, name)
			Label(loop)
			four := s.vec()
			VPBROADCASTQ(Mem{Base: x}, four)
			for i, a := range acc {
				m := s.vec()
				VPMOVSXBW(Mem{Base: at, Disp: 128*part + 16*i}, m)
				VPMADDWD(m, four, m)
				VPADDD(m, a, a)
			}
			ADDQ(Imm(8), x)
			ADDQ(U32(4*cols), at)
			DECQ(k)
			JNZ(LabelRef(loop))
			var sums []reg.VecVirtual
			for i := 0; i < len(acc); i += 2 {
				VPHADDD(acc[i+1], acc[i], acc[i])
				VPERMQ(Imm(0xd8), acc[i], acc[i])
				sums = append(sums, acc[i])
			}
			s.addScaled(sums, y, scale, 128*part)
		}
		MOVQ(at, w) // the next panel begins where the last row ends
	}
	ADDQ(U32(4*cols), y)
	ADDQ(U32(4*cols), scale)
	ADDQ(U32(4*cols), offset)
	DECQ(panels)
	JNZ(LabelRef("panel" + name))
	VZEROUPPER()
	RET()
}

// quadBytes is where the low bytes of four numbers of 16 bits are, and the high ones, for each four bytes of a vector; and what makes a
// high byte one without a sign.
func quadBytes(name string) (low, high, sign Mem) {
	low = GLOBL(name+"bytes", RODATA|NOPTR)
	DATA(0, U32(0x06040200))
	DATA(4, U32(0x07050301))
	DATA(8, U32(0x80808080))
	return low, low.Offset(4), low.Offset(8)
}

// gatesWhole is gatesForward for where only the output is wanted, and that as whole numbers, too. Quotients have common denominators: a
// division takes as long as ten other instructions.
func gatesWhole(s isa) {
	name := "gatesWhole" + s.name
	k := newConsts(s, name, gateConsts())
	TEXT(name, NOSPLIT, "func(sums *float32, n int, cell *float32, h *float32, whole *int16, units int)")
	Pragma("noescape")
	Doc(name + " is a step of an LSTM's gates whose output is of whole numbers, too; n is a multiple of a vector's width.")
	i := Load(Param("sums"), GP64())
	n := Load(Param("n"), GP64())
	cell, h, out := Load(Param("cell"), GP64()), Load(Param("h"), GP64()), Load(Param("whole"), GP64())
	gate := fourGates(i)
	k.preloadGates(wholeOne)
	loop(s, name, n, []reg.Register{i, cell, h}, func() {
		half := func(m Mem) reg.VecVirtual { // of a sum: sigmoid(x) is (1 + tanh(x/2))/2
			v := s.load(m)
			VMULPS(k.get(0.5), v, v)
			return v
		}
		a, b := k.quotient(half(gate[0]))
		VADDPS(b, a, a)
		p, q := k.quotient(s.load(gate[3]))
		VMULPS(p, a, a)
		VMULPS(q, b, b)
		p, q = k.quotient(half(gate[1]))
		VADDPS(q, p, p)
		VMULPS(Mem{Base: cell}, p, p)
		VMULPS(q, a, a)
		VFMADD231PS(p, b, a)
		VMULPS(q, b, b)
		VDIVPS(b, a, a)
		VMULPS(k.get(0.5), a, a)
		VMOVUPS(a, Mem{Base: cell})
		a, b = k.quotient(a)
		p, q = k.quotient(half(gate[2]))
		VADDPS(q, p, p)
		VMULPS(p, a, a)
		VMULPS(q, b, b)
		VDIVPS(b, a, a)
		VMULPS(k.get(0.5), a, a)
		VMOVUPS(a, Mem{Base: h})
		VMULPS(k.get(wholeOne), a, a)
		VCVTPS2DQ(a, a)
		if s.bytes == 64 {
			VPMOVSDW(a, Mem{Base: out})
		} else {
			high := XMM()
			VEXTRACTI128(Imm(1), a, high)
			VPACKSSDW(high, a.(interface{ AsX() reg.Register }).AsX(), high)
			VMOVDQU(high, Mem{Base: out})
		}
		ADDQ(Imm(uint64(s.bytes/2)), out)
	})
}
