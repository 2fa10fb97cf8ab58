package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// normKernels are the kernels of norms. Sums are one chain for each lane, then a tree.
type normKernels struct {
	addSquares func(out, a, b *float32, n int) float32                              // out = a + b, Σ out²
	normScale  func(out, x, w *float32, n int, r, offset float32)                   // out = x·r·(w + offset)
	normDots   func(d, w, x *float32, n int, offset float32) (squares, dot float32) // Σ x² and normDot, each as alone
	// normGrad and normGradTo, and in the same pass sum += d·r·x
	normGradSum   func(dx, sum, d, w, x *float32, n int, r, c, offset float32)
	normGradToSum func(dx, sum, old, d, w, x *float32, n int, r, c, offset float32)

	normDot    func(d, w, x *float32, n int, offset float32) float32        // Σ d·(w + offset)·x
	normGrad   func(dx, d, w, x *float32, n int, r, c, offset float32)      // dx = r·d·(w + offset) − c·x
	normGradTo func(dx, old, d, w, x *float32, n int, r, c, offset float32) // dx = old + …
	mulAdd     func(sum, a, b *float32, n int, s float32)                   // sum += a·s·b
}

func inverseRMS(squares float32, n int, epsilon float32) float32 {
	return float32(1 / math.Sqrt(float64(squares)/float64(n)+float64(epsilon)))
}

var _ = provides((*backend).rmsnorm)

func (b *backend) rmsnorm(o *compute.RMSNorm) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.X.Rows(), 4, o, (*backend).rmsnormRows)
	return nil
}

func (b *backend) rmsnormRows(o *compute.RMSNorm, s *scratch, from, to int) {
	x, w, out, n := host.F32(o.X), host.F32(o.Weight), host.F32(o.Out), o.X.Columns()
	residual, sum := host.F32(o.Residual), host.F32(o.Sum)
	k := sinkOf(out, slotF, x, residual, sum)
	for i := from; i < to; i++ {
		xi, squares := at(x, i*n), float32(0)
		if residual != nil {
			squares = b.addSquares(at(sum, i*n), xi, at(residual, i*n), n)
			xi = at(sum, i*n)
		} else {
			squares = b.dot(xi, xi, n)
		}
		b.normScale(k.at(s, i*n, n), xi, at(w, 0), n, inverseRMS(squares, n, o.Epsilon), o.Offset)
		k.done(b.kernels, s, i*n, n)
	}
}

// normGroup is the number of rows whose contributions to DWeight are summed together.
const normGroup = 128

var _ = provides((*backend).rmsnormBackward)

func (b *backend) rmsnormBackward(o *compute.RMSNormBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := o.X.Columns()
	groups := (o.X.Rows() + normGroup - 1) / normGroup
	sums := b.shared.need(slotA, groups*n)
	eachWith(b, groups, o, (*backend).rmsnormBackwardGroup)
	b.sumGroups(host.F32(o.DWeight), sums, groups, n, o.AccumulateWeight)
	return nil
}

// rmsnormBackwardGroup is the rows of group g; what they give to DWeight goes to the group's part of shared slotA.
func (b *backend) rmsnormBackwardGroup(o *compute.RMSNormBackward, s *scratch, g int) {
	x, w, d, n, rows := host.F32(o.X), host.F32(o.Weight), host.F32(o.DOut), o.X.Columns(), o.X.Rows()
	dw, to := host.F32(o.DWeight), rowGradient{host.F32(o.DX), host.F32(o.DResidual), host.F32(o.DSum), o.AccumulateX, o.AccumulateResidual, n, sinkOf(host.F32(o.DX), slotF, x, d, host.F32(o.DSum))}
	sum := b.shared.floats[slotA][g*n : (g+1)*n]
	clear(sum)
	for i := g * normGroup; i < min(rows, (g+1)*normGroup); i++ {
		xi, di, wi, sums := at(x, i*n), at(d, i*n), at(w, 0), at(sum, 0)
		if !to.wanted() {
			if dw != nil {
				b.mulAdd(sums, di, xi, n, inverseRMS(b.dot(xi, xi, n), n, o.Epsilon))
			}
			continue
		}
		squares, dot := b.normDots(di, wi, xi, n, o.Offset)
		r := inverseRMS(squares, n, o.Epsilon)
		c := r * r * r * dot / float32(n)
		switch dst, old := to.row(s, i); {
		case old != nil && dw != nil:
			b.normGradToSum(dst, sums, old, di, wi, xi, n, r, c, o.Offset)
			to.finish(b, s, dst, i)
		case old != nil:
			b.normGradTo(dst, old, di, wi, xi, n, r, c, o.Offset)
			to.finish(b, s, dst, i)
		case dw != nil:
			b.normGradSum(dst, sums, di, wi, xi, n, r, c, o.Offset)
			to.finish(b, s, dst, i)
		default:
			b.normGrad(dst, di, wi, xi, n, r, c, o.Offset)
			to.finish(b, s, dst, i)
		}
	}
}

