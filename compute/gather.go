package compute

import "lian/dtype"

// Gather writes Out[i] = Table[Index[i]]: token embedding, or a choice of rows.
//
//	Table [entries, n]  float32, float16, bfloat16 or quantised
//	Index [rows]        int32 in [0, entries)
//	Out   [rows, n]     float32
//
// Gradient: ScatterAdd.
type Gather struct{ Table, Index, Out *Tensor }

// Name implements Op.
func (*Gather) Name() string { return "gather" }

// Inputs implements Op.
func (o *Gather) Inputs(list []*Tensor) []*Tensor { return append(list, o.Table, o.Index) }

// Outputs implements Op.
func (o *Gather) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Gather) Check() error {
	c := check(o).that(o.Table != nil && o.Index != nil && o.Out != nil, "an operand is missing")
	if c.err != nil {
		return c.err
	}
	return c.is("Index", o.Index, dtype.I32, o.Out.Rows()).
		that(o.Out.Type == dtype.F32 && o.Out.Columns() == o.Table.Columns(), "Out %v does not fit Table %v", o.Out, o.Table).err
}

// Backward implements Differentiable.
func (o *Gather) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if dt, acc := b.Into(o.Table); dt != nil {
		launch(b, ScatterAdd{X: d, Index: o.Index, Out: dt, Accumulate: acc})
	}
}

// ScatterAdd writes Out[Index[i]] += X[i] in ascending i; without Accumulate Out is zeroed first.
//
//	X     [rows, n]     float32
//	Index [rows]        int32 in [0, entries)
//	Out   [entries, n]  float32
type ScatterAdd struct {
	X, Index, Out *Tensor
	Accumulate    bool
}

// Name implements Op.
func (*ScatterAdd) Name() string { return "scatter_add" }

// Inputs implements Op.
func (o *ScatterAdd) Inputs(list []*Tensor) []*Tensor { return append(list, o.X, o.Index) }

// Outputs implements Op.
func (o *ScatterAdd) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *ScatterAdd) Check() error {
	c := check(o).that(o.X != nil && o.Out != nil && o.X.Type == dtype.F32 && o.Out.Type == dtype.F32 && o.X.Columns() == o.Out.Columns(), "X %v does not fit Out %v", o.X, o.Out)
	if c.err != nil {
		return c.err
	}
	return c.is("Index", o.Index, dtype.I32, o.X.Rows()).err
}

// Scatter writes Out[Index[i]] = X[i]: new keys and values into the slots of a cache. Indices must differ.
//
//	X     [rows, …]   float32
//	Index [rows]      int32 in [0, slots)
//	Out   [slots, …]  float32
type Scatter struct{ X, Index, Out *Tensor }

// Name implements Op.
func (*Scatter) Name() string { return "scatter" }

// Inputs implements Op.
func (o *Scatter) Inputs(list []*Tensor) []*Tensor { return append(list, o.X, o.Index) }

// Outputs implements Op.
func (o *Scatter) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Scatter) Check() error {
	c := check(o).that(o.X != nil && o.Out != nil && len(o.X.Shape) > 0 && len(o.X.Shape) == len(o.Out.Shape) && o.X.Type == o.Out.Type &&
		o.X.Elements()*o.Out.Shape[0] == o.Out.Elements()*o.X.Shape[0], "X %v does not fit Out %v", o.X, o.Out)
	if c.err != nil {
		return c.err
	}
	return c.is("Index", o.Index, dtype.I32, o.X.Shape[0]).err
}
