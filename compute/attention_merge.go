package compute

import "lian/dtype"

// AttentionMerge joins what a query got from two disjoint sets of keys into what it gets from both:
//
//	Out = (A·exp(ASum) + B·exp(BSum)) / (exp(ASum) + exp(BSum))
//
//	A, B, Out   [rows, heads, value head]  float32; Out may alias A or B
//	ASum, BSum  [rows, heads]              float32: LogSumExp of the two attentions; −∞ where a query saw no key
//
// A query that saw no key at all gets 0. There is no gradient: it is for inference.
type AttentionMerge struct{ A, B, ASum, BSum, Out *Tensor }

// Name implements Op.
func (*AttentionMerge) Name() string { return "attention_merge" }

// Inputs implements Op.
func (o *AttentionMerge) Inputs(list []*Tensor) []*Tensor {
	return append(list, o.A, o.B, o.ASum, o.BSum)
}

// Outputs implements Op.
func (o *AttentionMerge) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *AttentionMerge) Check() error {
	c := check(o).is("A", o.A, dtype.F32, -1, -1, -1)
	if c.err != nil {
		return c.err
	}
	rows, heads := o.A.Shape[0], o.A.Shape[1]
	c.that(sameShape(o.A, o.B) && sameShape(o.A, o.Out) && o.B.Type == dtype.F32 && o.Out.Type == dtype.F32, "B %v and Out %v must be as A %v", o.B, o.Out, o.A)
	return c.is("ASum", o.ASum, dtype.F32, rows, heads).is("BSum", o.BSum, dtype.F32, rows, heads).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range [][3]int{{0, 2, 4}, {1, 1, 1}, {3, 2, 16}, {70, 3, 33}} {
		list = append(list, Sample{Name: sampleName("attention_merge", s), Make: func(m Maker) Op {
			return &AttentionMerge{A: m.Normal(1, s[0], s[1], s[2]), B: m.Normal(1, s[0], s[1], s[2]), ASum: m.Normal(5, s[0], s[1]), BSum: m.Normal(5, s[0], s[1]), Out: m.Zero(dtype.F32, s[0], s[1], s[2])}
		}, Finite: true})
	}
	return list
})
