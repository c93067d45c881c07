package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The numbers of exp: kernel's exp has the same. The terms are Taylor's, to the sixth power.
var (
	expLeast = float32(-86)
	expLog2e = float32(math.Log2E)
	expLn2   = []float32{0.693359375, -2.12194440e-4} // a sum: the first has few bits, so that whole multiples are exact
	expTerms = []float32{1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1}
)

// exps is e to the x for n numbers up to 0.
func exps(s isa) {
	name := "exp" + s.name
	all := append(append([]float32{expLeast, expLog2e}, expLn2...), expTerms...)
	k := newConsts(s, name, all)
	TEXT(name, NOSPLIT, "func(x *float32, n int)")
	Pragma("noescape")
	Doc(name + " makes x e to the x; n is a multiple of a vector's width.")
	x := Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	loop(s, name, n, []reg.Register{x}, func() {
		v, f, whole, p := s.vec(), s.vec(), s.vec(), s.vec()
		VMOVUPS(Mem{Base: x}, v)
		VMAXPS(k.get(expLeast), v, v)
		VMULPS(k.get(expLog2e), v, f)
		VCVTPS2DQ(f, whole)
		VCVTDQ2PS(whole, f)
		VFNMADD231PS(k.get(expLn2[0]), f, v)
		VFNMADD231PS(k.get(expLn2[1]), f, v)
		VMOVAPS(k.get(expTerms[0]), p)
		for _, t := range expTerms[1:] {
			VFMADD213PS(k.get(t), v, p)
		}
		VPSLLD(Imm(23), whole, whole)
		VPADDD(whole, p, p)
		VMOVUPS(p, Mem{Base: x})
	})
}
