package compute

import (
	"fmt"

	"lian/dtype"
)

// Branch is how a branch of a layer begins, in one launch: Norm, then Products of the rows that it makes, then Gate. It means these
// operations one after the other, and has their bits; a backend may share the work so that a few rows meet all the weights in
// one go.
//
//	Norm      RMSNorm, or nil
//	Products  one to three of the same A [rows, k], which is Norm's Out if there is one: TransB, without Accumulate, Residual and Activation
//	Gate      Gated of the Outs of the first two products, or nil
//
// There is no gradient: with a tape the operations are launched by themselves.
type Branch struct {
	Norm     *RMSNorm
	Products [3]*MatMul
	Gate     *Gated
}

// Name implements Op.
func (*Branch) Name() string { return "branch" }

// Inputs implements Op.
func (o *Branch) Inputs(list []*Tensor) []*Tensor {
	if o.Norm != nil {
		list = o.Norm.Inputs(list)
	} else if o.Products[0] != nil {
		list = append(list, o.Products[0].A)
	}
	for _, p := range o.Products {
		if p != nil {
			list = appendPresent(list, p.B, p.Bias)
		}
	}
	return list
}

// Outputs implements Op.
func (o *Branch) Outputs(list []*Tensor) []*Tensor {
	if o.Norm != nil {
		list = o.Norm.Outputs(list)
	}
	for _, p := range o.Products {
		if p != nil {
			list = append(list, p.Out)
		}
	}
	if o.Gate != nil && o.Gate.Out != o.Gate.Gate && o.Gate.Out != o.Gate.Up {
		list = append(list, o.Gate.Out)
	}
	return list
}

// Check implements Op.
func (o *Branch) Check() error {
	c := check(o).that(o.Products[0] != nil, "there is no product")
	if c.err != nil {
		return c.err
	}
	if o.Norm != nil {
		if err := o.Norm.Check(); err != nil {
			return err
		}
		c.that(o.Products[0].A == o.Norm.Out, "the products' A is not the norm's Out")
	}
	for i, p := range o.Products {
		if p == nil {
			continue
		}
		if err := p.Check(); err != nil {
			return err
		}
		plain := p.TransB && !p.TransA && !p.Accumulate && p.Residual == nil && p.Activation == Identity && p.Out.Type == dtype.F32
		c.that(i == 0 || o.Products[i-1] != nil && p.A == o.Products[0].A, "the products are not of one A").
			that(plain, "a product is not plain rows times a weight's, as float32")
	}
	if g := o.Gate; g != nil {
		if err := g.Check(); err != nil {
			return err
		}
		c.that(o.Products[1] != nil && g.Gate == o.Products[0].Out && g.Up == o.Products[1].Out, "the gate is not of the first two products")
	}
	return c.err
}

var _ = sampled(func() []Sample {
	var list []Sample
	add := func(name string, rows, k int, types [3]dtype.Type, n [3]int, normed, gated bool) {
		list = append(list, Sample{Name: fmt.Sprintf("branch/%s/%d", name, rows), Make: func(m Maker) Op {
			o, x := &Branch{}, m.Normal(1, rows, k)
			if normed {
				o.Norm = &RMSNorm{X: x, Weight: m.Normal(1, k), Out: m.Zero(dtype.F32, rows, k), Epsilon: 1e-5}
				x = o.Norm.Out
			}
			for i := range types {
				if n[i] == 0 {
					continue
				}
				p := &MatMul{A: x, Out: m.Zero(dtype.F32, rows, n[i]), TransB: true, Fast: true}
				if types[i] == dtype.F32 {
					p.B = m.Normal(1, n[i], k)
				} else {
					p.B = m.Packed(types[i], 1, n[i], k)
				}
				if i == 1 {
					p.Bias = m.Normal(1, n[i])
				}
				o.Products[i] = p
			}
			if gated {
				o.Gate = &Gated{Gate: o.Products[0].Out, Up: o.Products[1].Out, Out: m.Zero(dtype.F32, rows, n[0]), Kind: SiLU}
			}
			return o
		}, Tolerance: 2e-5, Finite: true})
	}
	one := func(t dtype.Type) [3]dtype.Type { return [3]dtype.Type{t, t, t} }
	for _, rows := range []int{0, 1, 3, 8, 20} {
		for _, t := range []dtype.Type{dtype.F32, dtype.BF16, dtype.Q4_0, dtype.Q4_1, dtype.Q8_0, dtype.Q4_K} {
			add("three/"+t.String(), rows, 768, one(t), [3]int{600, 75, 64}, true, false)
			add("gate/"+t.String(), rows, 256, one(t), [3]int{331, 331, 0}, true, true)
		}
		add("mixed", rows, 256, [3]dtype.Type{dtype.Q4_K, dtype.Q4_K, dtype.Q6_K}, [3]int{70, 33, 33}, true, false)
		add("mixed_gate", rows, 256, [3]dtype.Type{dtype.Q4_0, dtype.Q8_0, dtype.BF16}, [3]int{130, 130, 5}, false, true)
		add("one", rows, 288, one(dtype.Q4_0), [3]int{300, 0, 0}, true, false)
	}
	return list
})
