package compute

import "lian/dtype"

// LinearCrossEntropy is the language-model head and its loss in one: logits = Hidden·Weightᵀ, made and thrown away a few rows at
// a time, Loss[i] = logsumexp(logits_i) − logits_i[Targets_i] in nats, 0 where Targets[i] < 0 (ignored).
//
//	Hidden  [rows, hidden]   float32
//	Weight  [vocab, hidden]  float32; float16, bfloat16 or quantised without DWeight
//	Targets [rows]           int32; negative is ignored
//	Loss    [rows]           float32
//	Weights [rows]           float32, what each row's loss counts in the gradients; nil is 1
//	Best    [rows]           int32, smallest id with the largest logit; may be nil
//	DHidden, DWeight         gradients of Scale · Σ Weights·Loss; nil where nobody wants them
//
// With a tape the gradients are made in the forward launch (Prepare), so logits are computed once: dLogits = Scale·Weights·(softmax − onehot),
// DHidden = dLogits·Weight (overwritten), DWeight (+)= dLogitsᵀ·Hidden. Rows are taken in chunks of a size that depends on the vocabulary only.
// The sum inside logsumexp is float32 over fixed lanes then one tree; a row's loss does not depend on the other rows.
type LinearCrossEntropy struct {
	Hidden, Weight, Targets, Loss, Best *Tensor
	Weights, DHidden, DWeight           *Tensor
	AccumulateWeight                    bool
	Scale                               float32
	Fast, BF16                          bool // as in MatMul
}

// CrossEntropyRows is the number of rows whose logits exist at one time: about 4 MiB of them.
func CrossEntropyRows(vocab int) int { return min(max(1<<20/max(vocab, 1)/16*16, 16), 512) }

// Name implements Op.
func (*LinearCrossEntropy) Name() string { return "linear_cross_entropy" }

// Inputs implements Op.
func (o *LinearCrossEntropy) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Hidden, o.Weight, o.Targets, o.Weights)
}

// Outputs implements Op.
func (o *LinearCrossEntropy) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Loss, o.Best, o.DHidden, o.DWeight)
}

// Check implements Op.
func (o *LinearCrossEntropy) Check() error {
	c := check(o).is("Hidden", o.Hidden, dtype.F32, -1, -1)
	if c.err != nil {
		return c.err
	}
	rows := o.Hidden.Shape[0]
	c.is("Targets", o.Targets, dtype.I32, rows).is("Loss", o.Loss, dtype.F32, rows).optional("Best", o.Best, dtype.I32, rows).optional("Weights", o.Weights, dtype.F32, rows)
	c.that(o.Weight != nil && len(o.Weight.Shape) == 2 && o.Weight.Columns() == o.Hidden.Columns(), "Weight %v does not fit Hidden %v", o.Weight, o.Hidden)
	c.that(o.DHidden == nil || sameShape(o.Hidden, o.DHidden), "DHidden is %v, expected %v", o.DHidden, o.Hidden)
	c.that(o.DWeight == nil || o.Weight.Type == dtype.F32, "a gradient of Weight %v; only F32 has one", o.Weight)
	return c.that(o.DWeight == nil || sameShape(o.Weight, o.DWeight), "DWeight is %v, expected %v", o.DWeight, o.Weight).err
}

// Prepare implements GradientInForward.
func (o *LinearCrossEntropy) Prepare(b Backprop) {
	o.DHidden, _ = b.Into(o.Hidden)
	o.DWeight, o.AccumulateWeight = b.Into(o.Weight)
}
