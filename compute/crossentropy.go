package compute

import "lian/dtype"

// LinearCrossEntropy is the language-model head and its loss in one. Logits are made and thrown away a few rows at a time:
// l = LogitScale·Hidden·Weightᵀ + Bias, with Softcap c·tanh(l/c). A row's loss in nats is
//
//	(1−ε)·(lse − l[target]) + ε·(lse − mean(l)) + ZLoss·lse²,  lse = logsumexp(l), ε = LabelSmoothing
//
// and 0 where the target is negative (ignored).
//
//	Hidden    [rows, hidden]   float32
//	Weight    [vocab, hidden]  float32; float16, bfloat16 or quantised without DWeight
//	Bias      [vocab]          float32; nil is 0; not with a LogitScale
//	Targets   [rows]           int32; negative is ignored
//	Loss      [rows]           float32
//	Weights   [rows]           float32, what each row's loss counts in the gradients; nil is 1
//	Best      [rows]           int32, smallest id with the largest logit; may be nil
//	LogSumExp [rows]           float32, lse of every row, ignored ones too; may be nil
//	DHidden, DWeight, DBias    gradients of Scale · Σ Weights·Loss; nil where nobody wants them; float32
//
// With a tape the gradients are made in the forward launch (Prepare), so logits are computed once:
// dl = Scale·Weights·(softmax·(1 + 2·ZLoss·lse) − (1−ε)·onehot − ε/vocab), through the softcap times 1 − (l/c)²,
// DHidden = LogitScale·dl·Weight (overwritten), DWeight (+)= LogitScale·dlᵀ·Hidden. Rows are taken in chunks of a size that depends on
// the vocabulary, and for DWeight on the number of rows. Sums over the vocabulary are float32 over fixed lanes in chunks of 4096, which are joined in float64; a row's loss does not depend on the other rows.
// Sources: Szegedy et al., arXiv 1512.00567 (smoothing); Chowdhery et al., arXiv 2204.02311 (z-loss); Gemma 2, arXiv 2408.00118 (softcap).
type LinearCrossEntropy struct {
	Hidden, Weight, Targets, Loss, Best, LogSumExp *Tensor
	Weights, DHidden, DWeight                      *Tensor
	Bias, DBias                                    *Tensor
	AccumulateWeight, AccumulateBias               bool
	Scale                                          float32
	LogitScale                                     float32 // 0 means 1
	Softcap, LabelSmoothing, ZLoss                 float32 // 0: none
	Fast, BF16                                     bool    // as in MatMul, Fast with Outliers
}

// LogitFactor is LogitScale with its default.
func (o *LinearCrossEntropy) LogitFactor() float32 {
	if o.LogitScale == 0 {
		return 1
	}
	return o.LogitScale
}

// CrossEntropyRows is the number of rows whose logits exist at one time: about 4 MiB of them.
func CrossEntropyRows(vocab int) int { return min(max(1<<20/max(vocab, 1)/16*16, 16), 512) }

// CrossEntropyGradientRows is the same where DWeight is wanted: at most 64 MiB of logits, in chunks of about one size. Every chunk
// adds to all of DWeight, so few rows would be bound by reading and writing it.
func CrossEntropyGradientRows(rows, vocab int) int {
	most := min(max(1<<24/max(vocab, 1)/16*16, 16), 512)
	chunks := max(1, (rows+most-1)/most)
	return max(16, (rows+chunks*16-1)/(chunks*16)*16)
}

// Name implements Op.
func (*LinearCrossEntropy) Name() string { return "linear_cross_entropy" }

// Inputs implements Op.
func (o *LinearCrossEntropy) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Hidden, o.Weight, o.Targets, o.Weights, o.Bias)
}

// Outputs implements Op.
func (o *LinearCrossEntropy) Outputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Loss, o.Best, o.LogSumExp, o.DHidden, o.DWeight, o.DBias)
}

