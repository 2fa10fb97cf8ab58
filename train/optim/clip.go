package optim

import (
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// clip scales gradients down whose norm is too large: that of all together, or that of each kind (InternEvo's groups).
type clip struct {
	norm float64
	all  measure
	some *compute.Tensor   // Σ squares of those somebody asks for
	by   map[Kind]*measure // nil: all together
	rows []row
}

// measure is a norm and the factor that follows.
type measure struct{ squares, factor *compute.Tensor }

func newMeasure(b compute.Backend) measure {
	return measure{compute.NewTensor(b, dtype.F64, 1), compute.NewTensor(b, dtype.F32, 1)}
}

func newClip(b compute.Backend, o Options, rows []row) clip {
	c := clip{norm: o.ClipNorm, all: newMeasure(b), some: compute.NewTensor(b, dtype.F64, 1), rows: rows}
	if o.ClipBy != "kind" {
		return c
	}
	c.by = map[Kind]*measure{}
	for _, r := range rows {
		if c.by[r.kind] == nil {
			m := newMeasure(b)
			c.by[r.kind] = &m
		}
	}
	return c
}

// Measure launches the norms of the gradients; a parameter without one has nil.
func (x *Optimizer) Measure(s compute.Launcher, grad func(*compute.Tensor) *compute.Tensor) {
	c := &x.clip
	var all []*compute.Tensor
	parts := map[Kind][]*compute.Tensor{}
	for _, r := range c.rows {
		if g := grad(r.tensor); g != nil {
			all = append(all, g)
			parts[r.kind] = append(parts[r.kind], g)
		}
	}
	s.Launch(&compute.SumSquares{X: all, Out: c.all.squares})
	for _, k := range kinds {
		if m := c.by[k]; m != nil {
			s.Launch(&compute.SumSquares{X: parts[k], Out: m.squares})
		}
	}
}

// Norm reads the norm of the whole gradient.
func (x *Optimizer) Norm(s compute.Stream) (float64, error) {
	squares := make([]float64, 1)
	err := s.Read(x.clip.all.squares, compute.HostBytes(squares))
	return math.Sqrt(squares[0]), err
}

// NormOf reads the norm of the gradients of some parameters, 0 of none.
func (x *Optimizer) NormOf(s compute.Stream, grad func(*compute.Tensor) *compute.Tensor, in func(model.Parameter) bool) (float64, error) {
	var some []*compute.Tensor
	for _, r := range x.clip.rows {
		if g := grad(r.tensor); g != nil && in(model.Parameter{Name: r.name, Tensor: r.tensor}) {
			some = append(some, g)
		}
	}
	squares := make([]float64, 1)
	s.Launch(&compute.SumSquares{X: some, Out: x.clip.some})
	err := s.Read(x.clip.some, compute.HostBytes(squares))
	return math.Sqrt(squares[0]), err
}

func (c *clip) factors(s compute.Launcher) {
	launch := func(m *measure) {
		s.Launch(&compute.ClipFactor{SumSquares: m.squares, Out: m.factor, MaxNorm: float32(c.norm)})
	}
	if c.by == nil {
		launch(&c.all)
		return
	}
	for _, k := range kinds {
		if m := c.by[k]; m != nil {
			launch(m)
		}
	}
}

// factor is what gradients of a kind are multiplied by.
func (c *clip) factor(k Kind) *compute.Tensor {
	if c.by == nil {
		return c.all.factor
	}
	return c.by[k].factor
}
