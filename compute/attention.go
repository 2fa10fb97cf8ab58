package compute

import "lian/dtype"

// Attention writes softmax(scores) · V for a ragged batch of sequences, scores = Scale · Q·Kᵀ.
//
//	Q           [rows, heads, head]           float32
//	K           [slots, kv heads, head]       float32, float16, bfloat16, or a quantised cache (below); query head h reads kv head h / (heads / kv heads)
//	V           [slots, kv heads, value head] a type as K's; its head may have another size (MLA: 192 and 128)
//	Out         [rows, heads, value head]     float32
//	LogSumExp   [rows, heads]                 float32, natural logarithm of the softmax's denominator; nil unless a backward follows
//	QueryStart  [sequences + 1]               int32: sequence s has the query rows QueryStart[s] … QueryStart[s+1]−1
//	KeyLength   [sequences]                   int32: keys of sequence s; its last query stands at key KeyLength[s]−1
//	Blocks      [sequences, most blocks]      int32: key position p is in slot Blocks[s, p/BlockSize]·BlockSize + p%BlockSize;
//	                                          nil: keys are rows of K from QueryStart[s] on and KeyLength is the number of queries.
//	                                          A block none of whose keys a query of the sequence sees (Window) may be −1: it is not read
//
// Causal: a query sees keys up to its own position; Prefix [sequences] int32: and all keys below Prefix[s], for every query of
// sequence s (prefix language models, images). Window > 0: nothing before the last Window keys up to its own position. Sequences
// never see each other, which is what keeps packed documents apart.
//
// Softcap > 0: scores become Softcap · tanh(scores / Softcap), before any mask (Gemma 2). Slopes [heads] float32: scores then get
// − Slopes[h] · (query position − key position) added (ALiBi). Sinks [heads] float32: one more logit for each head that takes
// part in the softmax and has no value (gpt-oss).
//
// A quantised cache is uint8 codes with KScale, VScale [slots, kv heads, 2] float32: value = scale · code + minimum, for each
// head of each token (scale first). The last axis of K (V) says how many bits a code has: head for 8, (head + 1)/2 for 4, where
// byte i holds value i below and value i + (head + 1)/2 above. KVWrite makes such rows.
//
// The keys are cut into tiles at fixed absolute positions (multiples of KeyTile from key 0). Each tile has a softmax of its own,
// and the tiles' results are joined in ascending order. So a query's result depends neither on the other rows, nor on how a
// prompt was cut into chunks, nor on which worker computed a tile. A query that sees no key gets 0 and a LogSumExp of −∞ (or its
// sink).
//
// A NaN or ∞ in a query reaches this query's head; in a key or value it reaches those queries that see it, in a value its own
// element only. The score of a seen key that is −∞ counts as 0 probability; a query all of whose scores are −∞ gets 0.
//
// BF16 lets a backend round the operands of the products to bfloat16, here and in the gradient, where it multiplies those
// faster; sums, softmax and statistics stay float32. It is meant for training: a NaN may then reach keys' neighbours.
// Sources: Vaswani et al., arXiv 1706.03762; Dao et al., arXiv 2205.14135; Ainslie et al., arXiv 2305.13245; Press et al.,
// arXiv 2108.12409 (ALiBi); Gemma 2, arXiv 2408.00118; Xiao et al., arXiv 2309.17453 (sinks).
type Attention struct {
	Q, K, V, Out, LogSumExp       *Tensor
	QueryStart, KeyLength, Blocks *Tensor
	BlockSize                     int
	Scale                         float32
	Causal                        bool
	Window                        int
	BF16                          bool

	Prefix, Slopes, Sinks *Tensor
	Softcap               float32
	KScale, VScale        *Tensor
}

// KeyTile is the number of keys that share one softmax; see Attention.
const KeyTile = 256

// Name implements Op.
func (*Attention) Name() string { return "attention" }

// Inputs implements Op.
func (o *Attention) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Q, o.K, o.V, o.QueryStart, o.KeyLength, o.Blocks, o.Prefix, o.Slopes, o.Sinks, o.KScale, o.VScale)
}

// Outputs implements Op.
func (o *Attention) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Out, o.LogSumExp) }

// ValueHead is the size of a head of V and Out.
func (o *Attention) ValueHead() int { return o.Out.Shape[2] }

// Check implements Op.
func (o *Attention) Check() error {
	c := check(o).is("Q", o.Q, dtype.F32, -1, -1, -1).is("QueryStart", o.QueryStart, dtype.I32, -1).that(o.K != nil && o.V != nil, "K or V is missing")
	if c.err != nil {
		return c.err
	}
	q, n := o.Q.Shape, o.QueryStart.Shape[0]-1
	c.is("Out", o.Out, dtype.F32, q[0], q[1], -1).optional("LogSumExp", o.LogSumExp, dtype.F32, q[0], q[1])
	c.is("KeyLength", o.KeyLength, dtype.I32, n).optional("Blocks", o.Blocks, dtype.I32, n, -1).optional("Prefix", o.Prefix, dtype.I32, n)
	c.optional("Slopes", o.Slopes, dtype.F32, q[1]).optional("Sinks", o.Sinks, dtype.F32, q[1])
	if c.err != nil {
		return c.err
	}
	c.cache("K", o.K, o.KScale, q[2]).cache("V", o.V, o.VScale, o.Out.Shape[2])
	if c.err != nil {
		return c.err
	}
	c.that(o.K.Shape[0] == o.V.Shape[0] && o.K.Shape[1] == o.V.Shape[1], "K %v and V %v differ in slots or heads", o.K, o.V)
	c.that(o.K.Shape[1] > 0 && q[1]%o.K.Shape[1] == 0, "Q %v and K %v do not fit: heads must be a multiple of kv heads", o.Q, o.K)
	c.that(o.Softcap >= 0, "Softcap is %v, expected ≥ 0", o.Softcap)
	return c.that(o.Blocks == nil || o.BlockSize > 0, "BlockSize is %d, expected > 0 with Blocks", o.BlockSize).err
}

