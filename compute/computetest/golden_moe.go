package computetest

import (
	"slices"
	"testing"

	"lian/compute"
	"lian/compute/autograd"
	"lian/dtype"
)

// experts is a whole layer of experts with its router, or the router alone.
func (v *vectors) experts(t *testing.T, backend compute.Backend, name string, s map[string]any) {
	b := NewBuild(backend, 1)
	x, wr := v.tensor(t, b, name+"/in/x"), v.tensor(t, b, name+"/in/wr")
	rows, experts, k, hidden := x.Rows(), wr.Rows(), int(s["top_k"].(float64)), x.Columns()
	router := &compute.MatMul{A: x, B: wr, Out: b.Zero(dtype.F32, rows, experts), TransB: true}
	route := &compute.Route{Logits: router.Out, Weights: b.Zero(dtype.F32, rows, k), Indices: b.Zero(dtype.I32, rows, k)}
	route.Renormalise = s["renorm"] == true
	leaves := map[string]*compute.Tensor{"x": x, "wr": wr}
	ops := []compute.Op{router, route}
	seeds := map[string]*compute.Tensor{}
	if v.has(name + "/in/bias") {
		route.Bias = v.tensor(t, b, name+"/in/bias")
		route.RouteRule = compute.RouteRule{Sigmoid: true, Renormalise: true, Groups: int(s["n_group"].(float64)), TopGroups: int(s["topk_group"].(float64)), GroupBest: 2, Scale: float32(s["scaling"].(float64))}
	} else {
		// The vectors hold [gate; up] of each expert; ours are apart.
		gateUp, shape := v.floats(t, name+"/in/gate_up")
		inner := shape[1] / 2
		gateW, upW := b.Zero(dtype.F32, experts, inner, hidden), b.Zero(dtype.F32, experts, inner, hidden)
		leaves["gate"], leaves["up"], leaves["down"] = b.Set(gateW, half(gateUp, experts, 0)), b.Set(upW, half(gateUp, experts, 1)), v.tensor(t, b, name+"/in/down")
		group := &compute.GroupByExpert{Indices: route.Indices, Starts: b.Zero(dtype.I32, experts+1), Rows: b.Zero(dtype.I32, rows*k), Positions: b.Zero(dtype.I32, rows*k)}
		spread := &compute.Gather{Table: x, Index: group.Rows, Out: b.Zero(dtype.F32, rows*k, hidden)}
		gate := &compute.GroupedMatMul{A: spread.Out, B: gateW, Starts: group.Starts, Out: b.Zero(dtype.F32, rows*k, inner)}
		up := &compute.GroupedMatMul{A: spread.Out, B: upW, Starts: group.Starts, Out: b.Zero(dtype.F32, rows*k, inner)}
		act := &compute.Gated{Gate: gate.Out, Up: up.Out, Out: b.Zero(dtype.F32, rows*k, inner), Kind: compute.SiLU}
		down := &compute.GroupedMatMul{A: act.Out, B: leaves["down"], Starts: group.Starts, Out: b.Zero(dtype.F32, rows*k, hidden)}
		combine := &compute.CombineExperts{X: down.Out, Weights: route.Weights, Positions: group.Positions, Out: b.Zero(dtype.F32, rows, hidden)}
		losses := &compute.RouterLosses{Logits: router.Out, Indices: route.Indices, Balance: b.Zero(dtype.F32, 1), Z: b.Zero(dtype.F32, 1)}
		ops = append(ops, group, spread, gate, up, act, down, combine, losses)
		seeds["y"], seeds["aux"], seeds["z"] = combine.Out, losses.Balance, losses.Z
	}
	var wanted []*compute.Tensor
	for _, leaf := range leaves {
		wanted = append(wanted, leaf)
	}
	gradients := autograd.NewGradients(b.Backend, wanted)
	tape := autograd.NewTape(b.stream, compute.NewArena(b.Backend, 1<<16), gradients)
	for _, op := range ops {
		tape.Launch(op)
	}
	floats := func(x *compute.Tensor) []float32 {
		t.Helper()
		got, err := b.Floats(x)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	v.choices(t, b, name, s, route, floats(route.Weights))
	for part, out := range seeds {
		want, _ := v.floats(t, name+"/out/"+part)
		closeTo(t, s, "out/"+part, floats(out), want)
		tape.Seed(out, v.tensor(t, b, name+"/gout/"+part).View(out.Shape...))
	}
	if v.has(name + "/gout/weight") {
		tape.Seed(route.Weights, b.Set(b.Zero(dtype.F32, rows, k), v.inOrder(t, b, name, route)))
	}
	if err := tape.Backward(); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"x", "wr", "down"} {
		if v.has(name + "/grad/" + part) {
			want, _ := v.floats(t, name+"/grad/"+part)
			closeTo(t, s, "grad/"+part, floats(gradients.Of(leaves[part])), want)
		}
	}
	if v.has(name + "/grad/gate_up") {
		want, _ := v.floats(t, name+"/grad/gate_up")
		for i, part := range []string{"gate", "up"} {
			closeTo(t, s, "grad/gate_up", floats(gradients.Of(leaves[part])), half(want, experts, i))
		}
	}
}

// half is the first or second half of the rows of each expert.
func half(x []float32, experts, which int) []float32 {
	size := len(x) / experts / 2
	var out []float32
	for e := range experts {
		out = append(out, x[(2*e+which)*size:][:size]...)
	}
	return out
}

// choices compares which experts were chosen and their weights; one file has them by ascending index, not by score.
func (v *vectors) choices(t *testing.T, b *Build, name string, s map[string]any, route *compute.Route, weights []float32) {
	t.Helper()
	chosen, err := b.values(route.Indices)
	if err != nil {
		t.Fatal(err)
	}
	want := v.ints(t, name+"/out/index")
	wantWeights, _ := v.floats(t, name+"/out/weight")
	k := route.Weights.Columns()
	ours := make([]float32, len(weights))
	for i := range weights {
		row := i / k * k
		at := slices.IndexFunc(chosen[row:row+k], func(e float64) bool { return int32(e) == want[i] })
		if at < 0 {
			t.Fatalf("row %d has the experts %v, expected %v", i/k, chosen[row:row+k], want[row:row+k])
		}
		ours[i] = weights[row+at]
	}
	closeTo(t, s, "out/weight", ours, wantWeights)
}

// inOrder is the gradient of the weights in our order of choices.
func (v *vectors) inOrder(t *testing.T, b *Build, name string, route *compute.Route) []float32 {
	t.Helper()
	chosen, err := b.values(route.Indices)
	if err != nil {
		t.Fatal(err)
	}
	theirs := v.ints(t, name+"/out/index")
	d, _ := v.floats(t, name+"/gout/weight")
	k := route.Weights.Columns()
	out := make([]float32, len(d))
	for i, e := range chosen {
		row := i / k * k
		out[i] = d[row+slices.Index(theirs[row:row+k], int32(e))]
	}
	return out
}
