package kernel

// mulGo is Mul in plain Go: the oracle, and what other processors run.
func mulGo(c []float32, ldc int, a []float32, rs, cs, m int, b *Packed) {
	for j := 0; j < b.N; j += panel {
		at := b.data[j*b.K:]
		w := min(panel, b.N-j)
		for i := range m {
			row := c[i*ldc+j : i*ldc+j+w]
			for k := range b.K {
				x := a[i*rs+k*cs]
				for n, v := range at[k*panel : k*panel+w] {
					row[n] += x * v
				}
			}
		}
	}
}

// tanh is a quotient of polynomials on ±7.905, at most 3e-7 off: the coefficients are Eigen's (generic_fast_tanh_float, MPL-2.0).
func tanh(x float32) float32 {
	x = min(max(x, -7.90531110763549805), 7.90531110763549805)
	x2 := x * x
	p := float32(-2.76076847742355e-16)
	p = p*x2 + 2.00018790482477e-13
	p = p*x2 - 8.60467152213735e-11
	p = p*x2 + 5.12229709037114e-08
	p = p*x2 + 1.48572235717979e-05
	p = p*x2 + 6.37261928875436e-04
	p = p*x2 + 4.89352455891786e-03
	q := float32(1.19825839466702e-06)
	q = q*x2 + 1.18534705686654e-04
	q = q*x2 + 2.26843463243900e-03
	q = q*x2 + 4.89352518554385e-03
	return p * x / q
}

func sigmoid(x float32) float32 { return 0.5*tanh(0.5*x) + 0.5 }

// gatesGo is Gates for the units from first on.
func gatesGo(g, prev, cell, tc, h []float32, first int) {
	n := len(h)
	for u := first; u < n; u++ {
		i, f, o, c := sigmoid(g[u]), sigmoid(g[n+u]), sigmoid(g[2*n+u]), tanh(g[3*n+u])
		g[u], g[n+u], g[2*n+u], g[3*n+u] = i, f, o, c
		cell[u] = f*prev[u] + i*c
		tc[u] = tanh(cell[u])
		h[u] = o * tc[u]
	}
}

// backGo is GatesBack for the units from first on.
func backGo(g, prev, tc, dh, dy, dc []float32, first int) {
	n := len(dh)
	for u := first; u < n; u++ {
		i, f, o, c := g[u], g[n+u], g[2*n+u], g[3*n+u]
		t, out := tc[u], dh[u]+dy[u]
		d := dc[u] + out*o*(1-t*t)
		g[u] = d * c * i * (1 - i)
		g[n+u] = d * prev[u] * f * (1 - f)
		g[2*n+u] = out * t * o * (1 - o)
		g[3*n+u] = d * i * (1 - c*c)
		dc[u] = d * f
	}
}
