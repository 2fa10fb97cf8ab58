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
	if kind := b.quants[o.B.Type]; kind != nil && o.Fast {
		b.multiplyQuant(quantProduct{quantKind: kind, m: m, n: n, blocks: k / kind.block, a: host.F32(o.A), weights: host.Bytes(o.B),
			out: host.F32(o.Out), stride: n, alpha: o.Scale(), accumulate: o.Accumulate, residual: host.F32(o.Residual), bias: host.F32(o.Bias)})
		return nil
	}
	if _, ok := superTypes[o.B.Type]; ok && o.Fast && m > 0 && n > 0 && k > 0 {
		return b.multiplySuper(o, m, n, k)
	}
	p := &product{
		m: m, n: n, k: k,
		a:   plain(operand{host.F32(o.A), k, true}),
		out: host.F32(o.Out), stride: n,
		alpha: o.Scale(), accumulate: o.Accumulate,
		residual: host.F32(o.Residual), bias: host.F32(o.Bias),
		pairs: o.BF16 && o.B.Type == dtype.F32,
	}
	if o.TransA {
		p.a.stride, p.a.contiguous = m, false
	}
	p.b = b.weight(o.B, n, k, o.TransB)
	if o.Fast && o.B.Type.Quantized() {
		p.a.operand = b.roundToInt8(p.a.operand, m, k, o.B.Type.BlockSize())
	}
	return b.multiply(p)
}

// weight is the second operand of a product as a source of panels.
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

// roundToInt8 rounds rows of activations in blocks of size values as MatMul.Fast says and gives them back as float32.
func (b *backend) roundToInt8(a operand, m, k, size int) operand {
	out := b.shared.need(slotE, m*k)
	b.spans(m, 1, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			row := a.data[i*a.stride : i*a.stride+k]
			for at := 0; at < k; at += size {
				block := row[at:min(at+size, k)]
				scale, inverse := int8Scale(block)
				if scale-scale != 0 {
					for j := range block {
						out[i*k+at+j] = float32(math.NaN())
					}
					continue
				}
				stored := scale
				if size == quantBlock {
					stored = dtype.F16ToF32(dtype.F32ToF16(scale))
				}
				for j, v := range block {
					out[i*k+at+j] = float32(roundAway(float32(v*inverse))) * stored
				}
			}
		}
	})
	return operand{out, k, true}
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
