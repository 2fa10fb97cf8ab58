package computetest

import (
	"math"
	"strings"
	"testing"

	"lian/compute"
	"lian/dtype"
)

// loss gives the logits as hidden rows to a head whose weight is the identity.
func (v *vectors) loss(t *testing.T, backend compute.Backend, name string, s map[string]any) {
	b := NewBuild(backend, 1)
	logits := v.tensor(t, b, name+"/in/logits")
	rows, vocab := logits.Shape[0], logits.Shape[1]
	identity := make([]float32, vocab*vocab)
	for i := range vocab {
		identity[i*vocab+i] = 1
	}
	labels, counted := v.ints(t, name+"/in/labels"), 0
	for _, l := range labels {
		if l >= 0 {
			counted++
		}
	}
	scale := 1 / float64(max(counted, 1))
	switch s["red"] {
	case "sum":
		scale = 1
	case "num_items":
		scale = 1 / s["num_items"].(float64)
	}
	o := &compute.LinearCrossEntropy{Hidden: logits, Weight: b.Set(b.Zero(dtype.F32, vocab, vocab), identity), Targets: b.Ints(labels), Loss: b.Zero(dtype.F32, rows),
		LogSumExp: b.Zero(dtype.F32, rows), DHidden: b.Zero(dtype.F32, rows, vocab), Scale: float32(scale)}
	for name, setting := range map[string]*float32{"ls": &o.LabelSmoothing, "z": &o.ZLoss, "softcap": &o.Softcap} {
		if value, ok := s[name].(float64); ok {
			*setting = float32(value)
		}
	}
	b.stream.Launch(o)
	lse, err := b.Floats(o.LogSumExp)
	if err != nil {
		t.Fatal(err)
	}
	wantLSE, _ := v.floats(t, name+"/out/lse")
	closeTo(t, s, "out/lse", lse, wantLSE)
	losses, err := b.Floats(o.Loss)
	if err != nil {
		t.Fatal(err)
	}
	if v.has(name + "/out/token") {
		want, _ := v.floats(t, name+"/out/token")
		closeTo(t, s, "out/token", losses, want)
	}
	total := 0.0
	for _, l := range losses {
		total += float64(l) * scale
	}
	want, _ := v.floats(t, name+"/out/loss")
	closeTo(t, s, "out/loss", []float32{float32(total)}, want)
	gradient, err := b.Floats(o.DHidden)
	if err != nil {
		t.Fatal(err)
	}
	want, _ = v.floats(t, name+"/grad/logits")
	closeTo(t, s, "grad/logits", gradient, want)
}

// kindOf is the activation that a case's name begins with.
func kindOf(t *testing.T, name string) compute.ActivationKind {
	t.Helper()
	kinds := map[string]compute.ActivationKind{"swiglu": compute.SiLU, "geglu_erf": compute.GELU, "geglu_tanh": compute.GELUTanh, "gelu_erf": compute.GELU}
	for kind := range compute.ActivationKinds {
		kinds[kind.String()] = kind
	}
	for prefix := name; prefix != ""; prefix = prefix[:max(strings.LastIndex(prefix, "_"), 0)] {
		if kind, ok := kinds[prefix]; ok {
			return kind
		}
	}
	t.Fatalf("no activation is called %s", name)
	return 0
}

// gated is a gate, or a whole layer with one.
func (v *vectors) gated(t *testing.T, backend compute.Backend, name string, s map[string]any) {
	b := NewBuild(backend, 1)
	if !v.has(name + "/in/x") {
		gate, up := v.tensor(t, b, name+"/in/gate"), v.tensor(t, b, name+"/in/up")
		o := &compute.Gated{Gate: gate, Up: up, Out: b.Zero(dtype.F32, up.Shape...), Kind: kindOf(t, name)}
		v.pass(t, b, name, s, []compute.Op{o}, o.Out, "y", map[string]*compute.Tensor{"gate": gate, "up": up})
		return
	}
	x, wg, wu, wd := v.tensor(t, b, name+"/in/x"), v.tensor(t, b, name+"/in/wg"), v.tensor(t, b, name+"/in/wu"), v.tensor(t, b, name+"/in/wd")
	rows, inner := x.Rows(), wg.Shape[0]
	gate := &compute.MatMul{A: x, B: wg, Out: b.Zero(dtype.F32, rows, inner), TransB: true}
	up := &compute.MatMul{A: x, B: wu, Out: b.Zero(dtype.F32, rows, inner), TransB: true}
	act := &compute.Gated{Gate: gate.Out, Up: up.Out, Out: b.Zero(dtype.F32, rows, inner), Kind: kindOf(t, name)}
	down := &compute.MatMul{A: act.Out, B: wd, Out: b.Zero(dtype.F32, rows, wd.Shape[0]), TransB: true}
	v.pass(t, b, name, s, []compute.Op{gate, up, act, down}, down.Out, "y", map[string]*compute.Tensor{"x": x, "wg": wg, "wu": wu, "wd": wd})
}

// byRows turns [batch, heads, length, head] into [batch·length, heads, head].
func byRows(x []float32, shape []int) []float32 {
	batch, heads, length, head := shape[0], shape[1], shape[2], shape[3]
	out := make([]float32, len(x))
	for i := range batch {
		for h := range heads {
			for r := range length {
				copy(out[((i*length+r)*heads+h)*head:][:head], x[((i*heads+h)*length+r)*head:])
			}
		}
	}
	return out
}

