package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

func draw(r *rand.Rand, n int) []float32 {
	out := Floats(n)
	for i := range out {
		out[i] = r.Float32()*2 - 1
	}
	return out
}

// near holds assembly to plain Go within one part in 10⁵ of what was added, the difference that rounding makes.
func near(a, b, scale float32) bool {
	return math.Abs(float64(a-b)) <= 1e-5*math.Max(1, float64(scale)) || math.IsNaN(float64(a)) && math.IsNaN(float64(b))
}

// product is C + A·B without any cleverness, in float64.
func product(c []float32, ldc int, a []float32, rs, cs, m int, b []float32, k, n int) []float32 {
	out := slices.Clone(c)
	for i := range m {
		for j := range n {
			sum := float64(c[i*ldc+j])
			for l := range k {
				sum += float64(a[i*rs+l*cs]) * float64(b[l*n+j])
			}
			out[i*ldc+j] = float32(sum)
		}
	}
	return out
}

// checkMul holds every kernel to the definition for one shape, and the assembly kernels to each other's bits.
func checkMul(tb testing.TB, m, k, n, gap int, transposed bool, seed uint64) {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	a, b := draw(r, m*k+gap), draw(r, k*n)
	rs, cs := k, 1
	if transposed {
		rs, cs = 1, m
	}
	ldc := n + gap
	c := draw(r, m*ldc)
	want := product(c, ldc, a, rs, cs, m, b, k, n)
	var p, pt Packed
	p.Pack(b, k, n, n)
	bt := make([]float32, n*k)
	for i := range k {
		for j := range n {
			bt[j*k+i] = b[i*n+j]
		}
	}
	pt.PackT(bt, k, n, k)
	if !slices.Equal(p.data, pt.data) {
		tb.Fatalf("%dx%d: packed and packed transposed differ", k, n)
	}
	var bits []float32
	for _, kn := range All() {
		got := slices.Clone(c)
		kn.Mul(got, ldc, a, rs, cs, m, &p)
		for i := range got {
			if !near(got[i], want[i], float32(math.Sqrt(float64(k)))) {
				tb.Fatalf("%s: %dx%dx%d gap %d: element %d is %v, not %v", kn.name, m, k, n, gap, i, got[i], want[i])
			}
		}
		if kn.rows > 0 {
			if bits != nil && !slices.Equal(bits, got) {
				tb.Errorf("%s: %dx%dx%d: not the bits of the other assembly", kn.name, m, k, n)
			}
			bits = got
		}
		set, none := slices.Clone(c), slices.Clone(c)
		kn.MulSet(set, ldc, a, rs, cs, m, &p)
		for i := range m {
			clear(none[i*ldc : i*ldc+n])
		}
		kn.Mul(none, ldc, a, rs, cs, m, &p)
		if !slices.Equal(set, none) {
			tb.Errorf("%s: %dx%dx%d: MulSet gives other bits than Mul of zeros", kn.name, m, k, n)
		}
		if m > 0 && !transposed {
			row := slices.Clone(c[:n])
			kn.MulVec(row, a[:k], &p)
			if !slices.Equal(row, got[:n]) {
				tb.Errorf("%s: %dx%d: MulVec gives other bits than Mul", kn.name, k, n)
			}
		}
	}
}

func TestMul(t *testing.T) {
	for _, s := range [][3]int{{1, 1, 1}, {12, 16, 32}, {13, 7, 33}, {32, 128, 512}, {3, 40, 256}, {64, 9, 12}, {5, 300, 100}, {1, 64, 320}, {0, 3, 3}, {3, 3, 0}} {
		for _, gap := range []int{0, 3} {
			checkMul(t, s[0], s[1], s[2], gap, false, 1)
			checkMul(t, s[0], s[1], s[2], gap, true, 2)
		}
	}
}

func TestMulRefusesShortSlices(t *testing.T) {
	for _, kn := range All() {
		for _, short := range []func(){
			func() {
				var p Packed
				p.Pack(make([]float32, 64), 2, 32, 32)
				kn.Mul(make([]float32, 63), 32, make([]float32, 4), 2, 1, 2, &p)
			},
			func() {
				var p Packed
				p.Pack(make([]float32, 64), 2, 32, 32)
				kn.Mul(make([]float32, 64), 32, make([]float32, 3), 2, 1, 2, &p)
			},
			func() {
				var p Packed
				p.Pack(make([]float32, 64), 2, 32, 32)
				kn.MulVec(make([]float32, 31), make([]float32, 2), &p)
			},
			func() {
				kn.Gates(make([]float32, 63), make([]float32, 16), make([]float32, 16), make([]float32, 16), make([]float32, 16))
			},
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s reads or writes past a slice", kn.name)
					}
				}()
				short()
			}()
		}
	}
}

