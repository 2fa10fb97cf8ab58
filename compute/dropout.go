package compute

import (
	"lian/dtype"
	"lian/random"
)

// Dropout writes Out = X/(1−Rate) where an element is kept and 0 where it is dropped. Element i of X is number First+i of a stream:
// it is dropped if half (First+i) mod 2 (the lower 32 bits first) of Key's number (First+i)/2 is below Rate·2³².
//
//	X, Out  any shape, equal  float32; Out may alias X
//
// Key says what the mask is for: random.New(seed, "dropout", site, step). Nothing is stored: the backward pass draws the same
// numbers, and so does any split of the tensor that sets First. Source: Srivastava et al., JMLR 15 (2014).
type Dropout struct {
	X, Out *Tensor
	Key    random.Key
	First  int
	Rate   float32 // in [0, 1)
}

// Name implements Op.
func (*Dropout) Name() string { return "dropout" }

// Inputs implements Op.
func (o *Dropout) Inputs(list []*Tensor) []*Tensor { return append(list, o.X) }

// Outputs implements Op.
func (o *Dropout) Outputs(list []*Tensor) []*Tensor { return append(list, o.Out) }

// Check implements Op.
func (o *Dropout) Check() error {
	return check(o).that(sameShape(o.X, o.Out) && o.X.Type == dtype.F32, "X %v and Out %v must be F32 of one shape", o.X, o.Out).
		that(o.Rate >= 0 && o.Rate < 1, "Rate is %v, expected at least 0 and below 1", o.Rate).that(o.First >= 0, "First is %d, expected ≥ 0", o.First).err
}

// Below is the number that a draw of 32 bits must reach for an element to be kept.
func (o *Dropout) Below() uint32 { return uint32(float64(o.Rate) * (1 << 32)) }

// Scale is what kept elements are multiplied by.
func (o *Dropout) Scale() float32 { return float32(1 / (1 - float64(o.Rate))) }

// Backward implements Differentiable.
func (o *Dropout) Backward(b Backprop) {
	d := b.Grad(o.Out)
	if d == nil {
		return
	}
	if dx := fresh(b, o.X); dx.To != nil {
		launch(b, Dropout{X: d, Out: dx.To, Key: o.Key, First: o.First, Rate: o.Rate})
		dx.done(b)
	}
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, n := range OddSizes() {
		for _, first := range []int{0, 1, 12346} {
			for _, rate := range []float32{0, 0.1, 0.999} {
				list = append(list, Sample{Name: sampleName("dropout", n, first, rate), Make: func(m Maker) Op {
					return &Dropout{X: m.Normal(1, n), Out: m.Zero(dtype.F32, n), Key: random.New(7, "dropout", n), First: first, Rate: rate}
				}})
			}
		}
	}
	return list
})
