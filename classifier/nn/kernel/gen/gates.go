package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The numbers of tanh as x·P(x²)/Q(x²) on ±tanhLimit: kernel's tanh has the same, and their source.
var (
	tanhP     = []float32{-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03}
	tanhQ     = []float32{1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03}
	tanhLimit = float32(7.90531110763549805)
)

// gateConsts are what gates need.
func gateConsts() []float32 {
	return append(append([]float32{tanhLimit, -tanhLimit, 0.5, 1, wholeOne}, tanhP...), tanhQ...)
}

// consts hands out broadcast constants: from registers where there are enough, else from memory each time.
type consts struct {
	s    isa
	data Mem
	at   map[float32]int
	regs map[float32]reg.VecVirtual
}

func newConsts(s isa, name string, all []float32) *consts {
	c := &consts{s: s, at: make(map[float32]int), regs: make(map[float32]reg.VecVirtual)}
	c.data = GLOBL(name+"consts", RODATA|NOPTR)
	for i, v := range all {
		DATA(4*i, U32(math.Float32bits(v)))
		c.at[v] = 4 * i
	}
	return c
}

func (c *consts) preload(all ...float32) {
	if !c.s.many {
		return
	}
	for _, v := range all {
		r := c.s.vec()
		VBROADCASTSS(c.data.Offset(c.at[v]), r)
		c.regs[v] = r
	}
}

func (c *consts) get(v float32) reg.VecVirtual {
	if r, ok := c.regs[v]; ok {
		return r
	}
	r := c.s.vec()
	VBROADCASTSS(c.data.Offset(c.at[v]), r)
	return r
}

// preloadGates keeps what all gates need, and more, in registers.
func (c *consts) preloadGates(more ...float32) {
	c.preload(append(append(append([]float32{tanhLimit, -tanhLimit, 0.5}, more...), tanhP...), tanhQ...)...)
}

// fourGates are a row's sums of the gates i, f, o and of the candidate c, which are the parameter units apart; from where base points.
func fourGates(base reg.Register) [4]Mem {
	gap, gap3 := Load(Param("units"), GP64()), GP64()
	SHLQ(Imm(2), gap)
	LEAQ(Mem{Base: gap, Index: gap, Scale: 2}, gap3)
	return [4]Mem{{Base: base}, {Base: base, Index: gap, Scale: 1}, {Base: base, Index: gap, Scale: 2}, {Base: base, Index: gap3, Scale: 1}}
}

// load brings a vector from memory.
func (s isa) load(m Mem) reg.VecVirtual {
	v := s.vec()
	VMOVUPS(m, v)
	return v
}

// tanh returns tanh(x); x is lost.
func (c *consts) tanh(x reg.VecVirtual) reg.VecVirtual {
	p, q := c.quotient(x)
	VDIVPS(q, p, p)
	return p
}

// quotient returns numbers whose quotient is tanh(x); x is lost.
func (c *consts) quotient(x reg.VecVirtual) (p, q reg.VecVirtual) {
	VMINPS(c.get(tanhLimit), x, x)
	VMAXPS(c.get(-tanhLimit), x, x)
	x2 := c.s.vec()
	p, q = c.s.vec(), c.s.vec()
	VMULPS(x, x, x2)
	VMOVAPS(c.get(tanhP[0]), p)
	for _, a := range tanhP[1:] {
		VFMADD213PS(c.get(a), x2, p)
	}
	VMULPS(x, p, p)
	VMOVAPS(c.get(tanhQ[0]), q)
	for _, a := range tanhQ[1:] {
		VFMADD213PS(c.get(a), x2, q)
	}
	return p, q
}

// sigmoid returns 1/(1+exp(-x)) = tanh(x/2)/2 + 1/2; x is lost.
func (c *consts) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	half := c.get(0.5)
	VMULPS(half, x, x)
	p := c.tanh(x)
	half = c.get(0.5)
	VFMADD213PS(half, half, p)
	return p
}

