package computetest

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/autograd"
	"lian/dtype"
	"lian/verify/shared"
)

// Vectors is a file of named tensors; format/safetensors reads the ones we have, but compute knows no formats.
type Vectors interface {
	Shape(name string) (shape []int, ok bool)
	Floats(name string) ([]float32, error)
	Data(name string) ([]byte, error)
	Metadata() map[string]string
	Close() error
}

// vectors is one file of golden vectors: tensors named case/part/name, and what each case is in the metadata.
type vectors struct {
	Vectors
	t     *testing.T
	cases map[string]map[string]any
}

func openVectors(t *testing.T, open func(path string) (Vectors, error), name string) *vectors {
	t.Helper()
	f, err := open(shared.Path(t, "testdata", "golden", "train", "ops", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	v := &vectors{Vectors: f, t: t}
	if err := json.Unmarshal([]byte(f.Metadata()["cases"]), &v.cases); err != nil {
		t.Fatalf("%s: metadata cases: %v", name, err)
	}
	return v
}

// each runs the cases that this backend's operations cover.
func (v *vectors) each(covered func(settings map[string]any) bool, f func(t *testing.T, name string, settings map[string]any)) {
	for name, settings := range v.cases {
		if settings["dtype"] == nil && covered(settings) {
			v.t.Run(name, func(t *testing.T) { f(t, name, settings) })
		}
	}
}

func (v *vectors) has(name string) bool { _, ok := v.Shape(name); return ok }

func (v *vectors) floats(t *testing.T, name string) ([]float32, []int) {
	t.Helper()
	x, err := v.Floats(name)
	if err != nil {
		t.Fatal(err)
	}
	shape, _ := v.Shape(name)
	return x, shape
}

func (v *vectors) ints(t *testing.T, name string) []int32 {
	t.Helper()
	raw, err := v.Data(name)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int32, len(raw)/8)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return out
}

// tensor loads a float32 tensor.
func (v *vectors) tensor(t *testing.T, b *Build, name string) *compute.Tensor {
	t.Helper()
	x, shape := v.floats(t, name)
	return b.Set(b.Zero(dtype.F32, shape...), x)
}

// closeTo compares a result with a golden tensor: max(1e-5, 6 × what float32 PyTorch reaches). Twice the manifest's factor:
// where a gradient cancels (a norm of one element, scores in the hundreds) what is left is rounding, and ours differs.
func closeTo(t *testing.T, settings map[string]any, part string, got, want []float32) {
	t.Helper()
	tolerance := 1e-5
	if rel, ok := settings["f32_rel"].(map[string]any); ok {
		if r, ok := rel[part].(float64); ok {
			tolerance = max(tolerance, 6*r)
		}
	}
	floor := 1e-6
	if len(want) > 0 && slices.Max(want) == 0 && slices.Min(want) == 0 {
		floor = 1 // nothing to be relative to: operands are of this size
	}
	g, w := make([]float64, len(want)), make([]float64, len(want))
	if len(got) != len(want) {
		t.Fatalf("%s has %d values, expected %d", part, len(got), len(want))
	}
	for i := range want {
		g[i], w[i] = float64(got[i]), float64(want[i])
	}
	if worst, at := differ(g, w, floor); worst > tolerance {
		t.Errorf("%s: value %d is %v, expected %v: relative difference %.3g, allowed %.3g", part, at, g[at], w[at], worst, tolerance)
	}
}

// pass runs operations on a tape, carries the golden gradient back and compares output and gradients.
func (v *vectors) pass(t *testing.T, b *Build, name string, settings map[string]any, ops []compute.Op, out *compute.Tensor, part string, inputs map[string]*compute.Tensor) {
	t.Helper()
	var leaves []*compute.Tensor
	for _, x := range inputs {
		leaves = append(leaves, x)
	}
	gradients := autograd.NewGradients(b.Backend, leaves)
	tape := autograd.NewTape(b.stream, compute.NewArena(b.Backend, 1<<16), gradients)
	for _, op := range ops {
		tape.Launch(op)
	}
	got, err := b.Floats(out)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := v.floats(t, name+"/out/"+part)
	closeTo(t, settings, "out/"+part, got, want)
	if !v.has(name + "/gout/" + part) {
		return
	}
	tape.Seed(out, v.tensor(t, b, name+"/gout/"+part).View(out.Shape...))
	if err := tape.Backward(); err != nil {
		t.Fatal(err)
	}
	for x, tensor := range inputs {
		if !v.has(name + "/grad/" + x) {
			continue
		}
		got, err := b.Floats(gradients.Of(tensor))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := v.floats(t, name+"/grad/"+x)
		closeTo(t, settings, "grad/"+x, got, want)
	}
}

func without(keys ...string) func(map[string]any) bool {
	return func(s map[string]any) bool {
		for _, k := range keys {
			if v, ok := s[k]; ok && v != false {
				return false
			}
		}
		return true
	}
}

// Golden compares a backend with vectors that PyTorch's float64 formulas made, forward and backward.
func Golden(t *testing.T, backend compute.Backend, open func(path string) (Vectors, error)) {
	t.Run("linear", func(t *testing.T) {
		v := openVectors(t, open, "linear")
		v.each(without(), func(t *testing.T, name string, s map[string]any) {
			b := NewBuild(backend, 1)
			x, w := v.tensor(t, b, name+"/in/x"), v.tensor(t, b, name+"/in/w")
			inputs := map[string]*compute.Tensor{"x": x, "w": w}
			o := &compute.MatMul{A: x, B: w, Out: b.Zero(dtype.F32, x.Rows(), w.Shape[0]), TransB: true}
			if v.has(name + "/in/b") {
				o.Bias = v.tensor(t, b, name+"/in/b")
				inputs["b"] = o.Bias
			}
			v.pass(t, b, name, s, []compute.Op{o}, o.Out, "y", inputs)
		})
	})
	t.Run("rmsnorm", func(t *testing.T) {
		v := openVectors(t, open, "rmsnorm")
		v.each(without(), func(t *testing.T, name string, s map[string]any) {
			b := NewBuild(backend, 1)
			x, w := v.tensor(t, b, name+"/in/x"), v.tensor(t, b, name+"/in/w")
			o := &compute.RMSNorm{X: x, Weight: w, Out: b.Zero(dtype.F32, x.Shape...), Epsilon: float32(s["eps"].(float64))}
			if s["plus_one"] == true {
				o.Offset = 1
			}
			v.pass(t, b, name, s, []compute.Op{o}, o.Out, "y", map[string]*compute.Tensor{"x": x, "w": w})
		})
	})
	t.Run("softmax", func(t *testing.T) {
		v := openVectors(t, open, "softmax")
		v.each(without(), func(t *testing.T, name string, s map[string]any) {
			b := NewBuild(backend, 1)
			x := v.tensor(t, b, name+"/in/x")
			o := &compute.Softmax{X: x, Out: b.Zero(dtype.F32, x.Shape...), Log: strings.HasPrefix(name, "log_")}
			v.pass(t, b, name, s, []compute.Op{o}, o.Out, "y", map[string]*compute.Tensor{"x": x})
		})
	})
	t.Run("moe", func(t *testing.T) {
		v := openVectors(t, open, "moe")
		v.each(without(), func(t *testing.T, name string, s map[string]any) { v.experts(t, backend, name, s) })
	})
	t.Run("layernorm", func(t *testing.T) {
		v := openVectors(t, open, "layernorm")
		v.each(without(), func(t *testing.T, name string, s map[string]any) {
			b := NewBuild(backend, 1)
			x := v.tensor(t, b, name+"/in/x")
			inputs := map[string]*compute.Tensor{"x": x}
			o := &compute.LayerNorm{X: x, Out: b.Zero(dtype.F32, x.Shape...), Epsilon: float32(s["eps"].(float64))}
			if v.has(name + "/in/w") {
				o.Weight = v.tensor(t, b, name+"/in/w")
				inputs["w"] = o.Weight
			}
			if v.has(name + "/in/b") {
				o.Bias = v.tensor(t, b, name+"/in/b")
				inputs["b"] = o.Bias
			}
			v.pass(t, b, name, s, []compute.Op{o}, o.Out, "y", inputs)
		})
	})
	t.Run("activation", func(t *testing.T) {
		v := openVectors(t, open, "activation")
		v.each(without(), func(t *testing.T, name string, s map[string]any) {
			b := NewBuild(backend, 1)
			x := v.tensor(t, b, name+"/in/x")
			o := &compute.Activation{X: x, Out: b.Zero(dtype.F32, x.Shape...), Kind: kindOf(t, name)}
			v.pass(t, b, name, s, []compute.Op{o}, o.Out, "y", map[string]*compute.Tensor{"x": x})
		})
	})
	t.Run("glu", func(t *testing.T) {
		v := openVectors(t, open, "glu")
		v.each(without(), func(t *testing.T, name string, s map[string]any) { v.gated(t, backend, name, s) })
	})
	t.Run("embedding", func(t *testing.T) {
		v := openVectors(t, open, "embedding")
		v.each(without(), func(t *testing.T, name string, s map[string]any) {
			b := NewBuild(backend, 1)
			w, ids := v.tensor(t, b, name+"/in/w"), v.ints(t, name+"/in/ids")
			o := &compute.Gather{Table: w, Index: b.Ints(ids), Out: b.Zero(dtype.F32, len(ids), w.Columns())}
			v.pass(t, b, name, s, []compute.Op{o}, o.Out, "y", map[string]*compute.Tensor{"w": w})
		})
	})
	t.Run("cross_entropy", func(t *testing.T) {
		v := openVectors(t, open, "cross_entropy")
		v.each(without(), func(t *testing.T, name string, s map[string]any) { v.loss(t, backend, name, s) })
	})
	t.Run("rope", func(t *testing.T) {
		v := openVectors(t, open, "rope")
		v.each(without(), func(t *testing.T, name string, s map[string]any) { v.rope(t, backend, name, s) })
	})
	t.Run("attention", func(t *testing.T) {
		v := openVectors(t, open, "attention")
		v.each(without(), func(t *testing.T, name string, s map[string]any) {
			if v.has(name + "/in/key_mask") {
				t.Skip("padding is not in this operation: sequences are ragged")
			}
			v.attention(t, backend, name, s)
		})
	})
}
