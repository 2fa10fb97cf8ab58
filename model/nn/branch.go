package nn

import (
	"slices"

	"lian/compute"
	"lian/model"
)

// A branch of a layer begins with a norm and the products of its rows. Where no tape and no tap wants them one by one they are one
// launch (compute.Branch), which for a few rows means one start of the workers instead of four, and more weights in a row.

// together says whether operations may be launched together.
func (f *forward) together() bool { return !f.Training() && f.Taps.Input == nil }

// entering is x through a norm, which is launched with the products that come next.
func (f *forward) entering(n *norm, x *compute.Tensor) *compute.Tensor {
	if !f.together() || n.Kind == LayerNorm {
		return f.norm(n, x)
	}
	f.settle()
	f.waiting = compute.New[compute.RMSNorm](f.Arena)
	*f.waiting = compute.RMSNorm{X: x, Weight: f.gain(n, x), Out: f.Tensor(x.Shape...), Epsilon: n.Epsilon, Offset: n.Offset}
	return f.waiting.Out
}

// settle launches a norm that waits.
func (f *forward) settle() {
	if norm := f.waiting; norm != nil {
		f.waiting = nil
		f.Launch(norm)
	}
}

// products are those of the same rows with up to three weights.
func (f *forward) products(x *compute.Tensor, weights ...*weight) (out [3]*compute.Tensor) {
	if !f.together() || slices.ContainsFunc(weights, (*weight).packed) {
		for i, w := range weights {
			out[i] = f.product(f.Tensor(x.Rows(), w.matrix.Shape[0]), w, x, nil, 1, true)
		}
		return out
	}
	o := f.beginning(x, weights)
	f.Launch(o)
	for i, w := range weights {
		out[i] = o.Products[i].Out
		f.Adapt(w.name, x, out[i], 1)
	}
	return out
}

// gated is activation(gate·x) · up·x.
func (f *forward) gated(s *FeedForward, gate, up *weight, x *compute.Tensor) *compute.Tensor {
	if !f.together() || gate.packed() || up.packed() || len(f.Adapted()) > 0 || !slices.Contains(compute.GatedKinds(), s.Function()) {
		made := f.products(x, gate, up)
		return f.activated(s, made[0], made[1])
	}
	weights := [2]*weight{gate, up}
	o := f.beginning(x, weights[:])
	o.Gate = compute.New[compute.Gated](f.Arena)
	out := o.Products[0].Out
	*o.Gate = compute.Gated{Gate: out, Up: o.Products[1].Out, Out: out, Kind: s.Function(), Limit: s.Limit, Offset: s.Offset}
	f.Launch(o)
	return out
}

// beginning is the norm that waits, if any, and products.
func (f *forward) beginning(x *compute.Tensor, weights []*weight) *compute.Branch {
	o := compute.New[compute.Branch](f.Arena)
	if f.waiting != nil && f.waiting.Out == x {
		o.Norm, f.waiting = f.waiting, nil
	}
	f.settle()
	for i, w := range weights {
		p := compute.New[compute.MatMul](f.Arena)
		*p = compute.MatMul{A: x, B: w.matrix, Out: f.Tensor(x.Rows(), w.matrix.Shape[0]), TransB: true, Bias: w.bias, Fast: f.Precision == model.Fast, Outliers: true, BF16: f.RoundsTo16(w.matrix)}
		o.Products[i] = p
	}
	return o
}

func (w *weight) packed() bool { return w.matrix.Packed != nil }
