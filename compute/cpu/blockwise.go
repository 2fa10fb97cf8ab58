package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

var _ = provides((*backend).adamw8)

func (b *backend) adamw8(o *compute.AdamW8) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.Param.Elements(), dtype.Block8, o, (*backend).adamw8Span)
	return nil
}

func (b *backend) adamw8Span(o *compute.AdamW8, _ *scratch, from, to int) {
	p, g := host.F32(o.Param), host.F32(o.Grad)
	scale, keep, epsilon := factor(o.GradScale), float32(1-o.LearningRate*o.Decay), float32(o.Epsilon)
	beta1, rest1, beta2, rest2 := float32(o.Beta1), float32(1-o.Beta1), float32(o.Beta2), float32(1-o.Beta2)
	rate := float32(o.LearningRate / (1 - math.Pow(o.Beta1, float64(o.Step))))
	correct := float32(math.Sqrt(1 - math.Pow(o.Beta2, float64(o.Step))))
	var m, v state8
	for ; from < to; from += dtype.Block8 {
		n := min(dtype.Block8, to-from)
		m.read(o.M, o.ScaleM, true, from, n)
		v.read(o.V, o.ScaleV, false, from, n)
		w := p[from : from+n]
		for i, x := range g[from : from+n] {
			x *= scale
			m.values[i] = float32(beta1*m.values[i]) + float32(rest1*x)
			v.values[i] = float32(beta2*v.values[i]) + float32(rest2*float32(x*x))
			w[i] = float32(w[i]*keep) - float32(rate*m.values[i])/(root(v.values[i])/correct+epsilon)
		}
		m.write()
		v.write()
	}
}

// state8 is a block of an 8-bit state while it is at work.
type state8 struct {
	table  *dtype.Codes8
	codes  []byte
	scale  *float32
	values [dtype.Block8]float32
}

// read takes the block of n values that starts at from.
func (s *state8) read(codes, scales *compute.Tensor, signed bool, from, n int) {
	s.table, s.codes, s.scale = dtype.DynamicCodes(signed), host.Bytes(codes)[from:from+n], &host.F32(scales)[from/dtype.Block8]
	for i, code := range s.codes {
		s.values[i] = s.table.Values[code] * *s.scale
	}
}

func (s *state8) write() { *s.scale = s.table.Encode(s.codes, s.values[:len(s.codes)]) }

var _ = provides((*backend).lion8)

func (b *backend) lion8(o *compute.Lion8) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	spansWith(b, o.Param.Elements(), dtype.Block8, o, (*backend).lion8Span)
	return nil
}

func (b *backend) lion8Span(o *compute.Lion8, _ *scratch, from, to int) {
	p, g := host.F32(o.Param), host.F32(o.Grad)
	t := tableOf[updateKernels](b.kernels)
	scale, keep, rate := factor(o.GradScale), float32(1-o.LearningRate*o.Decay), float32(o.LearningRate)
	var m state8
	for ; from < to; from += dtype.Block8 {
		n := min(dtype.Block8, to-from)
		m.read(o.M, o.ScaleM, true, from, n)
		t.lion(at(p, from), at(g, from), &m.values[0], n, scale, float32(o.Beta1), float32(1-o.Beta1), float32(o.Beta2), float32(1-o.Beta2), keep, rate)
		m.write()
	}
}
