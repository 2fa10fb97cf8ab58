package compute

import "lian/dtype"

// Route chooses experts for each row of router logits and says how much each counts.
//
// Scores are the softmax over all experts, or with Sigmoid each logit's sigmoid. The choice is made by scores + Bias: with Groups, the
// experts stand in that many groups of neighbours, a group's rank is the sum of its GroupBest best, and only the TopGroups
// best groups are looked at. Of those the k best are taken, the largest first, equal ones by ascending index, NaN as −∞. Their scores
// (without Bias), with Renormalise divided by their sum, times Scale are the weights. A softmax renormalised is the softmax
// over the chosen.
//
// With Mixer (SparseMixer, PhiMoE) the k largest logits are chosen one after the other. The weight of one is its softmax among
// those not chosen before it whose logit l is near the largest m of them, (m − l) / max(|l|, m) ≤ 2·Jitter; times Scale. This is what
// its authors compute at inference; in training they sample and estimate the gradient, here it is the weights' own.
//
//	Logits   [rows, experts]  float32
//	Bias     [experts]        float32; nil is 0
//	Weights  [rows, k]        float32
//	Indices  [rows, k]        int32
//
// Gradient: from Weights to Logits; none through the choice, so none to Bias. Sources: Mixtral, arXiv 2401.04088; DeepSeek-V3, arXiv 2412.19437
// (sigmoid, bias, groups ranked by two); DeepSeek-V2, arXiv 2405.04434 (groups ranked by one); Liu et al., arXiv 2409.12136 (SparseMixer).
type Route struct {
	Logits, Bias, Weights, Indices *Tensor
	RouteRule
}

// RouteRule is how experts are scored and chosen.
type RouteRule struct {
	Sigmoid, Renormalise         bool
	Groups, TopGroups, GroupBest int     // Groups ≤ 1: no groups
	Scale                        float32 // 0 means 1
	Mixer                        bool    // SparseMixer: without Sigmoid, Renormalise, Groups and Bias
	Jitter                       float32
}

// Near says whether a logit takes part in SparseMixer's softmax whose largest logit is most.
func (r *RouteRule) Near(logit, most float32) bool {
	return (most-logit)/max(logit, -logit, most) <= 2*r.Jitter
}

// Factor is Scale with its default.
func (r *RouteRule) Factor() float32 {
	if r.Scale == 0 {
		return 1
	}
	return r.Scale
}

// RouteFloor is added to the sum of sigmoids that weights are divided by, as DeepSeek-V3's code does.
const RouteFloor = 1e-20

// Name implements Op.
func (*Route) Name() string { return "route" }

// Inputs implements Op.
func (o *Route) Inputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Logits, o.Bias) }

// Outputs implements Op.
func (o *Route) Outputs(list []*Tensor) []*Tensor { return append(list, o.Weights, o.Indices) }

// Check implements Op.
func (o *Route) Check() error {
	c := check(o).is("Logits", o.Logits, dtype.F32, -1, -1).is("Weights", o.Weights, dtype.F32, -1, -1)
	if c.err != nil {
		return c.err
	}
	rows, experts, k := o.Logits.Shape[0], o.Logits.Shape[1], o.Weights.Shape[1]
	c.optional("Bias", o.Bias, dtype.F32, experts).is("Weights", o.Weights, dtype.F32, rows, k).is("Indices", o.Indices, dtype.I32, rows, k)
	c.that(!o.Mixer || !o.Sigmoid && !o.Renormalise && o.Groups <= 1 && o.Bias == nil, "Mixer goes with neither Sigmoid, Renormalise, Groups nor Bias")
	candidates := experts
	if o.Groups > 1 {
		c.that(experts%o.Groups == 0 && o.TopGroups >= 1 && o.TopGroups <= o.Groups && o.GroupBest >= 1 && o.GroupBest <= experts/o.Groups,
			"%d experts in %d groups, %d of them chosen by their %d best", experts, o.Groups, o.TopGroups, o.GroupBest)
		candidates = experts / max(o.Groups, 1) * o.TopGroups
	}
	return c.that(k >= 1 && k <= candidates, "%d of %d experts are asked for", k, candidates).err
}

