package nn

import (
	"math"

	"lian/compute"
	"lian/model"
)

// sines are the fixed positions [Positions, Hidden] in rows: sines of position · 10000^(−i/(Hidden/2 − 1)), then the cosines.
// Source: transformers, modeling_xglm.py.
func (s *Spec) sines() []float32 {
	half := s.Hidden / 2
	out := make([]float32, s.Positions*s.Hidden)
	for p := range s.Positions {
		row := out[p*s.Hidden:]
		for i := range half {
			angle := float64(p) * math.Pow(10000, -float64(i)/float64(max(half-1, 1)))
			row[i], row[half+i] = float32(math.Sin(angle)), float32(math.Cos(angle))
		}
	}
	return out
}

// widest is the most columns that a norm sees.
func (s *Spec) widest() int {
	most := s.Hidden
	for l := range s.Layers {
		b := s.Layer(l)
		most = max(most, b.Attention.Heads*b.Attention.HeadSize, b.Attention.Heads*b.Attention.Values(), b.FeedForward.Hidden)
	}
	return most
}

// longScaled are queries times what LongScale says for their positions.
func (f *forward) longScaled(a *Attention, q *compute.Tensor) *compute.Tensor {
	l := a.LongScale
	if l.Beta == 0 {
		return q
	}
	far := false
	for _, p := range f.batch.Positions {
		far = far || int(p) >= l.Every
	}
	if !far {
		return q
	}
	width := a.Heads * a.HeadSize
	factors := make([]float32, f.rows*width)
	for row, p := range f.batch.Positions {
		by := float32(1 + l.Beta*math.Log1p(math.Floor(float64(p)/float64(l.Every))))
		for i := range width {
			factors[row*width+i] = by
		}
	}
	by, out := f.Tensor(f.rows, width), f.Tensor(f.rows, width)
	f.Stream.Write(by, compute.HostBytes(factors))
	model.Launch(f.Pass, compute.Mul{A: q.View(f.rows, width), B: by, Out: out})
	return out.View(f.rows, a.Heads, a.HeadSize)
}
