package compute

import "lian/dtype"

// RouterLosses makes the two auxiliary losses of a router. With p the softmax of Logits, P[e] its mean over rows and f[e] the number
// of choices of expert e divided by rows: Balance = experts · Σ_e f[e]·P[e] (k for a balanced router), Z = mean of logsumexp².
//
//	Logits   [rows, experts]  float32, rows ≥ 1
//	Indices  [rows, k]        int32 in [0, experts)
//	Balance  [1]              float32
//	Z        [1]              float32
//
// Sums over rows are float64 in ascending order. Gradient: to Logits; f counts as constant.
// Sources: Fedus, Zoph & Shazeer, arXiv 2101.03961, as transformers' load_balancing_loss_func; Zoph et al., arXiv 2202.08906.
type RouterLosses struct{ Logits, Indices, Balance, Z *Tensor }

// Name implements Op.
func (*RouterLosses) Name() string { return "router_losses" }

// Inputs implements Op.
func (o *RouterLosses) Inputs(list []*Tensor) []*Tensor { return append(list, o.Logits, o.Indices) }

// Outputs implements Op.
func (o *RouterLosses) Outputs(list []*Tensor) []*Tensor { return append(list, o.Balance, o.Z) }

// Check implements Op.
func (o *RouterLosses) Check() error {
	return check(o).routerLosses(o.Logits, o.Indices, o.Balance, o.Z).err
}

func (c *checker) routerLosses(logits, indices, balance, z *Tensor) *checker {
	c.is("Logits", logits, dtype.F32, -1, -1)
	if c.err != nil {
		return c
	}
	return c.that(logits.Shape[0] > 0, "Logits is %v, expected a row", logits).is("Indices", indices, dtype.I32, logits.Shape[0], -1).
		optional("Balance", balance, dtype.F32, 1).optional("Z", z, dtype.F32, 1)
}

// Backward implements Differentiable.
func (o *RouterLosses) Backward(b Backprop) {
	balance, z := b.Grad(o.Balance), b.Grad(o.Z)
	if balance == nil && z == nil {
		return
	}
	if d := fresh(b, o.Logits); d.To != nil {
		launch(b, RouterLossesBackward{Logits: o.Logits, Indices: o.Indices, DBalance: balance, DZ: z, DLogits: d.To})
		d.done(b)
	}
}

// RouterLossesBackward is the gradient of RouterLosses: DLogits[i,e] = p·(c[e] − Σ c·p) + 2·DZ·lse·p/rows with
// c[e] = DBalance·experts·f[e]/rows.
//
//	DBalance, DZ  [1]              float32; nil is 0
//	DLogits       [rows, experts]  float32
type RouterLossesBackward struct{ Logits, Indices, DBalance, DZ, DLogits *Tensor }

// Name implements Op.
func (*RouterLossesBackward) Name() string { return "router_losses_backward" }

// Inputs implements Op.
func (o *RouterLossesBackward) Inputs(list []*Tensor) []*Tensor {
	return appendPresent(list, o.Logits, o.Indices, o.DBalance, o.DZ)
}

// Outputs implements Op.
func (o *RouterLossesBackward) Outputs(list []*Tensor) []*Tensor { return append(list, o.DLogits) }

// Check implements Op.
func (o *RouterLossesBackward) Check() error {
	return check(o).routerLosses(o.Logits, o.Indices, o.DBalance, o.DZ).that(sameShape(o.Logits, o.DLogits), "DLogits is %v, expected %v", o.DLogits, o.Logits).err
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, s := range [][3]int{{1, 4, 1}, {9, 8, 2}, {300, 60, 4}} {
		rows, experts, k := s[0], s[1], s[2]
		list = append(list, Sample{Name: sampleName("router_losses", s), Make: func(m Maker) Op {
			return &RouterLosses{Logits: m.Normal(2, rows, experts), Indices: m.Ints(m.Below(rows*k, 0, int32(experts)), rows, k), Balance: m.Zero(dtype.F32, 1), Z: m.Zero(dtype.F32, 1)}
		}, GradientTolerance: smoothRows(rows / 10)})
		for want := 1; want <= 3; want++ {
			list = append(list, Sample{Name: sampleName("router_losses_backward", s, want), Make: func(m Maker) Op {
				o := &RouterLossesBackward{Logits: m.Normal(2, rows, experts), Indices: m.Ints(m.Below(rows*k, 0, int32(experts)), rows, k), DLogits: m.Zero(dtype.F32, rows, experts)}
				if want&1 != 0 {
					o.DBalance = m.Normal(1, 1)
				}
				if want&2 != 0 {
					o.DZ = m.Normal(1, 1)
				}
				return o
			}, Tolerance: 5e-6, Floor: 1e-4})
		}
	}
	return list
})
