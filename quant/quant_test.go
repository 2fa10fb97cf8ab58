package quant

import (
	"bytes"
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"testing"

	"lian/dtype"
	"lian/format"
	"lian/format/gguf"
	"lian/verify/shared"
)

// raw are float32 values as bytes.
func raw(values []float32) []byte {
	out := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(v))
	}
	return out
}

// TestSameFilesAsLlamaQuantize packs the tiny Llama's float weights by each mix and expects the types and bytes of
// llama-quantize's file.
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
	var infos []format.Info
	for _, name := range original.Names() {
		info, _ := original.Info(name)
		infos = append(infos, info)
	}
	for _, name := range []string{"f16", "bf16", "q8_0", "q4_0", "q4_k_m"} {
		mix, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		published := open(name)
		for _, c := range mix.Plan(infos, Model{Architecture: "llama", Layers: 2, Heads: 4, KeyHeads: 2}, Settings{}) {
			data, err := original.Data(c.Name)
			if err != nil {
				t.Fatal(err)
			}
			packed, err := Pack(c.To, c.From, c.Shape, data, nil)
			want, _ := published.Info(c.Name)
			theirs, bad := published.Data(c.Name)
			if err != nil || bad != nil || c.To != want.Type || !bytes.Equal(packed, theirs) {
				t.Errorf("%s: %s is %v, llama-quantize's is %v; bytes equal: %v, %v", name, c.Name, c.To, want.Type, bytes.Equal(packed, theirs), err)
			}
		}
	}
}

func TestPackRefusesBadInput(t *testing.T) {
	bad := make([]float32, 128)
	bad[70] = float32(math.Inf(1))
	cases := []struct {
		why        string
		to         dtype.Type
		shape      []int
		src        []float32
		importance []float32
		says       string
	}{
		{"part of a block", dtype.Q4_0, []int{2, 48}, make([]float32, 96), nil, "whole blocks"},
		{"wrong number of values", dtype.Q4_0, []int{2, 64}, make([]float32, 64), nil, "256 bytes"},
		{"negative rows", dtype.Q4_0, []int{-1, 32}, nil, nil, "negative"},
		{"no encoder", dtype.IQ1_S, []int{1, 256}, make([]float32, 256), nil, "iq1_s"},
		{"infinite", dtype.Q8_0, []int{2, 64}, bad, nil, "row 1: quantise: value 6 is +Inf"},
		{"importance of another shape", dtype.Q4_0, []int{2, 2, 32}, make([]float32, 128), make([]float32, 32), "expected 64"},
	}
	for _, c := range cases {
		if _, err := Pack(c.to, dtype.F32, c.shape, raw(c.src), c.importance); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	if b, err := Pack(dtype.Q4_K, dtype.F32, []int{0, 256}, nil, nil); err != nil || len(b) != 0 {
		t.Errorf("no rows: %d bytes, %v", len(b), err)
	}
}

func TestBytesDoNotDependOnWorkers(t *testing.T) {
	src, importance := make([]float32, 2*40*512), make([]float32, 2*512)
	for i := range src {
		src[i] = float32(math.Sin(float64(i * i)))
	}
	for i := range importance {
		importance[i] = 1 + float32(math.Cos(float64(i)))
	}
	for _, typ := range PackedTypes() {
		var first []byte
		for _, workers := range []int{1, 3, 16} {
			before := runtime.GOMAXPROCS(workers)
			packed, err := Pack(typ, dtype.F32, []int{2, 40, 512}, raw(src), importance)
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(typ, err)
			}
			if first == nil {
				first = packed
			} else if !bytes.Equal(first, packed) {
				t.Errorf("%v: bytes differ with %d workers", typ, workers)
			}
		}
	}
}

// TestEachExpertIsRoundedByItsOwnImportance: a stack is what its matrices are one by one.
func TestEachExpertIsRoundedByItsOwnImportance(t *testing.T) {
	src, importance := make([]float32, 3*4*256), make([]float32, 3*256)
	for i := range src {
		src[i] = float32(math.Sin(float64(i * i)))
	}
	for i := range importance {
		importance[i] = float32(i%7*(i/256)) + 0.1
	}
	stack, err := Pack(dtype.Q4_K, dtype.F32, []int{3, 4, 256}, raw(src), importance)
	if err != nil {
		t.Fatal(err)
	}
	for e := range 3 {
		one, err := Pack(dtype.Q4_K, dtype.F32, []int{4, 256}, raw(src[e*1024:(e+1)*1024]), importance[e*256:(e+1)*256])
		if err != nil || !bytes.Equal(one, stack[e*len(one):(e+1)*len(one)]) {
			t.Errorf("expert %d differs, %v", e, err)
		}
	}
}
