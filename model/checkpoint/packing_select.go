package checkpoint

import (
	"slices"

	"lian/compute"
	"lian/model"
)

// selectOutputs is a quantised weight of some of another's outputs, in tensors of its own; nil where groups of scales or words
// straddle the borders. All of them are the weight itself.
func selectOutputs(l *binder, w *compute.PackedWeight, r model.Rows) *compute.PackedWeight {
	if r.All() {
		return w
	}
	var runs [][2]int
	r.Each(1, func(at int) { runs = append(runs, [2]int{at, at + r.Count}) })
	out := *w
	out.Outputs = r.Count * r.Times
	ok := true
	// take picks runs of columns or rows of a part: unit bytes, or a fraction of a byte, belong to one output.
	take := func(t *compute.Tensor, rows, numerator, denominator int, shape ...int) *compute.Tensor {
		if t == nil || !ok {
			return nil
		}
		raw := make([]byte, t.Bytes())
		if l.stream.Read(t, raw) != nil {
			ok = false
			return nil
		}
		line := len(raw) / max(rows, 1)
		var picked []byte
		for row := range rows {
			for _, run := range runs {
				from, to := run[0]*numerator, run[1]*numerator
				if from%denominator != 0 || to%denominator != 0 {
					ok = false
					return nil
				}
				picked = append(picked, raw[row*line+from/denominator:row*line+to/denominator]...)
			}
		}
		made := compute.NewTensor(l.backend, t.Type, shape...)
		l.stream.Write(made, picked)
		made.Constant = true
		return made
	}
	n, k := out.Outputs, out.Inputs
	aligned := func(unit int) bool {
		return !slices.ContainsFunc(runs, func(run [2]int) bool { return run[0]%unit != 0 || run[1]%unit != 0 })
	}
	switch w.Layout {
	case compute.PackedAWQ:
		if !aligned(8) {
			return nil
		}
		groups := w.Groups()
		out.Values, out.Zeros = take(w.Values, k, 1, 2, k, n/8), take(w.Zeros, groups, 1, 2, groups, n/8)
		out.Scales = take(w.Scales, groups, w.Scales.Type.Bytes(1), 1, groups, n)
	case compute.PackedGPTQ:
		if !aligned(32) {
			return nil
		}
		groups := w.Groups()
		out.Values, out.Zeros = take(w.Values, k*w.Bits/32, 4, 1, k*w.Bits/32, n), take(w.Zeros, groups, w.Bits, 8, groups, n*w.Bits/32)
		out.Scales = take(w.Scales, groups, w.Scales.Type.Bytes(1), 1, groups, n)
	case compute.PackedRows:
		out.Values, out.Scales = take(w.Values, 1, k, 1, n, k), take(w.Scales, 1, 4, 1, n)
	case compute.PackedGrid:
		if w.GroupOutputs != 1 {
			return nil
		}
		groups := w.Groups()
		out.Values, out.Scales, out.Zeros = take(w.Values, 1, k*w.Bits, 8, n, k*w.Bits/8), take(w.Scales, 1, 4*groups, 1, n, groups), take(w.Zeros, 1, 4*groups, 1, n, groups)
	default:
		return nil
	}
	if !ok {
		return nil
	}
	return &out
}
