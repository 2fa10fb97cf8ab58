package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// layerKernels are the kernels that LayerNorm has beside those of RMSNorm.
type layerKernels struct {
	sum            func(x *float32, n int) float32
	addSum         func(out, a, b *float32, n int) float32                           // out = a + b, Σ out
	centredSquares func(x *float32, n int, mean float32) float32                     // Σ (x − mean)²
	layerScale     func(out, x, w, bias *float32, n int, mean, r float32)            // out = (x − mean)·r·w + bias
	layerDots      func(d, w, x *float32, n int, mean float32) (g, gx float32)       // Σ d·w, Σ d·w·(x − mean)
	layerGrad      func(dx, d, w, x *float32, n int, mean, r, c, shift float32)      // dx = r·d·w − c·(x − mean) − shift
	layerGradTo    func(dx, old, d, w, x *float32, n int, mean, r, c, shift float32) // dx = old + …
	mulAddCentred  func(sum, d, x *float32, n int, mean, s float32)                  // sum += d·s·(x − mean)
}

// filled is n values of v, or those of t if there is one.
func (b *backend) filled(t *compute.Tensor, slot, n int, v float32) []float32 {
	if t != nil {
		return host.F32(t)
	}
	x := b.shared.need(slot, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// spread is the mean of a row and 1/sqrt(variance + epsilon), from the row's sum.
func (b *backend) spread(x *float32, n int, sum, epsilon float32) (mean, r float32) {
	mean = sum / float32(n)
	return mean, float32(1 / math.Sqrt(float64(b.centredSquares(x, n, mean))/float64(n)+float64(epsilon)))
}

var _ = provides((*backend).layernorm)

func (b *backend) layernorm(o *compute.LayerNorm) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := o.X.Columns()
	t := frame[layerTask](b)
	*t = layerTask{b: b, o: o, w: b.filled(o.Weight, slotC, n, 1), bias: b.filled(o.Bias, slotD, n, 0)}
	b.spansOf(o.X.Rows(), 4, t)
	return nil
}

// layerTask is what a span of LayerNorm needs to know.
type layerTask struct {
	b       *backend
	o       *compute.LayerNorm
	w, bias []float32
}

func (t *layerTask) span(s *scratch, from, to int) {
	b, x, out, n := t.b, host.F32(t.o.X), host.F32(t.o.Out), t.o.X.Columns()
	residual, sums := host.F32(t.o.Residual), host.F32(t.o.Sum)
	k := sinkOf(out, slotF, x, residual, sums)
	for i := from; i < to; i++ {
		xi, sum := at(x, i*n), float32(0)
		if residual != nil {
			sum = b.addSum(at(sums, i*n), xi, at(residual, i*n), n)
			xi = at(sums, i*n)
		} else {
			sum = b.sum(xi, n)
		}
		mean, r := b.spread(xi, n, sum, t.o.Epsilon)
		b.layerScale(k.at(s, i*n, n), xi, at(t.w, 0), at(t.bias, 0), n, mean, r)
		k.done(b.kernels, s, i*n, n)
	}
}

var _ = provides((*backend).layernormBackward)

func (b *backend) layernormBackward(o *compute.LayerNormBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, d, n, rows := host.F32(o.X), host.F32(o.DOut), o.X.Columns(), o.X.Rows()
	w := b.filled(o.Weight, slotC, n, 1)
	dw, db := host.F32(o.DWeight), host.F32(o.DBias)
	to := rowGradient{host.F32(o.DX), host.F32(o.DResidual), host.F32(o.DSum), o.AccumulateX, o.AccumulateResidual, n, sinkOf(host.F32(o.DX), slotF, x, d, host.F32(o.DSum))}
	groups := (rows + normGroup - 1) / normGroup
	sumsW, sumsB := b.shared.need(slotA, groups*n), b.shared.need(slotB, groups*n)
	b.each(groups, func(s *scratch, g int) {
		sumW, sumB := sumsW[g*n:(g+1)*n], sumsB[g*n:(g+1)*n]
		clear(sumW)
		clear(sumB)
		for i := g * normGroup; i < min(rows, (g+1)*normGroup); i++ {
			xi, di, wi := at(x, i*n), at(d, i*n), at(w, 0)
			mean, r := b.spread(xi, n, b.sum(xi, n), o.Epsilon)
			if dw != nil {
				b.mulAddCentred(at(sumW, 0), di, xi, n, mean, r)
			}
			if db != nil {
				b.add(at(sumB, 0), at(sumB, 0), di, n)
			}
			if !to.wanted() {
				continue
			}
			sumG, sumGX := b.layerDots(di, wi, xi, n, mean)
			shift, c := r*sumG/float32(n), r*r*r*sumGX/float32(n)
			dst, old := to.row(s, i)
			if old != nil {
				b.layerGradTo(dst, old, di, wi, xi, n, mean, r, c, shift)
			} else {
				b.layerGrad(dst, di, wi, xi, n, mean, r, c, shift)
			}
			to.finish(b, s, dst, i)
		}
	})
	b.sumGroups(dw, sumsW, groups, n, o.AccumulateWeight)
	b.sumGroups(db, sumsB, groups, n, o.AccumulateBias)
	return nil
}

var _ = kernelsOf("generic", func(k *kernels) {
	k.sum = func(x *float32, n int) float32 {
		var lanes [8]float32
		for i, v := range slice(x, n) {
			lanes[i&7] += v
		}
		return tree(&lanes)
	}
	sum := k.sum
	k.addSum = func(out, a, b *float32, n int) float32 {
		genericAdd(out, a, b, n)
		return sum(out, n)
	}
	k.centredSquares = func(x *float32, n int, mean float32) float32 {
		var lanes [8]float32
		for i, v := range slice(x, n) {
			lanes[i&7] += float32((v - mean) * (v - mean))
		}
		return tree(&lanes)
	}
	k.layerScale = func(out, x, w, bias *float32, n int, mean, r float32) {
		o, u, c := slice(out, n), slice(w, n), slice(bias, n)
		for i, v := range slice(x, n) {
			o[i] = float32((v-mean)*r*u[i]) + c[i]
		}
	}
	k.layerDots = func(d, w, x *float32, n int, mean float32) (g, gx float32) {
		y, u := slice(d, n), slice(w, n)
		var lanes, more [8]float32
		for i, v := range slice(x, n) {
			p := float32(y[i] * u[i])
			lanes[i&7] += p
			more[i&7] += float32(p * (v - mean))
		}
		return tree(&lanes), tree(&more)
	}
	grad := func(d, w, x, mean, r, c, shift float32) float32 {
		return float32(float32(d*w*r)-float32(c*(x-mean))) - shift
	}
	k.layerGrad = func(dx, d, w, x *float32, n int, mean, r, c, shift float32) {
		o, y, u := slice(dx, n), slice(d, n), slice(w, n)
		for i, v := range slice(x, n) {
			o[i] = grad(y[i], u[i], v, mean, r, c, shift)
		}
	}
	k.layerGradTo = func(dx, old, d, w, x *float32, n int, mean, r, c, shift float32) {
		o, p, y, u := slice(dx, n), slice(old, n), slice(d, n), slice(w, n)
		for i, v := range slice(x, n) {
			o[i] = p[i] + grad(y[i], u[i], v, mean, r, c, shift)
		}
	}
	k.mulAddCentred = func(sum, d, x *float32, n int, mean, s float32) {
		o, y := slice(sum, n), slice(d, n)
		for i, v := range slice(x, n) {
			o[i] += float32(y[i] * s * (v - mean))
		}
	}
})
