package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkWhole holds every kernel's product of whole numbers to the definition, in sums that are exact, the assembly kernels to each
// other's bits, and the whole numbers to the floats that they stand for.
func checkWhole(tb testing.TB, k, n int, one, most float64, scale float32, bits int, seed uint64) {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	b, y := draw(r, k*n), draw(r, n)
	for i := range b {
		b[i] *= scale
	}
	x := make([]int16, (k+3)/4*4)
	for i := range k {
		x[i] = int16((r.Float64()*2 - 1) * most)
	}
	var w Whole
	w.Pack(b, k, n, n, one, most, bits)
	want, loose := slices.Clone(y), make([]float64, n)
	for c := range n {
		sum, exact, off := int64(0), 0.0, 0.0
		for i := range k {
			q := int64(0)
			if rows := 16 / bits * 2; bits == Bits8 {
				q = int64(w.small[c/w.panel*w.panel*len(x)+(i/rows*w.panel+c%w.panel)*rows+i%rows])
			} else {
				q = int64(w.data[c/w.panel*w.panel*((k+1)/2*2)+(i/rows*w.panel+c%w.panel)*rows+i%rows])
			}
			sum += int64(x[i]) * q
			exact += float64(x[i]) * float64(b[i*n+c]) / one
			off += math.Abs(float64(x[i])) / one * float64(w.scale[c]) * one / 2 // half a unit a weight
		}
		if sum != int64(int32(sum)) {
			tb.Fatalf("%dx%d: a sum of %d", k, n, sum)
		}
		want[c] += float32(sum) * w.scale[c]
		loose[c] = off + 1e-5*math.Max(1, math.Abs(exact))
		if d := math.Abs(float64(want[c]-y[c]) - exact); d > loose[c] {
			tb.Fatalf("%dx%d: column %d is %v off, more than %v", k, n, c, d, loose[c])
		}
	}
	var same []float32
	for _, kn := range All() {
		got := slices.Clone(y)
		kn.MulWhole(got, x, &w)
		for c := range got {
			if !near(got[c], want[c], max(want[c], -want[c])) {
				tb.Fatalf("%s: %dx%d: column %d is %v, not %v", kn.name, k, n, c, got[c], want[c])
			}
		}
		if kn.rows > 0 {
			if same != nil && !slices.Equal(same, got) {
				tb.Errorf("%s: %dx%d: not the bits of the other assembly", kn.name, k, n)
			}
			same = got
		}
	}
}

func TestMulWhole(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {5, 16}, {64, 12}, {2, 64}, {7, 65}, {64, 256}, {128, 512}, {33, 130}, {1024, 64}, {0, 64}, {3, 0}} {
		for _, bits := range []int{Bits8, Bits16} {
			checkWhole(t, s[0], s[1], WholeOne, WholeOne, 0.3, bits, 1)
			checkWhole(t, s[0], s[1], 2048, math.MaxInt16, 20, bits, 2)
			checkWhole(t, s[0], s[1], 2048, math.MaxInt16, 0, bits, 3)
		}
	}
	for _, kn := range All() {
		for _, short := range [][2]int{{63, 2}, {64, 1}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s reads or writes past a slice", kn.name)
					}
				}()
				var w Whole
				w.Pack(make([]float32, 128), 2, 64, 64, WholeOne, WholeOne, Bits16)
				kn.MulWhole(make([]float32, short[0]), make([]int16, short[1]), &w)
			}()
		}
	}
}

func FuzzMulWhole(f *testing.F) {
	f.Add(uint16(3), uint16(65), float32(1), uint64(1))
	f.Add(uint16(64), uint16(128), float32(1e-3), uint64(2))
	f.Fuzz(func(t *testing.T, k, n uint16, scale float32, seed uint64) {
		if s := math.Abs(float64(scale)); !(s < 1e20) || s < 1e-20 {
			t.Skip("weights are numbers of a common size")
		}
		checkWhole(t, int(k%200), int(n%300), WholeOne, WholeOne, scale, Bits8<<(seed&1), seed)
	})
}