// Check implements Op.
func (o *LinearCrossEntropy) Check() error {
	c := check(o).is("Hidden", o.Hidden, dtype.F32, -1, -1)
	if c.err != nil {
		return c.err
	}
	rows := o.Hidden.Shape[0]
	c.is("Targets", o.Targets, dtype.I32, rows).is("Loss", o.Loss, dtype.F32, rows).optional("Best", o.Best, dtype.I32, rows).optional("LogSumExp", o.LogSumExp, dtype.F32, rows).optional("Weights", o.Weights, dtype.F32, rows)
	c.that(o.Weight != nil && len(o.Weight.Shape) == 2 && o.Weight.Columns() == o.Hidden.Columns(), "Weight %v does not fit Hidden %v", o.Weight, o.Hidden)
	c.that(o.Softcap >= 0 && o.LabelSmoothing >= 0 && o.LabelSmoothing < 1, "Softcap is %v and LabelSmoothing %v, expected ≥ 0 and in [0, 1)", o.Softcap, o.LabelSmoothing)
	if o.Weight != nil && len(o.Weight.Shape) == 2 {
		c.optional("Bias", o.Bias, dtype.F32, o.Weight.Shape[0]).optional("DBias", o.DBias, dtype.F32, o.Weight.Shape[0])
	}
	c.that(o.Bias == nil || o.LogitFactor() == 1, "a Bias together with LogitScale %v", o.LogitScale)
	c.that(o.Bias != nil || o.DBias == nil, "DBias without Bias")
	c.that(o.DHidden == nil || sameShape(o.Hidden, o.DHidden), "DHidden is %v, expected %v", o.DHidden, o.Hidden)
	c.that(o.DWeight == nil || o.Weight.Type == dtype.F32, "a gradient of Weight %v; only F32 has one", o.Weight)
	return c.that(o.DWeight == nil || sameShape(o.Weight, o.DWeight), "DWeight is %v, expected %v", o.DWeight, o.Weight).err
}

// Prepare implements GradientInForward.
func (o *LinearCrossEntropy) Prepare(b Backprop) {
	o.DHidden, _ = b.Into(o.Hidden)
	o.DWeight, o.AccumulateWeight = b.Into(o.Weight)
	if o.Bias != nil {
		o.DBias, o.AccumulateBias = b.Into(o.Bias)
	}
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range [][3]int{{0, 7, 5}, {1, 1, 3}, {1, 50, 16}, {7, 33, 8}, {70, 1031, 24}, {700, 2000, 16}, {40, 9001, 12}} {
		rows, vocab, n := s[0], s[1], s[2]
		for want := range 4 {
			for mode := range 7 {
				acc := mode == 1
				if mode > 0 && want < 2 || rows*vocab > 300000 && (want < 3 || mode > 1 && mode != 5) {
					continue
				}
				list = append(list, Sample{Name: sampleName("cross_entropy", s, want, mode), Make: func(m Maker) Op {
					o := &LinearCrossEntropy{Hidden: m.Normal(1, rows, n), Weight: m.Normal(1, vocab, n), Loss: m.Zero(dtype.F32, rows), Best: m.Zero(dtype.I32, rows),
						Targets: m.Ints(m.Below(rows, -1, int32(vocab))), Scale: 0.25, AccumulateWeight: acc}
					switch mode {
					case 2:
						o.LabelSmoothing, o.LogSumExp = 0.1, m.Zero(dtype.F32, rows)
					case 3:
						o.ZLoss, o.LogitScale = 1e-2, 0.3
					case 4:
						o.Softcap = 3
					case 5:
						o.Softcap, o.LabelSmoothing, o.ZLoss, o.LogitScale, o.LogSumExp = 5, 0.2, 1e-3, 1.5, m.Zero(dtype.F32, rows)
					case 6:
						o.Softcap, o.Bias = 4, m.Normal(1, vocab)
						if want > 0 {
							o.DBias, o.AccumulateBias = m.Normal(1, vocab), want == 2
						}
					}
					if want == 3 && mode%2 == 0 {
						o.Weights = m.Normal(1, rows)
					}
					if want&1 != 0 {
						o.DHidden = m.Normal(1, rows, n)
					}
					if want&2 != 0 {
						o.DWeight = m.Normal(1, vocab, n)
					}
					return o
				}, Tolerance: 1e-5, Floor: 1e-2})
			}
		}
	}
	list = append(list, Sample{Name: "cross_entropy/bf16", Make: func(m Maker) Op {
		return &LinearCrossEntropy{Hidden: m.Normal(1, 300, 48), Weight: m.Normal(0.3, 1500, 48), Loss: m.Zero(dtype.F32, 300), Targets: m.Ints(m.Below(300, 0, 1500)), Scale: 1,
			DHidden: m.Zero(dtype.F32, 300, 48), DWeight: m.Zero(dtype.F32, 1500, 48), BF16: true}
	}, Tolerance: 4e-3}) // dLogits are rounded too: 2⁻⁹
	for _, kind := range []dtype.Type{dtype.F16, dtype.BF16, dtype.Q8_0, dtype.Q4_0} {
		for _, gradient := range []bool{false, true} {
			list = append(list, Sample{Name: sampleName("cross_entropy", kind, gradient), Make: func(m Maker) Op {
				o := &LinearCrossEntropy{Hidden: m.Normal(1, 20, 64), Weight: m.Packed(kind, 0.2, 77, 64), Loss: m.Zero(dtype.F32, 20), Targets: m.Ints(m.Below(20, 0, 77)), Scale: 1, Fast: !gradient}
				o.Weight.Constant = true
				if gradient {
					o.DHidden = m.Zero(dtype.F32, 20, 64)
				}
				return o
			}, Tolerance: 1e-5})
		}
	}
	return list
})
