package compute

import "lian/dtype"

// GroupByExpert sorts the choices of Route by expert, those of one expert in the order of rows and choices. A choice is number
// row·k + j.
//
//	Indices    [rows, k]      int32 in [0, experts)
//	Starts     [experts + 1]  int32: the choices of expert e stand at Starts[e] … Starts[e+1]−1
//	Rows       [rows·k]       int32: the row that stands at a place; Gather brings the activations there
//	Positions  [rows·k]       int32: where a choice stands
//
// All of it stays on the device: no size depends on what was chosen.
type GroupByExpert struct{ Indices, Starts, Rows, Positions *Tensor }

// Name implements Op.
func (*GroupByExpert) Name() string { return "group_by_expert" }

// Inputs implements Op.
func (o *GroupByExpert) Inputs(list []*Tensor) []*Tensor { return append(list, o.Indices) }

// Outputs implements Op.
func (o *GroupByExpert) Outputs(list []*Tensor) []*Tensor {
	return append(list, o.Starts, o.Rows, o.Positions)
}

// Check implements Op.
func (o *GroupByExpert) Check() error {
	c := check(o).is("Indices", o.Indices, dtype.I32, -1, -1).is("Starts", o.Starts, dtype.I32, -1)
	if c.err != nil {
		return c.err
	}
	n := o.Indices.Elements()
	return c.is("Rows", o.Rows, dtype.I32, n).is("Positions", o.Positions, dtype.I32, n).that(o.Starts.Shape[0] >= 1, "Starts is %v, expected one more than experts", o.Starts).err
}

// Backward implements Differentiable: integers carry no gradient.
func (*GroupByExpert) Backward(Backprop) {}

// CombineExperts writes Out[i] = Σ_j Weights[i,j]·X[Positions[i·k + j]], in ascending j.
//
//	X          [rows·k, n]  float32, rows sorted by expert
//	Weights    [rows, k]    float32
//	Positions  [rows·k]     int32, each place once, as GroupByExpert makes them
//	Out        [rows, n]    float32
type CombineExperts struct{ X, Weights, Positions, Out *Tensor }

// Name implements Op.
func (*CombineExperts) Name() string { return "combine_experts" }

// Inputs implements Op.
func (o *CombineExperts) Inputs(list []*Tensor) []*Tensor {
	return append(list, o.X, o.Weights, o.Positions)
}

// Outputs implements Op.
func (o *CombineExperts) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *CombineExperts) Check() error {
	return check(o).combined(o.X, o.Weights, o.Positions, o.Out).err
}

func (c *checker) combined(x, weights, positions, out *Tensor) *checker {
	c.is("Weights", weights, dtype.F32, -1, -1).is("Out", out, dtype.F32, -1, -1)
	if c.err != nil {
		return c
	}
	rows, k, n := weights.Shape[0], weights.Shape[1], out.Shape[1]
	return c.is("X", x, dtype.F32, rows*k, n).is("Positions", positions, dtype.I32, rows*k).is("Out", out, dtype.F32, rows, n)
}

// Backward implements Differentiable.
func (o *CombineExperts) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	x, w := fresh(b, o.X), fresh(b, o.Weights)
	if x.To == nil && w.To == nil {
		return
	}
	launch(b, CombineExpertsBackward{X: o.X, Weights: o.Weights, Positions: o.Positions, DOut: d, DX: x.To, DWeights: w.To})
	x.done(b)
	w.done(b)
}

// CombineExpertsBackward is the gradient of CombineExperts: DX[Positions[i·k+j]] = Weights[i,j]·DOut[i],
// DWeights[i,j] = Σ DOut[i]·X[Positions[i·k+j]].
//
//	DX, DWeights  shapes of X and Weights; nil where nobody wants them
type CombineExpertsBackward struct{ X, Weights, Positions, DOut, DX, DWeights *Tensor }

// Name implements Op.
func (*CombineExpertsBackward) Name() string { return "combine_experts_backward" }

// Inputs implements Op.
func (o *CombineExpertsBackward) Inputs(list []*Tensor) []*Tensor {
	return append(list, o.X, o.Weights, o.Positions, o.DOut)
}

// Outputs implements Op.
func (o *CombineExpertsBackward) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.DX, o.DWeights)
}

// Check implements Op.
func (o *CombineExpertsBackward) Check() error {
	return check(o).combined(o.X, o.Weights, o.Positions, o.DOut).
		that((o.DX == nil || sameShape(o.X, o.DX)) && (o.DWeights == nil || sameShape(o.Weights, o.DWeights)), "DX %v and DWeights %v must be as %v and %v", o.DX, o.DWeights, o.X, o.Weights).err
}

// expertShapes are rows, k, experts and n of samples.
var expertShapes = [][4]int{{0, 2, 4, 8}, {1, 1, 1, 5}, {1, 3, 5, 33}, {17, 2, 8, 16}, {130, 4, 16, 65}}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range expertShapes {
		rows, k, experts, n := s[0], s[1], s[2], s[3]
		grouped := func(m Maker) *GroupByExpert {
			return &GroupByExpert{Indices: m.Ints(m.Below(rows*k, 0, int32(experts)), rows, k), Starts: m.Zero(dtype.I32, experts+1), Rows: m.Zero(dtype.I32, rows*k), Positions: m.Zero(dtype.I32, rows*k)}
		}
		list = append(list, Sample{Name: sampleName("group_by_expert", s), Make: func(m Maker) Op { return grouped(m) }},
			Sample{Name: sampleName("combine_experts", s), Make: func(m Maker) Op {
				g := grouped(m)
				m.Launch(g)
				return &CombineExperts{X: m.Normal(1, rows*k, n), Weights: m.Normal(1, rows, k), Positions: g.Positions, Out: m.Zero(dtype.F32, rows, n)}
			}})
		for want := 1; want <= 3; want++ {
			list = append(list, Sample{Name: sampleName("combine_experts_backward", s, want), Make: func(m Maker) Op {
				g := grouped(m)
				m.Launch(g)
				o := &CombineExpertsBackward{X: m.Normal(1, rows*k, n), Weights: m.Normal(1, rows, k), Positions: g.Positions, DOut: m.Normal(1, rows, n)}
				if want&1 != 0 {
					o.DX = m.Zero(dtype.F32, rows*k, n)
				}
				if want&2 != 0 {
					o.DWeights = m.Zero(dtype.F32, rows, k)
				}
				return o
			}})
		}
	}
	return list
})
