package compute

import "lian/dtype"

// Argmax writes the smallest j with the largest X[i,j]. NaN counts as less than everything: a row of nothing else gives 0.
//
//	X    [rows, n]  float32, n ≥ 1
//	Out  [rows]     int32
type Argmax struct{ X, Out *Tensor }

// Name implements Op.
func (*Argmax) Name() string { return "argmax" }

// Inputs implements Op.
func (o *Argmax) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Argmax) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Argmax) Check() error {
	c := check(o).that(o.X != nil && o.X.Type == dtype.F32 && o.X.Columns() > 0, "X is %v, expected F32 with a column", o.X)
	if c.err != nil {
		return c.err
	}
	return c.is("Out", o.Out, dtype.I32, o.X.Rows()).err
}

// TopK writes the k largest values of each row and where they stand, the largest first, equal ones by ascending index. NaN counts as −∞.
//
//	X        [rows, n]  float32, n ≥ k
//	Values   [rows, k]  float32; may be nil
//	Indices  [rows, k]  int32
type TopK struct{ X, Values, Indices *Tensor }

// Name implements Op.
func (*TopK) Name() string { return "top_k" }

// Inputs implements Op.
func (o *TopK) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *TopK) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Indices, o.Values) }

// Check implements Op.
func (o *TopK) Check() error {
	c := check(o).that(o.X != nil && o.Indices != nil && o.X.Type == dtype.F32, "X is %v, expected F32", o.X)
	if c.err != nil {
		return c.err
	}
	k := o.Indices.Columns()
	return c.that(k >= 1 && k <= o.X.Columns(), "%d of %d columns are asked for", k, o.X.Columns()).
		is("Indices", o.Indices, dtype.I32, o.X.Rows(), k).optional("Values", o.Values, dtype.F32, o.X.Rows(), k).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range rowShapes {
		rows, n := s[0], s[1]
		list = append(list, Sample{Name: sampleName("argmax", s), Make: func(m Maker) Op {
			return &Argmax{X: m.Normal(1, rows, n), Out: m.Zero(dtype.I32, rows)}
		}})
		for _, k := range []int{1, 2, 8, 50, 1000} {
			for _, ties := range []bool{false, true} {
				list = append(list, Sample{Name: sampleName("top_k", s, k, ties), Make: func(m Maker) Op {
					k := min(k, n)
					x := m.Normal(1, rows, n)
					if ties {
						v := make([]float32, rows*n)
						for i, b := range m.Below(rows*n, -3, 3) {
							v[i] = float32(b)
						}
						m.Set(x, v)
					}
					return &TopK{X: x, Values: m.Zero(dtype.F32, rows, k), Indices: m.Zero(dtype.I32, rows, k)}
				}})
			}
		}
	}
	return list
})
