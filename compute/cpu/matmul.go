package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

var _ = provides((*backend).matmul)

func (b *backend) matmul(o *compute.MatMul) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.matmulLocked(o)
}

func (b *backend) matmulLocked(o *compute.MatMul) error {
	m, n, k := o.Dimensions()
	if b.quants[o.B.Type] != nil && o.Fast {
		b.multiplyQuant(b.quantOf(o))
		b.activateAll(host.F32(o.Out), o.Activation)
		return nil
	}
	if _, ok := superTypes[o.B.Type]; ok && o.Fast && m > 0 && n > 0 && k > 0 {
		if err := b.multiplySuper(o, m, n, k); err != nil {
			return err
		}
		b.activateAll(host.F32(o.Out), o.Activation)
		return nil
	}
	f := frame[dense](b)
	p := &f.product
	*p = b.productOf(o)
	err := b.multiply(p)
	*p = product{} // keeps nothing alive
	return err
}

// productOf is a product with float values.
func (b *backend) productOf(o *compute.MatMul) product {
	m, n, k := o.Dimensions()
	p := product{
		m: m, n: n, k: k,
		a: b.weight(o.A, m, k, !o.TransA), b: b.weight(o.B, n, k, o.TransB), stride: n,
		alpha: o.Scale(), accumulate: o.Accumulate, bias: host.F32(o.Bias), after: o.Activation,
		pairs: o.BF16 && (o.B.Type == dtype.F32 || o.B.Type == dtype.BF16),
	}
	if o.Out.Type == dtype.F32 {
		p.out = host.F32(o.Out)
	} else {
		p.out16 = host.Bytes(o.Out)
	}
	if r := o.Residual; r != nil && r.Type == dtype.F32 {
		p.residual = host.F32(r)
	} else if r != nil {
		p.residual16 = host.Bytes(r)
	}
	return p
}

// dense is a product with float weights in work.
type dense struct{ product product }

// multiplyOne is multiply for a product that its caller does not keep.
func (b *backend) multiplyOne(p product) error {
	f := frame[dense](b)
	f.product = p
	err := b.multiply(&f.product)
	f.product = product{} // keeps nothing alive
	return err
}

// activateAll applies an activation to all of x.
func (b *backend) activateAll(x []float32, kind compute.ActivationKind) {
	if kind == compute.Identity {
		return
	}
	f := frame[activating](b)
	*f = activating{b.activate[kind], x}
	b.spansOf(len(x), stretch, f)
	f.x = nil
}

// activating applies a function to values in place.
type activating struct {
	apply func(out, x *float32, n int)
	x     []float32
}

func (a *activating) span(_ *scratch, from, to int) {
	for ; from < to; from += stretch {
		a.apply(at(a.x, from), at(a.x, from), min(stretch, to-from))
	}
}

// weight is an operand of n lanes as a source of panels; transposed says that k runs along its rows.
func (b *backend) weight(t *compute.Tensor, n, k int, transposed bool) source {
	x := source{operand: operand{stride: k, contiguous: true}, kind: t.Type}
	if !transposed {
		x.stride, x.contiguous = n, false
	}
	if t.Type == dtype.F32 {
		x.data = host.F32(t)
	} else {
		x.bytes = host.Bytes(t)
	}
	return x
}

// roundToInt8 rounds rows of activations in blocks of size values as MatMul.Fast says and gives them back as float32; far rows keep
// their outliers.
func (b *backend) roundToInt8(a operand, m, k, size int, far bool) operand {
	out := b.shared.need(slotE, m*k)
	f := b.outliersOf(m, k)
	b.spans(m, 1, func(s *scratch, from, to int) {
		for i := from; i < to; i++ {
			row, rounded := a.data[i*a.stride:i*a.stride+k], out[i*k:(i+1)*k]
			roundRowToInt8(rounded, row, size)
			if far && f.find(i, row) {
				f.cleaned(i, row, s.need(slotOutlier, size), size, func(from int, values []float32) { roundRowToInt8(rounded[from:], values, size) })
				places, values := f.of(i)
				for j, c := range places {
					rounded[c] = values[j]
				}
			}
		}
	})
	return operand{out, k, true}
}

func roundRowToInt8(out, row []float32, size int) {
	for at := 0; at < len(row); at += size {
		block := row[at:min(at+size, len(row))]
		scale, inverse := int8Scale(block)
		if scale-scale != 0 {
			for j := range block {
				out[at+j] = float32(math.NaN())
			}
			continue
		}
		stored := scale
		if size == quantBlock {
			stored = dtype.F16ToF32(dtype.F32ToF16(scale))
		}
		for j, v := range block {
			out[at+j] = float32(roundAway(float32(v*inverse))) * stored
		}
	}
}

// int8Scale is the step of a block and its inverse, as ggml's Q8_0 takes them.
func int8Scale(block []float32) (scale, inverse float32) {
	most := float32(0)
	for _, v := range block {
		most = max(most, max(v, -v))
	}
	scale = most / 127
	if scale != 0 {
		inverse = min(1/scale, math.MaxFloat32)
	}
	return scale, inverse
}

// roundAway rounds to the nearest whole number, halves away from zero. A product must be converted to float32 before it comes here, or a
// compiler may fuse it with the subtraction.
func roundAway(v float32) int32 {
	n := int32(v)
	if d := v - float32(n); d >= 0.5 {
		n++
	} else if d <= -0.5 {
		n--
	}
	return n
}
