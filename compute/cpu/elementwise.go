package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// elementKernels are the kernels of operations that are neither products nor attention.
type elementKernels struct {
	activationKernels
	normKernels
	layerKernels
	dropoutKernels
	softmaxKernels
	mulKernels
	castKernels
	crossEntropyKernels
}

// stretch is how many values of an element-wise operation one kernel call takes: 16 KiB of each operand.
const stretch = 4096

// stretches runs f over [0, n) in parts of at most stretch values, on the workers.
func (b *backend) stretches(n int, f func(s *scratch, from, n int)) {
	b.spans(n, stretch, func(s *scratch, from, to int) {
		for ; from < to; from += stretch {
			f(s, from, min(stretch, to-from))
		}
	})
}

var _ = provides((*backend).addOp)

func (b *backend) addOp(o *compute.Add) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, y, out := host.F32(o.A), host.F32(o.B), host.F32(o.Out)
	b.stretches(len(out), func(_ *scratch, from, n int) {
		if y == nil {
			copy(out[from:from+n], x[from:])
		} else {
			b.add(at(out, from), at(x, from), at(y, from), n)
		}
	})
	return nil
}

var _ = provides((*backend).sumRows)

// sumRows splits the columns; each sum is one chain over ascending rows.
func (b *backend) sumRows(o *compute.SumRows) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, out, n, rows := host.F32(o.X), host.F32(o.Out), o.X.Columns(), o.X.Rows()
	b.spans(n, 32, func(_ *scratch, from, to int) {
		if !o.Accumulate {
			clear(out[from:to])
		}
		d := at(out, from)
		for i := range rows {
			b.add(d, d, at(x, i*n+from), to-from)
		}
	})
	return nil
}

var _ = provides((*backend).sumSquaresOp)

func (b *backend) sumSquaresOp(o *compute.SumSquares) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	total := 0.0
	for _, t := range o.X {
		x := host.F32(t)
		sums := make([]float64, (len(x)+compute.SumBlock-1)/compute.SumBlock)
		b.spans(len(sums), 8, func(_ *scratch, from, to int) {
			for i := from; i < to; i++ {
				first := i * compute.SumBlock
				sums[i] = b.sumSquares(at(x, first), min(compute.SumBlock, len(x)-first))
			}
		})
		for _, s := range sums {
			total += s
		}
	}
	host.F64(o.Out)[0] = total
	return nil
}

var _ = provides((*backend).clipFactor)

func (b *backend) clipFactor(o *compute.ClipFactor) error {
	factor := 1.0
	if o.MaxNorm > 0 {
		factor = min(1, float64(o.MaxNorm)/(math.Sqrt(host.F64(o.SumSquares)[0])+1e-6))
	}
	host.F32(o.Out)[0] = float32(factor)
	return nil
}

var _ = provides((*backend).adamwOp)

func (b *backend) adamwOp(o *compute.AdamW) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, g, m, v := host.F32(o.Param), host.F32(o.Grad), host.F32(o.M), host.F32(o.V)
	c := &adamwFactors{
		gradScale: 1, beta1: float32(o.Beta1), rest1: float32(1 - o.Beta1), beta2: float32(o.Beta2), rest2: float32(1 - o.Beta2),
		keep:     float32(1 - o.LearningRate*o.Decay),
		rate:     float32(o.LearningRate / (1 - math.Pow(o.Beta1, float64(o.Step)))),
		inverse2: float32(1 / (1 - math.Pow(o.Beta2, float64(o.Step)))),
		epsilon:  float32(o.Epsilon),
	}
	if o.GradScale != nil {
		c.gradScale = host.F32(o.GradScale)[0]
	}
	b.stretches(len(p), func(_ *scratch, from, n int) { b.adamw(at(p, from), at(g, from), at(m, from), at(v, from), n, c) })
	return nil
}