func FuzzMul(f *testing.F) {
	f.Add(uint16(3), uint16(5), uint16(33), uint8(1), true, uint64(1))
	f.Add(uint16(25), uint16(64), uint16(130), uint8(0), false, uint64(2))
	f.Fuzz(func(t *testing.T, m, k, n uint16, gap uint8, transposed bool, seed uint64) {
		checkMul(t, int(m%70), int(k%200), int(n%300), int(gap%9), transposed, seed)
	})
}

// checkGates holds every kernel's gates, forward and back, to plain Go.
func checkGates(tb testing.TB, units int, scale float32, seed uint64) {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	sums, prev, dh, dy, dc := draw(r, 4*units), draw(r, units), draw(r, units), draw(r, units), draw(r, units)
	for i := range sums {
		sums[i] *= scale
	}
	type result struct{ g, cell, tc, h, dg, dc []float32 }
	run := func(kn *Kernel) result {
		v := result{g: slices.Clone(sums), cell: Floats(units), tc: Floats(units), h: Floats(units), dc: slices.Clone(dc)}
		kn.Gates(v.g, prev, v.cell, v.tc, v.h)
		v.dg = slices.Clone(v.g)
		kn.GatesBack(v.dg, prev, v.tc, dh, dy, v.dc)
		return v
	}
	all := All()
	want := run(all[len(all)-1])
	for _, kn := range all[:len(all)-1] {
		got := run(kn)
		for name, p := range map[string][2][]float32{
			"gates": {got.g, want.g}, "cell": {got.cell, want.cell}, "tanh": {got.tc, want.tc}, "output": {got.h, want.h},
			"gradients": {got.dg, want.dg}, "cell's gradient": {got.dc, want.dc},
		} {
			for i := range p[0] {
				if !near(p[0][i], p[1][i], 1) {
					tb.Fatalf("%s, %d units: %s, element %d is %v, plain Go says %v", kn.name, units, name, i, p[0][i], p[1][i])
				}
			}
		}
	}
}

func TestGates(t *testing.T) {
	for units := range 70 {
		checkGates(t, units, 4, uint64(units))
	}
	checkGates(t, 128, 1000, 3)
}

func FuzzGates(f *testing.F) {
	f.Add(uint16(17), float32(3), uint64(1))
	f.Fuzz(func(t *testing.T, units uint16, scale float32, seed uint64) {
		if s := float64(scale); math.IsNaN(s) || math.Abs(s) > 1e30 {
			t.Skip("sums are finite")
		}
		checkGates(t, int(units%300), scale, seed)
	})
}

// The gates themselves are held to the standard library.
func TestTanhAndSigmoid(t *testing.T) {
	for x := -20.0; x < 20; x += 0.001 {
		v := float32(x)
		if d := math.Abs(float64(tanh(v)) - math.Tanh(float64(v))); d > 3e-7 {
			t.Fatalf("tanh(%v) is %v off", v, d)
		}
		if d := math.Abs(float64(sigmoid(v)) - 1/(1+math.Exp(-float64(v)))); d > 3e-7 {
			t.Fatalf("sigmoid(%v) is %v off", v, d)
		}
	}
}

func TestPick(t *testing.T) {
	all := All()
	if k, err := pick(all, ""); err != nil || k != all[0] {
		t.Error(k, err)
	}
	if k, err := pick(all, "go"); err != nil || k.Name() != "go" {
		t.Error(k, err)
	}
	if _, err := pick(all, "mmx"); err == nil {
		t.Error("an unknown kernel is taken")
	}
	if runtime.GOARCH != "amd64" && len(all) != 1 {
		t.Error("assembly where there is none")
	}
}

func BenchmarkMul(b *testing.B) {
	for _, s := range [][3]int{{32, 144, 512}, {64, 512, 128}, {16, 128, 512}, {1, 128, 512}} {
		for _, kn := range All() {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", s[0], s[1], s[2], kn.name), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 1))
				a, w, c := draw(r, s[0]*s[1]), draw(r, s[1]*s[2]), Floats(s[0]*s[2])
				var p Packed
				p.Pack(w, s[1], s[2], s[2])
				for b.Loop() {
					if s[0] == 1 {
						kn.MulVec(c, a, &p)
					} else {
						kn.Mul(c, s[2], a, s[1], 1, s[0], &p)
					}
				}
				b.ReportMetric(2*float64(s[0]*s[1]*s[2])*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOPS")
			})
		}
	}
}

func BenchmarkGates(b *testing.B) {
	for _, kn := range All() {
		b.Run(kn.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			g, s, h := draw(r, 512), draw(r, 128), Floats(128)
			for b.Loop() {
				kn.Gates(g, s, h, h, h)
			}
		})
	}
}
