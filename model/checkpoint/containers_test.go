package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/dtype"
	"lian/format"
	"lian/format/safetensors"
	"lian/format/torch/torchtest"
	"lian/model"
	"lian/verify/shared"
)

// logitsOf are the logits of a few ids by the model at a path.
func logitsOf(t *testing.T, path string) []float32 {
	t.Helper()
	b := cpu.New(1)
	c, err := Open(path, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	batch := &model.Batch{}
	batch.Add([]int32{1, 5, 9, 2, 31, 7, 7, 3}, 0, nil)
	return (&tiny{Checkpoint: c, backend: b}).run(t, nil, batch)
}

// TestOneModelInSeveralContainersGivesOneResult: stories260K as PyTorch saved it, as
// llama2.c exported it and as GGUF hold the same weights, in different orders.
func TestOneModelInSeveralContainersGivesOneResult(t *testing.T) {
	dir := shared.Path(t, "testdata", "models", "stories260k")
	want := logitsOf(t, filepath.Join(dir, "tinyllamas-stories-260k-f32.gguf"))
	for _, name := range []string{"stories260K.pt", "stories260K.bin"} {
		if got := logitsOf(t, filepath.Join(dir, name)); !slices.Equal(got, want) {
			t.Errorf("%s has other logits than the GGUF: off by %g of the largest", name, farthest(got, want))
		}
	}
}

// TestTheHubsOldWeightsAreItsNew rewrites a folder of the hub with pytorch_model.bin,
// whole and in shards.
func TestTheHubsOldWeightsAreItsNew(t *testing.T) {
	from := shared.Path(t, "testdata", "golden", "infer", "hf", "internlm2")
	want := logitsOf(t, from)
	config, err := os.ReadFile(filepath.Join(from, configFile))
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, filepath.Join(from, safetensors.SingleFile))
	parts := [2]map[string]any{{}, {}}
	index := []string{}
	for i, name := range f.Names() {
		info, _ := f.Info(name)
		data, err := f.Data(name)
		if err != nil {
			t.Fatal(err)
		}
		parts[i%2][name] = format.Tensor{Type: info.Type, Shape: info.Shape, Data: data}
		index = append(index, fmt.Sprintf("%q:\"part-%d.bin\"", name, i%2))
	}
	whole, shards := t.TempDir(), t.TempDir()
	for _, dir := range []string{whole, shards} {
		if err := os.WriteFile(filepath.Join(dir, configFile), config, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, part := range parts {
		torchtest.Write(t, fmt.Sprintf("%s/part-%d.bin", shards, i), part)
	}
	if err := os.WriteFile(shards+"/pytorch_model.bin.index.json", []byte(`{"weight_map":{`+strings.Join(index, ",")+"}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, x := range parts[1] {
		parts[0][name] = x
	}
	torchtest.Write(t, whole+"/pytorch_model.bin", parts[0])
	for _, path := range []string{whole, whole + "/pytorch_model.bin", shards, shards + "/pytorch_model.bin.index.json"} {
		if got := logitsOf(t, path); !slices.Equal(got, want) {
			t.Errorf("%s has other logits than the safetensors: off by %g of the largest", filepath.Base(path), farthest(got, want))
		}
	}
}

// TestInt8WeightsOfLlama2CAreNearTheFloats quantises stories260K as llama2.c does.
func TestInt8WeightsOfLlama2CAreNearTheFloats(t *testing.T) {
	dir := shared.Path(t, "testdata", "models", "stories260k")
	raw, err := os.ReadFile(filepath.Join(dir, "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	const dim, hidden, layers, kv, vocab, context, group = 64, 172, 5, 32, 512, 512, 4
	le := binary.LittleEndian
	at := 28
	take := func(n int) []float32 {
		out := make([]float32, n)
		if err := dtype.Dequantize(dtype.F32, raw[at:at+4*n], out); err != nil {
			t.Fatal(err)
		}
		at += 4 * n
		return out
	}
	embedding, attentionNorm := take(vocab*dim), take(layers*dim)
	matrices := [][]float32{embedding, take(layers * dim * dim), take(layers * dim * kv), take(layers * dim * kv), take(layers * dim * dim)}
	ffnNorm := take(layers * dim)
	matrices = append(matrices, take(layers*dim*hidden), take(layers*dim*hidden), take(layers*dim*hidden))
	norm := take(dim)
	out := le.AppendUint32(le.AppendUint32(nil, 0x616b3432), 2)
	for _, n := range []uint32{dim, hidden, layers, 8, 4, vocab, context} {
		out = le.AppendUint32(out, n)
	}
	out = le.AppendUint32(append(out, 1), group)
	out = append(out, make([]byte, 256-len(out))...)
	for _, v := range slices.Concat(attentionNorm, ffnNorm, norm) {
		out = le.AppendUint32(out, math.Float32bits(v))
	}
	for i, m := range matrices {
		count := layers
		if i == 0 {
			count = 1
		}
		for layer := range count {
			values := m[layer*len(m)/count : (layer+1)*len(m)/count]
			var scales []float32
			for g := 0; g < len(values); g += group {
				most := float32(0)
				for _, v := range values[g : g+group] {
					most = max(most, float32(math.Abs(float64(v))))
				}
				scales = append(scales, most/127)
				for _, v := range values[g : g+group] {
					out = append(out, byte(int8(math.RoundToEven(float64(v/(most/127))))))
				}
			}
			for _, s := range scales {
				out = le.AppendUint32(out, math.Float32bits(s))
			}
		}
	}
	path := filepath.Join(t.TempDir(), "stories260K_q80.bin")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	if off := farthest(logitsOf(t, path), logitsOf(t, filepath.Join(dir, "stories260K.bin"))); off > 0.02 {
		t.Errorf("logits are off by %.3g of the largest", off)
	}
}

func TestWhatIsNoModelIsRefusedByWhatItIs(t *testing.T) {
	models := shared.Path(t, "testdata", "models")
	for path, says := range map[string]string{
		models + "/peft-lora-gpt2": "an adapter, not a model", models + "/stories260k/tok512.bin": "llama2.c tokenizer, not a model", models + "/digit-llama-hf/config.json": "config.json, not a model",
		models + "/silero-vad/silero_vad_16k.safetensors": "config.json", models + "/none": "no such file", t.TempDir(): "without weights",
	} {
		if c, err := Open(path, cpu.New(1), Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v, want %q", path, c, err, says)
		}
	}
}
