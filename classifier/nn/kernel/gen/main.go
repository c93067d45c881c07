// Command gen writes the assembly of package kernel with avo. It is a module of its own: the product does not depend on avo.
//
//	go generate ./classifier/nn/kernel
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// panel is the width of a packed panel of B, floats; a row of it is panelRow bytes.
const (
	panel    = 32
	panelRow = 4 * panel
)

// isa is one instruction set: its vectors' width and what a tile of C may be.
type isa struct {
	name  string
	bytes int // of a vector
	rows  int // of the largest tile
	cols  int // vectors in a tile's row
	many  bool
}

func (s isa) vec() reg.VecVirtual {
	if s.bytes == 64 {
		return ZMM()
	}
	return YMM()
}

func main() {
	ConstraintExpr("amd64")
	for _, s := range []isa{{"AVX512", 64, 12, 2, true}, {"AVX2", 32, 6, 2, false}} {
		for mr := 1; mr <= s.rows; mr++ {
			tile(s, mr)
		}
		vector(s, "vector"+s.name, 8)
		if s.bytes == 64 {
			vector(s, "narrow"+s.name, 4)
		}
		whole(s, 16)
		whole(s, 64)
		bytes(s, 64)
		bytes(s, 128)
		gatesWhole(s)
		exps(s)
		gatesForward(s)
		gatesBackward(s)
	}
	Generate()
}

// tile is C += A·B, or with set C = A·B, for mr rows and one tile's width of a packed panel. Strides are in bytes: ldc from row to row of C, rs from
// row to row of A, cs from column to column of A.
func tile(s isa, mr int) {
	TEXT(fmt.Sprintf("tile%sx%d", s.name, mr), NOSPLIT, "func(c *float32, ldc int, a *float32, rs int, cs int, b *float32, k int, set int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("tile%sx%d adds a product to %d rows of C, or with set makes them the product.", s.name, mr, mr))
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	acc := make([]reg.VecVirtual, mr*s.cols)
	for i := range acc {
		acc[i] = s.vec()
	}
	set, begin := Load(Param("set"), GP64()), fmt.Sprintf("begin%s_%d", s.name, mr)
	for _, a := range acc {
		if s.bytes == 64 {
			VPXORD(a, a, a)
		} else {
			VPXOR(a, a, a)
		}
	}
	TESTQ(set, set)
	JNZ(LabelRef(begin))
	for i := range mr {
		for j := range s.cols {
			VMOVUPS(Mem{Base: c, Disp: j * s.bytes}, acc[i*s.cols+j])
		}
		if i+1 < mr {
			ADDQ(ldc, c)
		}
	}
	Label(begin)
	rs := Load(Param("rs"), GP64())
	cs := Load(Param("cs"), GP64())
	b := Load(Param("b"), GP64())
	k := Load(Param("k"), GP64())
	base := []reg.GPVirtual{GP64()}
	Load(Param("a"), base[0])
	for len(base)*4 < mr {
		p := GP64()
		LEAQ(Mem{Base: base[len(base)-1], Index: rs, Scale: 4}, p)
		base = append(base, p)
	}
	rs3 := GP64()
	if mr > 3 {
		LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	}
	row := func(i int) Mem {
		m := Mem{Base: base[i/4]}
		switch i % 4 {
		case 1, 2:
			m.Index, m.Scale = rs, uint8(i%4)
		case 3:
			m.Index, m.Scale = rs3, 1
		}
		return m
	}
	loop, end := fmt.Sprintf("loop%s_%d", s.name, mr), fmt.Sprintf("end%s_%d", s.name, mr)
	TESTQ(k, k)
	JZ(LabelRef(end))
	Label(loop)
	bv := make([]reg.VecVirtual, s.cols)
	for j := range bv {
		bv[j] = s.vec()
		VMOVUPS(Mem{Base: b, Disp: j * s.bytes}, bv[j])
	}
	for i := range mr {
		x := s.vec()
		VBROADCASTSS(row(i), x)
		for j := range bv {
			VFMADD231PS(bv[j], x, acc[i*s.cols+j])
		}
	}
	ADDQ(Imm(panelRow), b)
	for _, p := range base {
		ADDQ(cs, p)
	}
	DECQ(k)
	JNZ(LabelRef(loop))
	Label(end)
	Load(Param("c"), c)
	for i := range mr {
		for j := range s.cols {
			VMOVUPS(acc[i*s.cols+j], Mem{Base: c, Disp: j * s.bytes})
		}
		if i+1 < mr {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

// vector is y += x·B for as many vectors' width of neighbouring panels, size bytes each: enough chains of additions to hide
// what one takes.
func vector(s isa, name string, width int) {
	TEXT(name, NOSPLIT, "func(y *float32, x *float32, b *float32, k int, size int)")
	Pragma("noescape")
	Doc(name + " adds a row times several panels to y.")
	y := Load(Param("y"), GP64())
	x := Load(Param("x"), GP64())
	k := Load(Param("k"), GP64())
	size := Load(Param("size"), GP64())
	perPanel := panelRow / s.bytes
	base := []reg.GPVirtual{GP64()}
	Load(Param("b"), base[0])
	for len(base)*perPanel < width {
		p := GP64()
		LEAQ(Mem{Base: base[len(base)-1], Index: size, Scale: 1}, p)
		base = append(base, p)
	}
	acc := make([]reg.VecVirtual, width)
	for i := range acc {
		acc[i] = s.vec()
		VMOVUPS(Mem{Base: y, Disp: i * s.bytes}, acc[i])
	}
	TESTQ(k, k)
	JZ(LabelRef("end" + name))
	Label("loop" + name)
	v := s.vec()
	VBROADCASTSS(Mem{Base: x}, v)
	for i := range acc {
		VFMADD231PS(Mem{Base: base[i/perPanel], Disp: i % perPanel * s.bytes}, v, acc[i])
	}
	ADDQ(Imm(4), x)
	for _, p := range base {
		ADDQ(Imm(panelRow), p)
	}
	DECQ(k)
	JNZ(LabelRef("loop" + name))
	Label("end" + name)
	for i := range acc {
		VMOVUPS(acc[i], Mem{Base: y, Disp: i * s.bytes})
	}
	VZEROUPPER()
	RET()
}
