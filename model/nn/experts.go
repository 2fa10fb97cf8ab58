package nn

import (
	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// experts are the weights of a mixture.
type experts struct {
	router                       weight
	correction                   *compute.Tensor // nil: none
	gate, up, down               weight          // stacks [experts, out, in], biases [experts, out]
	sharedGate, sharedUp, shared weight          // of the feed-forward that all tokens go through
	sharedWeight                 weight          // how much it counts; no matrix: 1
}

func (d *Decoder) experts(at string) *experts {
	at += "feed_forward."
	return &experts{router: d.weight(at + "router"), correction: d.parameters.Get(at + "router_correction"),
		gate: d.weight(at + "experts.gate"), up: d.weight(at + "experts.up"), down: d.weight(at + "experts.down"),
		sharedGate: d.weight(at + "shared.gate"), sharedUp: d.weight(at + "shared.up"), shared: d.weight(at + "shared.down"), sharedWeight: d.weight(at + "shared_gate")}
}

// mixture is what the experts chosen for each row make of it, weighed, and what the shared one makes.
//
// Rows are sorted by expert, so that each expert's weights are read once for all its rows; which rows those are is never read back.
func (f *forward) mixture(s *FeedForward, w *experts, h *compute.Tensor) *compute.Tensor {
	e := &s.Experts
	weights, chosen := f.Tensor(f.rows, e.Chosen), f.Arena.Tensor(dtype.I32, f.rows, e.Chosen)
	model.Launch(f.Pass, compute.Route{Logits: f.linear(&w.router, h, nil, 1), Bias: w.correction, Weights: weights, Indices: chosen, RouteRule: e.Route})
	out := f.Tensor(f.rows, h.Columns())
	f.routed(s, w, h, weights, chosen, out)
	if e.Shared == 0 {
		return out
	}
	inner := f.activated(s, f.gate(s, &w.sharedGate, h), f.linear(&w.sharedUp, h, nil, 1))
	if w.sharedWeight.matrix == nil {
		return f.linear(&w.shared, inner, out, 1)
	}
	return f.sum(out, f.weighed(f.linear(&w.shared, inner, nil, 1), f.linear(&w.sharedWeight, h, nil, 1)))
}

// routed is what the chosen experts make of rows, weighed. Rows whose adapter changes experts are computed apart from the others, each
// adapter's together.
func (f *forward) routed(s *FeedForward, w *experts, h, weights, chosen, out *compute.Tensor) {
	done := 0
	apart := func(to int, a model.Adapter) {
		if done < to {
			f.routedRows(s, w, h.Slice(done, to), weights.Slice(done, to), chosen.Slice(done, to), out.Slice(done, to), a)
		}
		done = to
	}
	for _, a := range f.Adapted() {
		if a.Adapter.Reaches(w.gate.name) || a.Adapter.Reaches(w.up.name) || a.Adapter.Reaches(w.down.name) {
			if a.From == 0 && a.To == f.rows { // whole: a tape knows tensors, not views of them
				f.routedRows(s, w, h, weights, chosen, out, a.Adapter)
				return
			}
			apart(a.From, nil)
			apart(a.To, a.Adapter)
		}
	}
	if done == 0 {
		f.routedRows(s, w, h, weights, chosen, out, nil)
	} else {
		apart(f.rows, nil)
	}
}

func (f *forward) routedRows(s *FeedForward, w *experts, h, weights, chosen, out *compute.Tensor, a model.Adapter) {
	n := chosen.Elements()
	starts, rows, positions := f.Arena.Tensor(dtype.I32, s.Experts.Count+1), f.Arena.Tensor(dtype.I32, n), f.Arena.Tensor(dtype.I32, n)
	model.Launch(f.Pass, compute.GroupByExpert{Indices: chosen, Starts: starts, Rows: rows, Positions: positions})
	x := f.gathered(h, rows)
	var gate *compute.Tensor
	if !s.Plain {
		gate = f.grouped(&w.gate, x, starts, a)
	}
	made := f.grouped(&w.down, f.activated(s, gate, f.grouped(&w.up, x, starts, a)), starts, a)
	model.Launch(f.Pass, compute.CombineExperts{X: made, Weights: weights, Positions: positions, Out: out})
}

// grouped is a product of rows sorted by expert, and what their adapter adds, if it is not nil.
func (f *forward) grouped(w *weight, x, starts *compute.Tensor, a model.Adapter) *compute.Tensor {
	if f.Taps.Experts != nil {
		f.Taps.Experts(w.name, x, starts)
	}
	out := f.Tensor(x.Rows(), w.matrix.Shape[1])
	model.Launch(f.Pass, compute.GroupedMatMul{A: x, B: w.matrix, Bias: w.bias, Starts: starts, Out: out, Fast: f.Precision == model.Fast, BF16: f.BF16})
	if a != nil && a.Reaches(w.name) {
		a.ApplyGrouped(f.Pass, w.name, x, starts, out)
	}
	return out
}

// weighed is each row of x times the sigmoid of its logit [rows, 1].
func (f *forward) weighed(x, logits *compute.Tensor) *compute.Tensor {
	weights, out, places := f.Tensor(logits.Shape...), f.Tensor(x.Shape...), f.Arena.Int32s(f.rows)
	model.Launch(f.Pass, compute.Activation{X: logits, Out: weights, Kind: compute.Sigmoid})
	for i := range places {
		places[i] = int32(i)
	}
	model.Launch(f.Pass, compute.CombineExperts{X: x, Weights: weights, Positions: f.Ints(places), Out: out})
	return out
}