// cache checks keys or values: a plain type, or codes of 8 or 4 bits with their scales.
func (c *checker) cache(name string, t, scale *Tensor, head int) *checker {
	if len(t.Shape) != 3 {
		c.that(false, "%s is %v, expected three axes", name, t)
	}
	if c.err != nil {
		return c
	}
	switch t.Type {
	case dtype.F32, dtype.F16, dtype.BF16:
		if t.Shape[2] != head || scale != nil {
			return c.that(false, "%s is %v with scales %v, expected heads of %d without scales", name, t, scale, head)
		}
		return c
	case dtype.U8:
		if t.Shape[2] != head && t.Shape[2] != (head+1)/2 {
			return c.that(false, "%s is %v, expected heads of %d (8 bits) or %d (4 bits)", name, t, head, (head+1)/2)
		}
		return c.is(name+"Scale", scale, dtype.F32, t.Shape[0], t.Shape[1], 2)
	}
	return c.that(false, "%s is %v, expected float32, float16, bfloat16 or uint8", name, t)
}

// Backward implements Differentiable.
func (o *Attention) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	dq, dk, dv := fresh(b, o.Q), fresh(b, o.K), fresh(b, o.V)
	op := AttentionBackward{Forward: *o, DOut: d, DQ: dq.To, DK: dk.To, DV: dv.To}
	if op.DQ == nil { // the kernel makes all together; a frozen projection throws one away
		op.DQ = b.Tensor(dtype.F32, o.Q.Shape...)
	}
	if op.DK == nil {
		op.DK = b.Tensor(dtype.F32, o.K.Shape...)
	}
	if op.DV == nil {
		op.DV = b.Tensor(dtype.F32, o.V.Shape...)
	}
	var sinks freshGradient
	if o.Sinks != nil {
		sinks = fresh(b, o.Sinks)
		if op.DSinks = sinks.To; op.DSinks == nil {
			op.DSinks = b.Tensor(dtype.F32, o.Sinks.Shape...)
		}
	}
	launch(b, op)
	dq.done(b)
	dk.done(b)
	dv.done(b)
	sinks.done(b)
}

// AttentionBackward is the gradient of Attention without Blocks, of float32 keys and values. Probabilities are recomputed from
// LogSumExp, so nothing of size queries × keys is ever stored. With P = exp(scores − LogSumExp) and D_i = Σ DOut_i·Out_i:
// DV = Pᵀ·DOut; dS = P·(DOut·Vᵀ − D), times 1 − (scores/Softcap)² with a softcap; DQ = Scale·dS·K; DK = Scale·dSᵀ·Q;
// DSinks_h = −Σ_i exp(Sinks_h − LogSumExp_i)·D_i. Sums over queries ascend, within one query over the heads of one kv head.
// Slopes have no gradient. A NaN may reach every row of its sequence and kv head.
//
//	DOut    shape of Out
//	DQ      shape of Q;  DK, DV  shape of K, V;  DSinks  shape of Sinks, nil without; all overwritten
type AttentionBackward struct {
	Forward                  Attention // whose Out and LogSumExp are there
	DOut, DQ, DK, DV, DSinks *Tensor
}

// Name implements Op.
func (*AttentionBackward) Name() string { return "attention_backward" }

// Inputs implements Op.
func (o *AttentionBackward) Inputs(list []*Tensor) []*Tensor {
	return append(o.Forward.Inputs(list), o.Forward.Out, o.Forward.LogSumExp, o.DOut)
}

// Outputs implements Op.
func (o *AttentionBackward) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.DQ, o.DK, o.DV, o.DSinks)
}

// Check implements Op.
func (o *AttentionBackward) Check() error {
	f := &o.Forward
	if err := f.Check(); err != nil {
		return err
	}
	return check(o).that(f.Blocks == nil, "Blocks are for inference only").
		that(f.K.Type == dtype.F32 && f.V.Type == dtype.F32, "K %v and V %v must be float32", f.K, f.V).
		that(f.LogSumExp != nil, "LogSumExp is missing").
		that(sameShape(f.Out, o.DOut) && sameShape(f.Q, o.DQ) && sameShape(f.K, o.DK) && sameShape(f.V, o.DV),
			"DOut %v must be like Out %v, DQ %v like Q %v, DK %v like K %v, DV %v like V %v", o.DOut, f.Out, o.DQ, f.Q, o.DK, f.K, o.DV, f.V).
		that((f.Sinks == nil) == (o.DSinks == nil) && (f.Sinks == nil || sameShape(f.Sinks, o.DSinks)), "DSinks %v must be like Sinks %v", o.DSinks, f.Sinks).err
}
