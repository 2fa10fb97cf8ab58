package compute

import "lian/dtype"

// Attention writes softmax(Scale · Q·Kᵀ + mask) · V for a ragged batch of sequences.
//
//	Q, Out      [rows, heads, head]       float32
//	K, V        [slots, kv heads, head]   float32; query head h reads kv head h / (heads / kv heads)
//	LogSumExp   [rows, heads]             float32, natural logarithm of the softmax's denominator; nil unless a backward follows
//	QueryStart  [sequences + 1]           int32: sequence s has the query rows QueryStart[s] … QueryStart[s+1]−1
//	KeyLength   [sequences]               int32: keys of sequence s; its last query stands at key KeyLength[s]−1
//	Blocks      [sequences, most blocks]  int32: key position p is in slot Blocks[s, p/BlockSize]·BlockSize + p%BlockSize;
//	                                      nil: keys are rows of K from QueryStart[s] on and KeyLength is the number of queries
//
// Causal: a query sees keys up to its own position; Window > 0: only the last Window of them.
// Sequences never see each other, which is what keeps packed documents apart.
//
// The softmax is the running (online) form over key tiles at fixed absolute positions (multiples of KeyTile from key 0), so a
// query's result depends neither on the other rows nor on how a prompt was cut into chunks. A query that sees no key gets 0.
// BF16 lets a backend round the operands of the products to bfloat16, here and in the gradient, where it multiplies those
// faster; sums, softmax and statistics stay float32. It is meant for training: a NaN may then reach keys' neighbours.
// Sources: Vaswani et al., arXiv 1706.03762; Dao et al., arXiv 2205.14135; Ainslie et al., arXiv 2305.13245.
type Attention struct {
	Q, K, V, Out, LogSumExp       *Tensor
	QueryStart, KeyLength, Blocks *Tensor
	BlockSize                     int
	Scale                         float32
	Causal                        bool
	Window                        int
	BF16                          bool
}

// KeyTile is the number of keys in one step of the running softmax.
const KeyTile = 64

// Name implements Op.
func (*Attention) Name() string { return "attention" }

// Inputs implements Op.
func (o *Attention) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Q, o.K, o.V, o.QueryStart, o.KeyLength, o.Blocks)
}

// Outputs implements Op.
func (o *Attention) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Out, o.LogSumExp) }

// Check implements Op.
func (o *Attention) Check() error {
	c := check(o).is("Q", o.Q, dtype.F32, -1, -1, -1).is("K", o.K, dtype.F32, -1, -1, -1).is("QueryStart", o.QueryStart, dtype.I32, -1)
	if c.err != nil {
		return c.err
	}
	q, k, n := o.Q.Shape, o.K.Shape, o.QueryStart.Shape[0]-1
	c.is("V", o.V, dtype.F32, k...).is("Out", o.Out, dtype.F32, q...).optional("LogSumExp", o.LogSumExp, dtype.F32, q[0], q[1])
	c.is("KeyLength", o.KeyLength, dtype.I32, n).optional("Blocks", o.Blocks, dtype.I32, n, -1)
	c.that(k[1] > 0 && q[1]%k[1] == 0 && q[2] == k[2], "Q %v and K %v do not fit: heads must be a multiple of kv heads, head sizes equal", o.Q, o.K)
	return c.that(o.Blocks == nil || o.BlockSize > 0, "BlockSize is %d, expected > 0 with Blocks", o.BlockSize).err
}

// Backward implements Differentiable.
func (o *Attention) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	dq, dk, dv := fresh(b, o.Q), fresh(b, o.K), fresh(b, o.V)
	op := AttentionBackward{Attention: *o, DOut: d, DQ: dq.To, DK: dk.To, DV: dv.To}
	if op.DQ == nil { // the kernel makes all three together; a frozen projection throws one away
		op.DQ = b.Tensor(dtype.F32, o.Q.Shape...)
	}
	if op.DK == nil {
		op.DK = b.Tensor(dtype.F32, o.K.Shape...)
	}
	if op.DV == nil {
		op.DV = b.Tensor(dtype.F32, o.V.Shape...)
	}
	launch(b, op)
	dq.done(b)
	dk.done(b)
	dv.done(b)
}

// AttentionBackward is the gradient of Attention without Blocks. Probabilities are recomputed from LogSumExp, so nothing of
// size queries × keys is ever stored. With P = exp(Scale·QKᵀ − LogSumExp) and D_i = Σ DOut_i·Out_i:
// DV = Pᵀ·DOut; dS = P·(DOut·Vᵀ − D); DQ = Scale·dS·K; DK = Scale·dSᵀ·Q; query heads of one kv head are summed in ascending order.
//
//	DOut, DQ  shape of Q;  DK, DV  shape of K; all overwritten
type AttentionBackward struct {
	Attention
	DOut, DQ, DK, DV *Tensor
}

// Name implements Op.
func (*AttentionBackward) Name() string { return "attention_backward" }

// Inputs implements Op.
func (o *AttentionBackward) Inputs(list []*Tensor) []*Tensor {
	return append(o.Attention.Inputs(list), o.Out, o.LogSumExp, o.DOut)
}

// Outputs implements Op.
func (o *AttentionBackward) Outputs(list []*Tensor) []*Tensor { return append(list, o.DQ, o.DK, o.DV) }

// Check implements Op.
func (o *AttentionBackward) Check() error {
	c := check(o).that(o.Blocks == nil, "Blocks are for inference only")
	if err := o.Attention.Check(); err != nil {
		return err
	}
	return c.that(o.LogSumExp != nil, "LogSumExp is missing").that(sameShape(o.Q, o.DOut) && sameShape(o.Q, o.DQ) && sameShape(o.K, o.DK) && sameShape(o.V, o.DV),
		"DOut %v, DQ %v must be like Q %v; DK %v, DV %v like K %v", o.DOut, o.DQ, o.Q, o.DK, o.DV, o.K).err
}
