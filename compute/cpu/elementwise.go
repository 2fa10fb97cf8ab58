package cpu

import (
	"math"
	"slices"

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
	spansWith(b, o.Out.Elements(), stretch, o, (*backend).addSpan)
	return nil
}

func (b *backend) addSpan(o *compute.Add, s *scratch, from, to int) {
	x, y, out := host.F32(o.A), host.F32(o.B), host.F32(o.Out)
	k := sinkOf(out, slotF, x, y)
	for ; from < to; from += stretch {
		n := min(stretch, to-from)
		dst := k.at(s, from, n)
		if y == nil {
			copy(slice(dst, n), x[from:from+n])
		} else {
			b.add(dst, at(x, from), at(y, from), n)
		}
		k.done(b.kernels, s, from, n)
	}
}

var _ = provides((*backend).sumRows)

// sumRows splits the columns; each sum is one chain over ascending rows.
func (b *backend) sumRows(o *compute.SumRows) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.X.Columns(), 32, o, (*backend).sumColumns)
	return nil
}

func (b *backend) sumColumns(o *compute.SumRows, _ *scratch, from, to int) {
	x, out, n := host.F32(o.X), host.F32(o.Out), o.X.Columns()
	if !o.Accumulate {
		clear(out[from:to])
	}
	d := at(out, from)
	for i := range o.X.Rows() {
		b.add(d, d, at(x, i*n+from), to-from)
	}
}

var _ = provides((*backend).sumSquaresOp)

func (b *backend) sumSquaresOp(o *compute.SumSquares) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	total := 0.0
	for _, x := range o.X {
		t := frame[squaresTask](b)
		*t = squaresTask{b.kernels, host.F32(x), t.sums[:0]}
		n := (len(t.x) + compute.SumBlock - 1) / compute.SumBlock
		t.sums = slices.Grow(t.sums, n)[:n]
		b.spansOf(n, 8, t)
		for _, s := range t.sums {
			total += s
		}
	}
	host.F64(o.Out)[0] = total
	return nil
}

// squaresTask sums the blocks of a tensor.
type squaresTask struct {
	*kernels
	x    []float32
	sums []float64
}

func (t *squaresTask) span(_ *scratch, from, to int) {
	const block = compute.SumBlock
	for ; to-from >= 4 && len(t.x) >= (from+4)*block; from += 4 {
		x := from * block
		t.sumSquares4(at(t.x, x), at(t.x, x+block), at(t.x, x+2*block), at(t.x, x+3*block), block, &t.sums[from])
	}
	for i := from; i < to; i++ {
		first := i * block
		t.sums[i] = t.sumSquares(at(t.x, first), min(block, len(t.x)-first))
	}
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
	t := frame[adamwTask](b)
	*t = adamwTask{kernels: b.kernels, p: host.F32(o.Param), g: host.F32(o.Grad), m: host.F32(o.M), v: host.F32(o.V)}
	c := &t.factors
	*c = adamwFactors{
		gradScale: 1, beta1: float32(o.Beta1), rest1: float32(1 - o.Beta1), beta2: float32(o.Beta2), rest2: float32(1 - o.Beta2),
		keep:     float32(1 - o.LearningRate*o.Decay),
		rate:     float32(o.LearningRate / (1 - math.Pow(o.Beta1, float64(o.Step)))),
		inverse2: float32(1 / (1 - math.Pow(o.Beta2, float64(o.Step)))),
		epsilon:  float32(o.Epsilon),
	}
	if o.GradScale != nil {
		c.gradScale = host.F32(o.GradScale)[0]
	}
	b.spansOf(len(t.p), stretch, t)
	return nil
}

// adamwTask is a step of AdamW.
type adamwTask struct {
	*kernels
	p, g, m, v []float32
	factors    adamwFactors
}

func (t *adamwTask) span(_ *scratch, from, to int) {
	for ; from < to; from += stretch {
		t.adamw(at(t.p, from), at(t.g, from), at(t.m, from), at(t.v, from), min(stretch, to-from), &t.factors)
	}
}
