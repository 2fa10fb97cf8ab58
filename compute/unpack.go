package compute

import "lian/dtype"

// Unpack writes the values of a weight that another program quantised, as its layout says.
//
//	Out  [outputs, inputs]  float32
type Unpack struct {
	Weight PackedWeight
	Out    *Tensor
}

// Name implements Op.
func (*Unpack) Name() string { return "unpack" }

// Inputs implements Op.
func (o *Unpack) Inputs(list []*Tensor) []*Tensor { return o.Weight.tensors(list) }

// Outputs implements Op.
func (o *Unpack) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Unpack) Check() error {
	c := check(o)
	if o.Weight.check(c); c.err != nil {
		return c.err
	}
	return c.is("Out", o.Out, dtype.F32, o.Weight.Outputs, o.Weight.Inputs).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, w := range packedWeights() {
		list = append(list, Sample{Name: "unpack/" + w.name, Make: func(b Maker) Op {
			return &Unpack{Weight: w.make(b, w.outputs, w.inputs), Out: b.Zero(dtype.F32, w.outputs, w.inputs)}
		}})
	}
	return list
})