// checkGatesWhole holds every kernel's gates of whole numbers to plain Go's gates, and the assembly kernels to each other's bits.
func checkGatesWhole(tb testing.TB, units int, scale float32, seed uint64) {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 4))
	sums, prev := draw(r, 4*units), draw(r, units)
	for i := range sums {
		sums[i] *= scale
	}
	g, cell, tc, h := slices.Clone(sums), Floats(units), Floats(units), Floats(units)
	(&Kernel{}).Gates(g, prev, cell, tc, h)
	var bits []float32
	for _, kn := range All() {
		c, out, whole := slices.Clone(prev), Floats(units), make([]int16, units)
		kn.GatesWhole(slices.Clone(sums), c, out, whole)
		for u := range units {
			if !near(c[u], cell[u], 1) || !near(out[u], h[u], 1) {
				tb.Fatalf("%s, %d units: unit %d has %v and %v, not %v and %v", kn.name, units, u, c[u], out[u], cell[u], h[u])
			}
			if d := math.Abs(float64(whole[u]) - float64(out[u])*WholeOne); d > 0.5001 || whole[u] > WholeOne || whole[u] < -WholeOne {
				tb.Fatalf("%s, %d units: unit %d is %v, as a whole number %d", kn.name, units, u, out[u], whole[u])
			}
		}
		if kn.rows > 0 && units%16 == 0 {
			if bits != nil && !slices.Equal(bits, append(c, out...)) {
				tb.Errorf("%s, %d units: not the bits of the other assembly", kn.name, units)
			}
			bits = append(c, out...)
		}
	}
}

func TestGatesWhole(t *testing.T) {
	for units := range 70 {
		checkGatesWhole(t, units, 4, uint64(units))
	}
	checkGatesWhole(t, 128, 1000, 3)
}

func FuzzGatesWhole(f *testing.F) {
	f.Add(uint16(17), float32(3), uint64(1))
	f.Fuzz(func(t *testing.T, units uint16, scale float32, seed uint64) {
		if s := float64(scale); math.IsNaN(s) || math.Abs(s) > 1e30 {
			t.Skip("sums are finite")
		}
		checkGatesWhole(t, int(units%300), scale, seed)
	})
}

func TestSoftmax(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for n := 1; n < 70; n++ {
		sums := draw(r, (n+15)/16*16)
		for i := range sums {
			sums[i] *= 20
		}
		top, total := slices.Max(sums[:n]), 0.0
		for _, v := range sums[:n] {
			total += math.Exp(float64(v - top))
		}
		var bits []float32
		for _, kn := range All() {
			x := slices.Clone(sums)
			kn.Softmax(x, n)
			for i, v := range x[:n] {
				if want := math.Exp(float64(sums[i]-top)) / total; math.Abs(float64(v)-want) > 2e-6 {
					t.Fatalf("%s: of %d, number %d is %v, not %v", kn.name, n, i, v, want)
				}
			}
			if kn.rows > 0 {
				if bits != nil && !slices.Equal(bits, x[:n]) {
					t.Errorf("%s, %d numbers: not the bits of the other assembly", kn.name, n)
				}
				bits = x[:n]
			}
		}
	}
}

// Sums that are no numbers, or too large for any, leave no number that is none.
func TestSoftmaxOfNoNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, sums := range [][]float32{{nan, 1, 2}, {1, nan, 2}, {inf, 1, 2}, {1, inf, inf}, {-inf, -inf, -inf}} {
		for _, kn := range All() {
			x := make([]float32, 16)
			copy(x, sums)
			kn.Softmax(x, 3)
			if sum := x[0] + x[1] + x[2]; !(math.Abs(float64(sum-1)) < 1e-5) {
				t.Errorf("%s: %v gives %v", kn.name, sums, x[:3])
			}
		}
	}
}

func TestExp(t *testing.T) {
	for x := -86.0; x <= 0; x += 0.003 {
		if d := math.Abs(float64(Exp(float32(x)))/math.Exp(float64(float32(x))) - 1); d > 1e-6 {
			t.Fatalf("Exp(%v) is %v off", x, d)
		}
	}
	if v := Exp(-1000); v < 0 || v > 1e-36 {
		t.Error("Exp(-1000)", v)
	}
}