// rowsOf loads [batch, heads, length, head] as rows.
func (v *vectors) rowsOf(t *testing.T, b *Build, name string) (*compute.Tensor, []int) {
	t.Helper()
	x, shape := v.floats(t, name)
	return b.Set(b.Zero(dtype.F32, shape[0]*shape[2], shape[1], shape[3]), byRows(x, shape)), shape
}

func (v *vectors) rope(t *testing.T, backend compute.Backend, name string, s map[string]any) {
	b := NewBuild(backend, 1)
	x, shape := v.rowsOf(t, b, name+"/in/x")
	rotary := int(s["rot_dim"].(float64))
	frequencies := make([]float32, rotary/2)
	for i := range frequencies {
		frequencies[i] = float32(math.Pow(s["theta"].(float64), -2*float64(i)/float64(rotary)))
	}
	positions := v.ints(t, name+"/in/pos")
	for len(positions) < x.Shape[0] {
		positions = append(positions, positions[:shape[2]]...)
	}
	o := &compute.RoPE{X: x, Positions: b.Ints(positions), Frequencies: b.Set(b.Zero(dtype.F32, len(frequencies)), frequencies), Interleaved: s["interleaved"] == true}
	b.stream.Launch(o)
	got, err := b.Floats(x)
	if err != nil {
		t.Fatal(err)
	}
	y, _ := v.floats(t, name+"/out/y")
	closeTo(t, s, "out/y", got, byRows(y, shape))
	back := *o
	back.X, _ = v.rowsOf(t, b, name+"/gout/y")
	back.Inverse = true
	b.stream.Launch(&back)
	if got, err = b.Floats(back.X); err != nil {
		t.Fatal(err)
	}
	y, _ = v.floats(t, name+"/grad/x")
	closeTo(t, s, "grad/x", got, byRows(y, shape))
}

// attention takes every run of one segment as a sequence. Where there are fewer queries than keys, the keys lie in blocks of
// one slot and there is no backward pass.
func (v *vectors) attention(t *testing.T, backend compute.Backend, name string, s map[string]any) {
	b := NewBuild(backend, 1)
	q, qs := v.rowsOf(t, b, name+"/in/q")
	k, ks := v.rowsOf(t, b, name+"/in/k")
	val, _ := v.rowsOf(t, b, name+"/in/v")
	o := &compute.Attention{Q: q, K: k, V: val, Out: b.Zero(dtype.F32, q.Shape...), LogSumExp: b.Zero(dtype.F32, q.Shape[0], q.Shape[1]),
		Scale: float32(s["scale"].(float64)), Causal: s["causal"] == true}
	if w, ok := s["window"].(float64); ok {
		o.Window = int(w)
	}
	if c, ok := s["softcap"].(float64); ok {
		o.Softcap = float32(c)
	}
	if v.has(name + "/in/slopes") {
		o.Slopes = v.tensor(t, b, name+"/in/slopes")
	}
	if v.has(name + "/in/sink") {
		o.Sinks = v.tensor(t, b, name+"/in/sink")
	}
	starts, lengths := []int32{0}, []int32{}
	if v.has(name + "/in/seg") {
		segments := v.ints(t, name+"/in/seg")
		for i := range segments {
			if i+1 == len(segments) || segments[i+1] != segments[i] || (i+1)%qs[2] == 0 {
				starts = append(starts, int32(i+1))
			}
		}
	} else {
		for i := range qs[0] {
			starts = append(starts, int32((i+1)*qs[2]))
		}
	}
	for i := range starts[1:] {
		lengths = append(lengths, starts[i+1]-starts[i])
	}
	if qs[2] != ks[2] {
		o.BlockSize = 1
		table := make([]int32, ks[0]*ks[2])
		for i := range table {
			table[i] = int32(i)
		}
		for i := range lengths {
			lengths[i] = int32(ks[2])
		}
		o.Blocks = b.Ints(table, ks[0], ks[2])
	}
	o.QueryStart, o.KeyLength = b.Ints(starts), b.Ints(lengths)
	b.stream.Launch(o)
	compare := func(x *compute.Tensor, part string) {
		t.Helper()
		got, err := b.Floats(x)
		if err != nil {
			t.Fatal(err)
		}
		want, shape := v.floats(t, name+"/"+part)
		closeTo(t, s, part, got, byRows(want, shape))
	}
	compare(o.Out, "out/o")
	if v.has(name + "/out/lse") {
		got, err := b.Floats(o.LogSumExp)
		if err != nil {
			t.Fatal(err)
		}
		want, shape := v.floats(t, name+"/out/lse") // [batch, heads, length]
		closeTo(t, s, "out/lse", got, byRows(want, append(shape, 1)))
	}
	if o.Blocks != nil {
		return
	}
	d, _ := v.rowsOf(t, b, name+"/gout/o")
	back := &compute.AttentionBackward{Forward: *o, DOut: d, DQ: b.Zero(dtype.F32, q.Shape...), DK: b.Zero(dtype.F32, k.Shape...), DV: b.Zero(dtype.F32, val.Shape...)}
	if o.Sinks != nil {
		back.DSinks = b.Zero(dtype.F32, o.Sinks.Shape...)
	}
	b.stream.Launch(back)
	compare(back.DQ, "grad/q")
	compare(back.DK, "grad/k")
	compare(back.DV, "grad/v")
	if o.Sinks != nil {
		got, err := b.Floats(back.DSinks)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := v.floats(t, name+"/grad/sink")
		closeTo(t, s, "grad/sink", got, want)
	}
}