// Backward implements Differentiable.
func (o *Route) Backward(b Backprop) {
	d := b.Grad(o.Weights)
	if d == nil {
		return
	}
	if dl := fresh(b, o.Logits); dl.To != nil {
		launch(b, RouteBackward{Logits: o.Logits, Weights: o.Weights, Indices: o.Indices, DWeights: d, DLogits: dl.To, RouteRule: o.RouteRule})
		dl.done(b)
	}
}

// RouteBackward is the gradient of Route. With s the scores, ds their gradient through the weights (0 where not chosen), softmax:
// dl = s·(ds − Σ ds·s); sigmoid: dl = ds·s·(1−s); Mixer: the sum of the gradients of its softmaxes.
//
//	Logits, DLogits            [rows, experts]  float32
//	Weights, Indices, DWeights [rows, k]
type RouteBackward struct {
	Logits, Weights, Indices, DWeights, DLogits *Tensor
	RouteRule
}

// Name implements Op.
func (*RouteBackward) Name() string { return "route_backward" }

// Inputs implements Op.
func (o *RouteBackward) Inputs(list []*Tensor) []*Tensor {
	return append(list, o.Logits, o.Weights, o.Indices, o.DWeights)
}

// Outputs implements Op.
func (o *RouteBackward) Outputs(list []*Tensor) []*Tensor { return append(list, o.DLogits) }

// Check implements Op.
func (o *RouteBackward) Check() error {
	c := check(o).is("Logits", o.Logits, dtype.F32, -1, -1).is("Weights", o.Weights, dtype.F32, -1, -1)
	if c.err != nil {
		return c.err
	}
	rows, k := o.Logits.Shape[0], o.Weights.Shape[1]
	return c.is("Indices", o.Indices, dtype.I32, rows, k).that(sameShape(o.Weights, o.DWeights) && sameShape(o.Logits, o.DLogits),
		"DWeights %v and DLogits %v must be as %v and %v", o.DWeights, o.DLogits, o.Weights, o.Logits).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	rules := []RouteRule{
		{Renormalise: true}, {}, {Sigmoid: true}, {Sigmoid: true, Renormalise: true, Scale: 2.5},
		{Sigmoid: true, Renormalise: true, Groups: 4, TopGroups: 2, GroupBest: 2, Scale: 2.5}, {Groups: 4, TopGroups: 3, GroupBest: 1, Scale: 16},
		{Mixer: true, Jitter: 0.01}, {Mixer: true, Jitter: 0.4, Scale: 2}, {Mixer: true},
	}
	for _, s := range [][3]int{{0, 8, 2}, {1, 8, 1}, {1, 8, 4}, {17, 16, 3}, {300, 64, 6}} {
		for i, rule := range rules {
			rows, experts, k := s[0], s[1], s[2]
			list = append(list, Sample{Name: sampleName("route", s, i), Make: func(m Maker) Op {
				o := &Route{Logits: m.Normal(2, rows, experts), Weights: m.Zero(dtype.F32, rows, k), Indices: m.Zero(dtype.I32, rows, k), RouteRule: rule}
				if i%2 == 0 && !rule.Mixer {
					o.Bias = m.Normal(0.1, experts)
				}
				return o
			}, Tolerance: 5e-6, GradientTolerance: smoothRows(rows), Finite: rule.Mixer}, Sample{Name: sampleName("route_backward", s, i), Make: func(m Maker) Op {
				o := &RouteBackward{Logits: m.Normal(2, rows, experts), Weights: m.Zero(dtype.F32, rows, k), Indices: m.Zero(dtype.I32, rows, k), DWeights: m.Normal(1, rows, k), DLogits: m.Zero(dtype.F32, rows, experts), RouteRule: rule}
				m.Launch(&Route{Logits: o.Logits, Weights: o.Weights, Indices: o.Indices, RouteRule: rule})
				return o
			}, Tolerance: 5e-6, Floor: 0.1, Finite: true})
		}
	}
	return list
})

// smoothRows is the gradient tolerance of samples that choose: among many rows some choice is a near tie.
func smoothRows(rows int) float64 {
	if rows > 1 {
		return -1
	}
	return 0
}
