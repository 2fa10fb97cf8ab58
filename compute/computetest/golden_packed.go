package computetest

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"lian/compute"
	"lian/dtype"
	"lian/verify/shared"
)

// load is a tensor of a file as it is, of a type that the file calls so.
func (v *vectors) load(t *testing.T, b *Build, name string, kind dtype.Type, shape ...int) *compute.Tensor {
	t.Helper()
	raw, err := v.Data(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(shape) == 0 {
		shape, _ = v.Shape(name)
	}
	return b.Bytes(kind, raw, shape...)
}

// sameWeight multiplies the identity with a weight, both ways: what it means must be the golden values.
func (v *vectors) sameWeight(t *testing.T, b *Build, w compute.PackedWeight, want []float32, tolerance float64) {
	t.Helper()
	for _, transposed := range []bool{false, true} {
		k := w.Inputs
		if transposed {
			k = w.Outputs
		}
		identity := make([]float32, k*k)
		for i := range k {
			identity[i*k+i] = 1
		}
		o := &compute.PackedMatMul{A: b.Set(b.Zero(dtype.F32, k, k), identity), Weight: w, Transposed: transposed}
		_, n, _ := o.Dimensions()
		o.Out = b.Zero(dtype.F32, k, n)
		b.stream.Launch(o)
		got, err := b.Floats(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		for i := range w.Outputs {
			for j := range w.Inputs {
				at := j*n + i
				if transposed {
					at = i*n + j
				}
				g := got[at]
				if x := want[i*w.Inputs+j]; math.Abs(float64(g-x)) > tolerance*math.Abs(float64(x)) {
					t.Fatalf("weight [%d %d] is %v, expected %v", i, j, g, x)
				}
			}
		}
	}
}

// GoldenPacked compares weights of AWQ, GPTQ and bitsandbytes with what those programs make of them.
func GoldenPacked(t *testing.T, backend compute.Backend, open func(path string) (Vectors, error)) {
	file := func(t *testing.T, parts ...string) *vectors {
		t.Helper()
		f, err := open(shared.Path(t, append([]string{"testdata", "golden"}, parts...)...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return &vectors{Vectors: f, t: t}
	}
	product := func(t *testing.T, b *Build, v *vectors, w compute.PackedWeight, y string) {
		t.Helper()
		o := &compute.PackedMatMul{A: v.tensor(t, b, "x"), Weight: w, Out: b.Zero(dtype.F32, 3, w.Outputs)}
		b.stream.Launch(o)
		got, err := b.Floats(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := v.floats(t, y)
		closeTo(t, nil, y, got, want)
	}
	t.Run("awq", func(t *testing.T) {
		v := file(t, "infer", "packed", "awq.safetensors")
		for name, group := range map[string]int{"g32": 32, "g128": 128} {
			b := NewBuild(backend, 1)
			w := compute.PackedWeight{Layout: compute.PackedAWQ, Outputs: 64, Inputs: 128, Group: group,
				Values: v.load(t, b, name+".qweight", dtype.I32), Zeros: v.load(t, b, name+".qzeros", dtype.I32), Scales: v.load(t, b, name+".scales", dtype.F16)}
			want, _ := v.floats(t, name+".dequant")
			v.sameWeight(t, b, w, want, 0)
			product(t, b, v, w, name+".y")
		}
	})
	t.Run("gptq", func(t *testing.T) {
		v := file(t, "infer", "packed", "gptq.safetensors")
		for name, c := range map[string][2]int{"b2g32": {2, 32}, "b3g32": {3, 32}, "b4g32": {4, 32}, "b4g128s": {4, 128}, "b4g32a": {4, 32}, "b8g32": {8, 32}} {
			t.Run(name, func(t *testing.T) {
				for version, zeros := range map[int]string{1: ".qzeros", 2: ".qzeros_v2"} {
					for _, index := range []bool{true, false} {
						if name == "b4g32a" && !index {
							continue // act-order
						}
						b := NewBuild(backend, 1)
						w := compute.PackedWeight{Layout: compute.PackedGPTQ, Outputs: 64, Inputs: 128, Bits: c[0], Group: c[1], ZeroOffset: 2 - version,
							Values: v.load(t, b, name+".qweight", dtype.I32), Zeros: v.load(t, b, name+zeros, dtype.I32), Scales: v.load(t, b, name+".scales", dtype.F16)}
						if index {
							w.GroupIndex = v.load(t, b, name+".g_idx", dtype.I32)
						}
						want, _ := v.floats(t, name+".dequant")
						v.sameWeight(t, b, w, want, 0)
						product(t, b, v, w, name+".y")
					}
				}
			})
		}
	})
	for _, kind := range []string{"nf4", "fp4"} {
		t.Run(kind, func(t *testing.T) {
			goldenCodes(t, backend, file(t, "train", "quant", kind+".safetensors"), file(t, "train", "quant", "codes.safetensors"), kind)
		})
	}
	t.Run("linear4bit", func(t *testing.T) {
		v, b := file(t, "train", "quant", "linear4bit.safetensors"), NewBuild(backend, 1)
		const part = "state_dict/weight"
		state, err := v.Data(part + ".quant_state.bitsandbytes__nf4")
		if err != nil {
			t.Fatal(err)
		}
		var settings struct {
			BlockSize int     `json:"blocksize"`
			Offset    float32 `json:"nested_offset"`
			Shape     [2]int  `json:"shape"`
		}
		if err := json.Unmarshal(state, &settings); err != nil {
			t.Fatal(err)
		}
		w := compute.PackedWeight{Layout: compute.PackedCodes, Outputs: settings.Shape[0], Inputs: settings.Shape[1], Group: settings.BlockSize,
			Values: v.load(t, b, part, dtype.U8), Codes: v.tensor(t, b, part+".quant_map"), Scales: v.load(t, b, part+".absmax", dtype.U8),
			ScaleCodes: v.tensor(t, b, part+".nested_quant_map"), ScaleScales: v.tensor(t, b, part+".nested_absmax"), ScaleOffset: settings.Offset}
		want, _ := v.floats(t, "w_dequant")
		v.sameWeight(t, b, w, want, 1e-6)
		x, bias := v.tensor(t, b, "x"), v.tensor(t, b, "bias")
		o := &compute.PackedMatMul{A: x, Weight: w, Bias: bias, Out: b.Zero(dtype.F32, 5, 40)}
		back := &compute.PackedMatMul{A: v.tensor(t, b, "gout"), Weight: w, Transposed: true, Out: b.Zero(dtype.F32, 5, 128)}
		for name, o := range map[string]*compute.PackedMatMul{"y": o, "grad_x": back} {
			b.stream.Launch(o)
			got, err := b.Floats(o.Out)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := v.floats(t, name)
			closeTo(t, nil, name, got, want)
		}
	})
	t.Run("llm_int8", func(t *testing.T) {
		v, b := file(t, "train", "quant", "llm_int8.safetensors"), NewBuild(backend, 1)
		w := compute.PackedWeight{Layout: compute.PackedRows, Outputs: 24, Inputs: 40, Values: v.load(t, b, "qw", dtype.I8), Scales: v.tensor(t, b, "sw")}
		// the golden product is of rounded activations: q·sa/127
		raw, _ := v.Data("qa")
		scales, _ := v.floats(t, "sa")
		a := make([]float32, 6*40)
		for i := range a {
			a[i] = float32(int8(raw[i])) * (scales[i/40] / 127)
		}
		o := &compute.PackedMatMul{A: b.Set(b.Zero(dtype.F32, 6, 40), a), Weight: w, Out: b.Zero(dtype.F32, 6, 24)}
		b.stream.Launch(o)
		got, err := b.Floats(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := v.floats(t, "y")
		closeTo(t, nil, "y", got, want)
	})
}

// goldenCodes compares NF4 or FP4 weights of every shape, with and without double quantisation.
func goldenCodes(t *testing.T, backend compute.Backend, v, codes *vectors, kind string) {
	var info map[string]struct {
		Nested int     `json:"nested_blocksize"`
		Offset float32 `json:"offset"`
	}
	if err := json.Unmarshal([]byte(v.Metadata()["info"]), &info); err != nil {
		t.Fatal(err)
	}
	if len(info) < 10 {
		t.Fatalf("only %d cases", len(info))
	}
	for name, settings := range info {
		shape, ok := v.Shape(strings.Split(name, "/")[0] + "/in")
		if !ok || len(shape) == 1 {
			shape = []int{1, 16}
		}
		b := NewBuild(backend, 1)
		w := compute.PackedWeight{Layout: compute.PackedCodes, Outputs: shape[0], Inputs: shape[1], Group: 64,
			Values: v.load(t, b, name+"packed", dtype.U8), Codes: codes.tensor(t, b, kind)}
		if strings.Contains(name, "/bs128") {
			w.Group = 128
		}
		if settings.Nested != 0 {
			w.Scales, w.ScaleOffset = v.load(t, b, name+"absmax", dtype.U8), settings.Offset
			w.ScaleCodes, w.ScaleScales = codes.tensor(t, b, "dynamic_signed"), v.tensor(t, b, name+"nested_absmax")
		} else {
			w.Scales = v.tensor(t, b, name+"absmax")
		}
		tolerance := 1e-6
		if strings.Contains(name, ".bf16") { // the golden values are rounded to bfloat16
			tolerance = 1.0 / 256
		}
		want, _ := v.floats(t, name+"dequant")
		t.Run(name, func(t *testing.T) { v.sameWeight(t, b, w, want, tolerance) })
	}
}