// rowGradient is where a norm's backward pass puts a row's gradient: into DX and DResidual, DSum added.
type rowGradient struct {
	dx, dresidual, dsum             []float32
	accumulateX, accumulateResidual bool
	n                               int
	direct                          sink // of dx
}

func (g *rowGradient) wanted() bool { return g.dx != nil || g.dresidual != nil }

// row is where row i is computed and what is added to it, if anything.
func (g *rowGradient) row(s *scratch, i int) (dst, old *float32) {
	if g.dsum != nil {
		old = at(g.dsum, i*g.n)
	}
	switch {
	case g.dx != nil && !g.accumulateX:
		if g.dresidual == nil {
			return g.direct.at(s, i*g.n, g.n), old
		}
		return at(g.dx, i*g.n), old
	case g.dx != nil && old == nil && g.dresidual == nil:
		return at(g.dx, i*g.n), at(g.dx, i*g.n)
	case g.dresidual != nil && !g.accumulateResidual:
		return at(g.dresidual, i*g.n), old
	}
	return at(s.need(slotB, g.n), 0), old
}

// finish carries row i from where it was computed to where it is missing.
func (g *rowGradient) finish(b *backend, s *scratch, from *float32, i int) {
	if g.dx != nil && !g.accumulateX && g.dresidual == nil {
		g.direct.done(b.kernels, s, i*g.n, g.n)
		return
	}
	for _, t := range [2]struct {
		x          []float32
		accumulate bool
	}{{g.dx, g.accumulateX}, {g.dresidual, g.accumulateResidual}} {
		if t.x == nil {
			continue
		}
		switch to := at(t.x, i*g.n); {
		case to == from:
		case t.accumulate:
			b.add(to, to, from, g.n)
		default:
			copy(slice(to, g.n), slice(from, g.n))
		}
	}
}

// sumGroups adds the sums of groups of rows, in order.
func (b *backend) sumGroups(dst, sums []float32, groups, n int, accumulate bool) {
	if dst == nil {
		return
	}
	if !accumulate {
		clear(dst)
	}
	for g := range groups {
		b.add(at(dst, 0), at(dst, 0), at(sums, g*n), n)
	}
}

var _ = kernelsOf("generic", func(k *kernels) {
	k.addSquares = func(out, a, b *float32, n int) float32 {
		genericAdd(out, a, b, n)
		return genericDot(out, out, n)
	}
	k.normScale = func(out, x, w *float32, n int, r, offset float32) {
		o, u := slice(out, n), slice(w, n)
		for i, v := range slice(x, n) {
			o[i] = v * r * (u[i] + offset)
		}
	}
	k.normDot = func(d, w, x *float32, n int, offset float32) float32 {
		y, u, v := slice(d, n), slice(w, n), slice(x, n)
		var lanes [8]float32
		for i := range y {
			lanes[i&7] += float32(float32(y[i]*(u[i]+offset)) * v[i])
		}
		return tree(&lanes)
	}
	k.normGrad = func(dx, d, w, x *float32, n int, r, c, offset float32) {
		o, g, u, v := slice(dx, n), slice(d, n), slice(w, n), slice(x, n)
		for i := range o {
			o[i] = float32(g[i]*(u[i]+offset)*r) - float32(c*v[i])
		}
	}
	k.normGradTo = func(dx, old, d, w, x *float32, n int, r, c, offset float32) {
		o, p, g, u, v := slice(dx, n), slice(old, n), slice(d, n), slice(w, n), slice(x, n)
		for i := range o {
			o[i] = p[i] + (float32(g[i]*(u[i]+offset)*r) - float32(c*v[i]))
		}
	}
	k.mulAdd = func(sum, a, b *float32, n int, s float32) {
		o, x, y := slice(sum, n), slice(a, n), slice(b, n)
		for i := range o {
			o[i] += float32(x[i] * s * y[i])
		}
	}
	k.normDots = func(d, w, x *float32, n int, offset float32) (squares, dot float32) {
		return genericDot(x, x, n), k.normDot(d, w, x, n, offset)
	}
	k.normGradSum = func(dx, sum, d, w, x *float32, n int, r, c, offset float32) {
		k.mulAdd(sum, d, x, n, r)
		k.normGrad(dx, d, w, x, n, r, c, offset)
	}
	k.normGradToSum = func(dx, sum, old, d, w, x *float32, n int, r, c, offset float32) {
		k.mulAdd(sum, d, x, n, r)
		k.normGradTo(dx, old, d, w, x, n, r, c, offset)
	}
})