// gatesForward turns a row's sums into gates, cell and output. g holds n sums each of i, f, o and c, and takes the gates.
func gatesForward(s isa) {
	name := "gates" + s.name
	k := newConsts(s, name, gateConsts())
	TEXT(name, NOSPLIT, "func(sums *float32, n int, prev *float32, cell *float32, tc *float32, h *float32, units int)")
	Pragma("noescape")
	Doc(name + " is the forward step of an LSTM's gates; n is a multiple of a vector's width.")
	i := Load(Param("sums"), GP64())
	n := Load(Param("n"), GP64())
	prev, cell := Load(Param("prev"), GP64()), Load(Param("cell"), GP64())
	tc, h := Load(Param("tc"), GP64()), Load(Param("h"), GP64())
	gate := fourGates(i)
	k.preloadGates()
	loop(s, name, n, []reg.Register{i, prev, cell, tc, h}, func() {
		iv := k.sigmoid(s.load(gate[0]))
		VMOVUPS(iv, gate[0])
		gv := k.tanh(s.load(gate[3]))
		VMOVUPS(gv, gate[3])
		VMULPS(gv, iv, iv)
		fv := k.sigmoid(s.load(gate[1]))
		VMOVUPS(fv, gate[1])
		VFMADD231PS(Mem{Base: prev}, fv, iv) // the cell
		VMOVUPS(iv, Mem{Base: cell})
		tv := k.tanh(iv)
		VMOVUPS(tv, Mem{Base: tc})
		ov := k.sigmoid(s.load(gate[2]))
		VMOVUPS(ov, gate[2])
		VMULPS(ov, tv, tv)
		VMOVUPS(tv, Mem{Base: h})
	})
}

// gatesBackward turns gates into the gradients of their sums. dc takes the gradient of the cell before.
func gatesBackward(s isa) {
	name := "back" + s.name
	k := newConsts(s, name, gateConsts())
	TEXT(name, NOSPLIT, "func(sums *float32, n int, prev *float32, tc *float32, dh *float32, dy *float32, dc *float32, units int)")
	Pragma("noescape")
	Doc(name + " is the backward step of an LSTM's gates; n is a multiple of a vector's width.")
	i := Load(Param("sums"), GP64())
	n := Load(Param("n"), GP64())
	prev, tc := Load(Param("prev"), GP64()), Load(Param("tc"), GP64())
	dh, dy, dc := Load(Param("dh"), GP64()), Load(Param("dy"), GP64()), Load(Param("dc"), GP64())
	gate := fourGates(i)
	one := s.vec()
	VBROADCASTSS(k.data.Offset(k.at[1]), one)
	loop(s, name, n, []reg.Register{i, prev, tc, dh, dy, dc}, func() {
		iv, fv, ov, gv := s.load(gate[0]), s.load(gate[1]), s.load(gate[2]), s.load(gate[3])
		t, d, x := s.vec(), s.vec(), s.vec()
		VMOVUPS(Mem{Base: tc}, t)
		VMOVUPS(Mem{Base: dh}, d)
		VADDPS(Mem{Base: dy}, d, d)
		// dc += dh·o·(1−tc²)
		VMOVAPS(one, x)
		VFNMADD231PS(t, t, x)
		VMULPS(ov, x, x)
		cell := s.vec()
		VMOVUPS(Mem{Base: dc}, cell)
		VFMADD231PS(d, x, cell)
		// o: dh·tc·o·(1−o)
		VMULPS(d, t, t)
		VMOVAPS(ov, x)
		VFNMADD231PS(ov, ov, x)
		VMULPS(t, x, x)
		VMOVUPS(x, gate[2])
		// c: dc·i·(1−g²)
		VMOVAPS(one, x)
		VFNMADD231PS(gv, gv, x)
		VMULPS(iv, x, x)
		VMULPS(cell, x, x)
		VMOVUPS(x, gate[3])
		// i: dc·g·i·(1−i)
		VMOVAPS(iv, x)
		VFNMADD231PS(iv, iv, x)
		VMULPS(gv, x, x)
		VMULPS(cell, x, x)
		VMOVUPS(x, gate[0])
		// f: dc·c₋₁·f·(1−f)
		VMOVAPS(fv, x)
		VFNMADD231PS(fv, fv, x)
		VMULPS(Mem{Base: prev}, x, x)
		VMULPS(cell, x, x)
		VMOVUPS(x, gate[1])
		VMULPS(fv, cell, cell)
		VMOVUPS(cell, Mem{Base: dc})
	})
}

// loop runs body for n elements, a vector at a time, and moves the pointers on.
func loop(s isa, name string, n reg.Register, pointers []reg.Register, body func()) {
	SHRQ(Imm(map[int]uint64{64: 4, 32: 3}[s.bytes]), n)
	JZ(LabelRef("end" + name))
	Label("loop" + name)
	body()
	for _, p := range pointers {
		ADDQ(Imm(uint64(s.bytes)), p)
	}
	DECQ(n)
	JNZ(LabelRef("loop" + name))
	Label("end" + name)
	VZEROUPPER()
	RET()
}
