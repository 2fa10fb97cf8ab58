package quant

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"

	"lian/dtype"
	"lian/format/gguf"
	"lian/verify/shared"
)

// TestSameFilesAsLlamaQuantize packs the tiny Llama's float weights by each
// recipe and expects the types and bytes of llama-quantize's file.
func TestSameFilesAsLlamaQuantize(t *testing.T) {
	open := func(name string) *gguf.File {
		f, err := gguf.Open(shared.Path(t, "testdata", "golden", "infer", "gguf", "tiny-llama-"+name+".gguf"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	original := open("f32")
	for _, name := range []string{"f16", "bf16", "q8_0", "q4_0", "q4_k_m"} {
		recipe, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		published := open(name)
		var report Report
		for _, tensor := range original.Names() {
			info, _ := original.Info(tensor)
			values, err := original.Float32s(tensor)
			if err != nil {
				t.Fatal(err)
			}
			packed, typ, err := report.Add(recipe, tensor, info.Shape, info.Type, values, Shape{Layers: 2, Tied: true})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			want, _ := published.Info(tensor)
			data, err := published.Data(tensor)
			if err != nil || typ != want.Type || !bytes.Equal(packed, data) {
				t.Errorf("%s: %s is %v, llama-quantize's is %v; bytes equal: %v, %v", name, tensor, typ, want.Type, bytes.Equal(packed, data), err)
			}
		}
		if report.FellBack != 0 || report.After >= report.Before || report.BitsPerWeight() < 4 || report.BitsPerWeight() > 16.1 {
			t.Errorf("%s: report of %d tensors: %d fell back, %d bytes before, %d after, %.2f bits a weight",
				name, len(report.Tensors), report.FellBack, report.Before, report.After, report.BitsPerWeight())
		}
	}
}

func TestRowsThatAreNotBlocksFallBackWithAReason(t *testing.T) {
	recipe, _ := Parse("Q4_K_M")
	cases := []struct {
		name string
		cols int
		want dtype.Type
		back bool
		why  string
	}{
		{"blk.0.attn_q.weight", 512, dtype.Q4_K, false, "whole blocks"},
		{"blk.0.attn_q.weight", 96, dtype.Q5_0, true, "blocks of 32 only"},
		{"blk.0.attn_q.weight", 100, dtype.F16, true, "no blocks"},
		{"blk.7.attn_v.weight", 512, dtype.Q6_K, false, "last eighth"},
		{"blk.7.attn_v.weight", 96, dtype.Q8_0, true, "last eighth, blocks of 32"},
		{"blk.3.ffn_down.weight", 512, dtype.Q6_K, false, "every third of the rest"},
		{"blk.4.ffn_down.weight", 512, dtype.Q4_K, false, "the others"},
		{"output.weight", 512, dtype.Q6_K, false, "head"},
		{"token_embd.weight", 512, dtype.Q4_K, false, "embedding with a head of its own"},
		{"blk.0.ffn_gate_inp.weight", 512, dtype.F32, false, "router"},
	}
	for _, c := range cases {
		got := recipe.Choose(c.name, []int{4, c.cols}, Shape{Layers: 8})
		if got.Type != c.want || got.FellBack != c.back || c.back && !strings.Contains(got.Reason, "whole blocks") {
			t.Errorf("%s of %d columns (%s): %+v, want %v", c.name, c.cols, c.why, got, c.want)
		}
	}
	if got := recipe.Choose("blk.0.attn_norm.weight", []int{512}, Shape{Layers: 8}); got.Type != dtype.F32 || got.Reason == "" {
		t.Errorf("a vector: %+v", got)
	}
	if _, err := Parse("q9"); err == nil || !strings.Contains(err.Error(), "q4_k_m") {
		t.Errorf("an unknown recipe: %v", err)
	}
}

func TestTensorRefusesBadInput(t *testing.T) {
	bad := make([]float32, 128)
	bad[70] = float32(math.Inf(1))
	cases := []struct {
		why        string
		t          dtype.Type
		rows, cols int
		src        []float32
		says       string
	}{
		{"part of a block", dtype.Q4_0, 2, 48, make([]float32, 96), "whole blocks"},
		{"wrong number of values", dtype.Q4_0, 2, 64, make([]float32, 64), "64 values"},
		{"negative rows", dtype.Q4_0, -1, 32, nil, "negative"},
		{"integers", dtype.I8, 1, 32, make([]float32, 32), "i8"},
		{"no encoder", dtype.IQ1_S, 1, 256, make([]float32, 256), "iq1_s"},
		{"infinite", dtype.Q8_0, 2, 64, bad, "row 1: quantise: value 6 is +Inf"},
	}
	for _, c := range cases {
		if _, err := Tensor(c.t, c.rows, c.cols, c.src); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	if b, err := Tensor(dtype.Q4_K, 0, 256, nil); err != nil || len(b) != 0 {
		t.Errorf("no rows: %d bytes, %v", len(b), err)
	}
}

func TestBytesDoNotDependOnWorkers(t *testing.T) {
	src := make([]float32, 7*256)
	for i := range src {
		src[i] = float32(math.Sin(float64(i * i)))
	}
	for _, typ := range Types {
		var first []byte
		for _, workers := range []int{1, 3, 16} {
			before := runtime.GOMAXPROCS(workers)
			packed, err := Tensor(typ, 7, 256, src)
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = packed
			} else if !bytes.Equal(first, packed) {
				t.Errorf("%v: bytes differ with %d workers", typ, workers)
			}
		}
	}
}

// TestMoreBitsAreNearer: each type in Types with more bits a weight than another
// has the smaller error.
func TestMoreBitsAreNearer(t *testing.T) {
	src := make([]float32, 4*256)
	for i := range src {
		src[i] = float32(math.Sin(float64(i*i))) * float32(1+i%7)
	}
	last := 0.0
	for _, typ := range []dtype.Type{dtype.F32, dtype.F16, dtype.Q8_0, dtype.Q6_K, dtype.Q5_K, dtype.Q4_K, dtype.Q3_K, dtype.Q2_K} {
		packed, err := Tensor(typ, 4, 256, src)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Measure(typ, src, packed)
		if err != nil {
			t.Fatal(err)
		}
		if e.Relative < last || e.Relative > 0.5 || e.Largest < e.RMSE {
			t.Errorf("%v: %+v, the type before has %g", typ, e, last)
		}
		last = e.Relative
	}
}
