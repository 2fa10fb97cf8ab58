package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides((*backend).orthogonalize)

// orthogonalize goes between Out and scratch, so that the last step ends in Out. A tall matrix is multiplied from the right.
func (b *backend) orthogonalize(o *compute.Orthogonalize) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, n := o.X.Shape[0], o.X.Shape[1]
	x, out, r := host.F32(o.X), host.F32(o.Out), min(m, n)
	if len(x) == 0 {
		return nil
	}
	c1, c2, c3, epsilon := o.Coefficients()
	gram, poly := b.shared.need(slotGram, r*r), b.shared.need(slotPoly, r*r)
	now, next := out, b.shared.need(slotNext, m*n)
	if o.Steps%2 == 1 {
		now, next = next, now
	}
	squares := 0.0
	for from := 0; from < len(x); from += compute.SumBlock {
		squares += b.sumSquares(at(x, from), min(compute.SumBlock, len(x)-from))
	}
	b.scaled(now, x, float32(1/max(math.Sqrt(squares), epsilon)))
	for range o.Steps {
		rows, columns := operand{now, n, true}, operand{now, n, false}
		g := product{m: r, n: r, k: n, alpha: 1, pairs: o.BF16, out: gram, stride: r, a: plain(rows), b: plain(rows)}
		if m > n {
			g.k, g.a, g.b = m, plain(columns), plain(columns)
		}
		if err := b.multiply(&g); err != nil {
			return err
		}
		b.scaled(poly, gram, float32(c2))
		square := plain(operand{gram, r, true}) // symmetric: the same from both sides
		if err := b.multiply(&product{m: r, n: r, k: r, alpha: float32(c3), pairs: o.BF16, accumulate: true, out: poly, stride: r, a: square, b: square}); err != nil {
			return err
		}
		b.scaled(next, now, float32(c1))
		step := product{m: m, n: n, k: r, alpha: 1, pairs: o.BF16, accumulate: true, out: next, stride: n, a: plain(operand{poly, r, true}), b: plain(columns)}
		if m > n {
			step.a, step.b = plain(rows), plain(operand{poly, r, false})
		}
		if err := b.multiply(&step); err != nil {
			return err
		}
		now, next = next, now
	}
	return nil
}

// scaled is dst = x·by.
func (b *backend) scaled(dst, x []float32, by float32) {
	b.stretches(len(dst), func(_ *scratch, from, n int) { b.scaleTo(at(dst, from), at(x, from), n, by) })
}
