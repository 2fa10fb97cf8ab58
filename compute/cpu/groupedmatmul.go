package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

// group is the product of one group, as an operation on parts of the tensors.
type group struct {
	op              compute.MatMul
	a, b, out, bias compute.Tensor
	shapes          [4][2]int
}

// part is rows [from, to) of t, or with matrix its matrix number from, as operand i.
func (g *group) part(i int, dst, t *compute.Tensor, matrix bool, from, to int) *compute.Tensor {
	if rows, n := 0, t.Columns(); matrix {
		rows = t.Shape[1]
		g.shapes[i] = [2]int{rows, n}
		*dst = compute.Tensor{Type: t.Type, Shape: g.shapes[i][:], Buffer: t.Buffer, Offset: t.Offset + t.Type.Bytes(from*rows*n), Constant: t.Constant}
	} else {
		g.shapes[i] = [2]int{to - from, n}
		*dst = compute.Tensor{Type: t.Type, Shape: g.shapes[i][:], Buffer: t.Buffer, Offset: t.Offset + t.Type.Bytes(from*n)}
	}
	return dst
}

// vector is row e of t, nil of a nil t.
func (g *group) vector(t *compute.Tensor, e int) *compute.Tensor {
	if t == nil {
		return nil
	}
	g.part(3, &g.bias, t, false, e, e+1)
	g.bias.Shape = g.bias.Shape[1:]
	return &g.bias
}

var _ = provides((*backend).groupedMatMul)

// groupedMatMul takes the groups one after the other, each with all workers: what is read of a group's weight is read once.
func (b *backend) groupedMatMul(o *compute.GroupedMatMul) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	starts, err := host.Groups(o.Starts, o.A.Rows())
	if err != nil {
		return err
	}
	if out, n := host.F32(o.Out), o.Out.Columns(); !o.Accumulate {
		clear(out[:int(starts[0])*n])
		clear(out[int(starts[len(starts)-1])*n:])
	}
	g := frame[group](b)
	for e := range o.B.Shape[0] {
		from, to := int(starts[e]), int(starts[e+1])
		if from == to {
			continue
		}
		g.op = compute.MatMul{A: g.part(0, &g.a, o.A, false, from, to), B: g.part(1, &g.b, o.B, true, e, 0), Out: g.part(2, &g.out, o.Out, false, from, to),
			Bias: g.vector(o.Bias, e), TransB: !o.NoTrans, Accumulate: o.Accumulate, Fast: o.Fast, BF16: o.BF16}
		if err := b.matmulLocked(&g.op); err != nil {
			return err
		}
	}
	return nil
}

var _ = provides((*backend).groupedOuter)

func (b *backend) groupedOuter(o *compute.GroupedOuter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	starts, err := host.Groups(o.Starts, o.X.Rows())
	if err != nil {
		return err
	}
	g := frame[group](b)
	for e := range o.Out.Shape[0] {
		from, to := int(starts[e]), int(starts[e+1])
		out := g.part(2, &g.out, o.Out, true, e, 0)
		if from == to {
			if !o.Accumulate {
				clear(host.F32(out))
			}
			continue
		}
		g.op = compute.MatMul{A: g.part(0, &g.a, o.X, false, from, to), B: g.part(1, &g.b, o.Y, false, from, to), Out: out, TransA: true, Accumulate: o.Accumulate, BF16: o.BF16}
		if err := b.matmulLocked(&g.op); err != nil {
			return err
		}
	}
	return nil
}

var _ = provides((*backend).groupedSum)

// groupedSum splits the columns; each sum is one chain over ascending rows.
func (b *backend) groupedSum(o *compute.GroupedSum) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := host.Groups(o.Starts, o.X.Rows()); err != nil {
		return err
	}
	spansWith(b, o.X.Columns(), 32, o, (*backend).sumGroupColumns)
	return nil
}

func (b *backend) sumGroupColumns(o *compute.GroupedSum, _ *scratch, from, to int) {
	x, out, starts, n := host.F32(o.X), host.F32(o.Out), host.I32(o.Starts), o.X.Columns()
	for e := range o.Out.Shape[0] {
		d := at(out, e*n+from)
		if !o.Accumulate {
			clear(out[e*n+from : e*n+to])
		}
		for i := int(starts[e]); i < int(starts[e+1]); i++ {
			b.add(d, d, at(x, i*n+from), to-from)
		}
	}
}
