package compute

import "lian/dtype"

// AdaFactor takes one step with second moments kept as the row and column means of a matrix. With g = Grad·GradScale, β = 1 − Fresh, rms(x) the root of
// the mean square, and size = max(Epsilon2, rms(Param)) if ScaleByParam, else 1:
//
//	Row = β·Row + (1−β)·mean over columns of g²;  Col = β·Col + (1−β)·mean over rows of g²
//	u = g / sqrt(max(Row·Colᵀ / max(mean Row, Epsilon1), Epsilon1²)) / max(1, rms(u)/Clip)
//	Param = (1 − Shrink)·Param − size·Rate·u
//
// as torch.optim.Adafactor computes it. As Additive, which is how Fairseq and transformers do, Epsilon1 is added to g² instead, u is
// g·sqrt(mean Row/Row)·sqrt(1/Col), Param shrinks by size·Shrink, and with an M it moves by M = Beta1·M + (1−Beta1)·size·Rate·u. A vector has V for
// Row·Colᵀ/mean Row. A tensor of more axes is many matrices with one rms.
//
//	Param, Grad, M  [..., r, c] or [n]  float32; M nil without a first moment
//	Row, Col        [..., r], [..., c]  float32, nil for vectors
//	V               [n]                 float32, nil for matrices
//	GradScale       [1]                 float32; nil means 1
//
// Source: Shazeer & Stern, arXiv 1804.04235.
type AdaFactor struct {
	Param, Grad, Row, Col, V, M, GradScale *Tensor
	Rate, Shrink, Fresh                    float64
	Epsilon1, Epsilon2, Clip, Beta1        float64
	ScaleByParam, Additive                 bool
}

// Name implements Op.
func (*AdaFactor) Name() string { return "adafactor" }

// Inputs implements Op.
func (o *AdaFactor) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Grad, o.Row, o.Col, o.V, o.M, o.GradScale)
}

// Outputs implements Op.
func (o *AdaFactor) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Param, o.Row, o.Col, o.V, o.M)
}

// Matrices are how many matrices of which shape Param is; a vector is one row.
func (o *AdaFactor) Matrices() (n, rows, columns int) {
	shape := o.Param.Shape
	if o.V != nil {
		return 1, 1, o.Param.Elements()
	}
	n = 1
	for _, s := range shape[:len(shape)-2] {
		n *= s
	}
	return n, shape[len(shape)-2], shape[len(shape)-1]
}

// Check implements Op.
func (o *AdaFactor) Check() error {
	c := check(o).updates(o.Param, o.Grad, o.GradScale).that(o.M == nil || sameShape(o.Param, o.M), "M is %v, expected %v", o.M, o.Param)
	if c.err != nil {
		return c.err
	}
	if len(o.Param.Shape) < 2 {
		return c.that(sameShape(o.Param, o.V) && o.Row == nil && o.Col == nil, "V is %v, Row %v and Col %v; expected %v and nil for a vector", o.V, o.Row, o.Col, o.Param).err
	}
	if c.that(o.V == nil, "V is %v, expected nil for a matrix", o.V); c.err != nil {
		return c.err
	}
	n, r, k := o.Matrices()
	return c.that(o.Row != nil && o.Row.Type == dtype.F32 && o.Row.Elements() == n*r, "Row is %v, expected %d values", o.Row, n*r).
		that(o.Col != nil && o.Col.Type == dtype.F32 && o.Col.Elements() == n*k, "Col is %v, expected %d values", o.Col, n*k).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, shape := range [][]int{{1}, {17}, {5000}, {1, 1}, {3, 5}, {70, 33}, {130, 300}, {3, 20, 17}, {0}, {0, 4}} {
		for mode := range 4 {
			list = append(list, Sample{Name: sampleName("adafactor", shape, mode), Make: func(m Maker) Op {
				o := &AdaFactor{Param: m.Normal(1, shape...), Grad: m.Normal(1, shape...), Rate: 0.02, Shrink: 0.01, Fresh: 0.4, Epsilon1: 1e-7, Epsilon2: 1e-3, Clip: 1, ScaleByParam: true}
				if mode >= 2 {
					o.Additive, o.Epsilon1, o.ScaleByParam = true, 1e-30, mode == 3
				}
				if mode == 3 {
					o.M, o.Beta1 = m.Normal(0.1, shape...), 0.9
				}
				if mode == 1 {
					o.GradScale = m.Set(m.Zero(dtype.F32, 1), []float32{0.7})
				}
				positive := func(n int) *Tensor {
					x := m.Normal(1, n)
					values, err := m.Floats(x)
					if err != nil {
						panic(err)
					}
					for i, v := range values {
						values[i] = v*v + 0.01
					}
					return m.Set(x, values)
				}
				if len(shape) < 2 {
					o.V = positive(shape[0])
					return o
				}
				n, r, c := o.Matrices()
				o.Row, o.Col = positive(n*r), positive(n*c)
				return o
			}, Finite: true, Tolerance: 5e-6})
		}
	}
	return list
})
