package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// wholePanel is the width of a panel of a matrix of whole numbers, columns; a row of pairs is wholeRow bytes.
const (
	wholePanel = 64
	wholeRow   = 4 * wholePanel
)

// wholeOne is what 1 is as a whole number.
const wholeOne = float32(4096)

// whole is y += scale·(x·W) for panels of 64 columns of whole numbers: x and W are of 16 bits, the sums of 32. Each row of a panel holds
// pairs of neighbouring rows of the matrix, column by column.
func whole(s isa) {
	name := "whole" + s.name
	TEXT(name, NOSPLIT, "func(y *float32, scale *float32, x *int16, w *int16, pairs int, panels int)")
	Pragma("noescape")
	Doc(name + " adds a row of whole numbers times panels of such, scaled, to y.")
	y, scale := Load(Param("y"), GP64()), Load(Param("scale"), GP64())
	first, w := Load(Param("x"), GP64()), Load(Param("w"), GP64())
	pairs, panels := Load(Param("pairs"), GP64()), Load(Param("panels"), GP64())
	x, k := GP64(), GP64()
	acc := make([]reg.VecVirtual, wholeRow/s.bytes)
	for i := range acc {
		acc[i] = s.vec()
	}
	Label("panel" + name)
	for _, a := range acc {
		if s.bytes == 64 {
			VPXORD(a, a, a)
		} else {
			VPXOR(a, a, a)
		}
	}
	MOVQ(first, x)
	MOVQ(pairs, k)
	Label("loop" + name)
	v := s.vec()
	VPBROADCASTD(Mem{Base: x}, v)
	for i, a := range acc {
		row := Mem{Base: w, Disp: i * s.bytes}
		if s.bytes == 64 {
			VPDPWSSD(row, v, a)
			continue
		}
		p := s.vec()
		VPMADDWD(row, v, p)
		VPADDD(p, a, a)
	}
	ADDQ(Imm(4), x)
	ADDQ(U32(wholeRow), w)
	DECQ(k)
	JNZ(LabelRef("loop" + name))
	for i, a := range acc {
		sum := s.vec()
		VMOVUPS(Mem{Base: y, Disp: i * s.bytes}, sum)
		VCVTDQ2PS(a, a)
		VFMADD231PS(Mem{Base: scale, Disp: i * s.bytes}, a, sum)
		VMOVUPS(sum, Mem{Base: y, Disp: i * s.bytes})
	}
	ADDQ(U32(wholeRow), y)
	ADDQ(U32(wholeRow), scale)
	DECQ(panels)
	JNZ(LabelRef("panel" + name))
	VZEROUPPER()
	RET()
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
	gap := Load(Param("units"), GP64())
	SHLQ(Imm(2), gap)
	gap3 := GP64()
	LEAQ(Mem{Base: gap, Index: gap, Scale: 2}, gap3)
	k.preload(append(append([]float32{tanhLimit, -tanhLimit, 0.5, wholeOne}, tanhP...), tanhQ...)...)
	gate := [4]Mem{{Base: i}, {Base: i, Index: gap, Scale: 1}, {Base: i, Index: gap, Scale: 2}, {Base: i, Index: gap3, Scale: 1}}
	loop(s, name, n, []reg.Register{i, cell, h}, func() {
		load := func(m Mem) reg.VecVirtual {
			v := s.vec()
			VMOVUPS(m, v)
			return v
		}
		half := func(m Mem) reg.VecVirtual { // of a sum: sigmoid(x) is (1 + tanh(x/2))/2
			v := load(m)
			VMULPS(k.get(0.5), v, v)
			return v
		}
		a, b := k.quotient(half(gate[0]))
		VADDPS(b, a, a)
		p, q := k.quotient(load(gate[3]))
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
