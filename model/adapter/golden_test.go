package adapter_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/compute/ref"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
	"lian/model/adapter"
	"lian/model/checkpoint"
	"lian/verify/shared"
)

// TestPEFTAdaptersComputeWhatPEFTComputes loads the adapters of golden/train/peft that are LoRA and compares the logits, applied over
// the base and merged into it, with PEFT's.
func TestPEFTAdaptersComputeWhatPEFTComputes(t *testing.T) {
	root := shared.Path(t, "testdata", "golden", "train", "peft")
	batch := tensors(t, filepath.Join(root, "batch.safetensors"))
	for _, name := range []string{"lora", "lora_all_linear", "lora_bias_all_save_head", "lora_bias_lora_only", "lora_dora", "lora_embedding_head", "lora_gaussian_dropout",
		"lora_layers_0_2", "lora_lora_bias", "lora_patterns", "lora_plus", "lora_rs", "lora_trainable_tokens"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, name)
			golden := tensors(t, filepath.Join(dir, "golden.safetensors"))
			for _, merged := range []bool{false, true} {
				if merged && name == "lora_lora_bias" {
					continue // the base has no bias to merge into
				}
				b := cpu.New(1)
				c := openBase(t, dir, b)
				l, err := adapter.Load(dir, b, c.Model, c.Bindings)
				if err != nil {
					t.Fatal(err)
				}
				s := b.NewStream()
				var a model.Adapter = l
				key := "logits"
				if merged {
					if err := l.Merge(s, c.Model); err != nil {
						t.Fatal(err)
					}
					if a = nil; golden.has("merged_logits") {
						key = "merged_logits"
					}
				} else if err := l.Prepare(s, c.Model); err != nil {
					t.Fatal(err)
				}
				got, want := logits(t, b, c, a, batch.ids(t)), golden.floats(t, key)
				if d := apart(got, want); !(d <= 1e-5) {
					t.Errorf("merged %v: logits are off by %.2g of the largest, allowed 1e-5", merged, d)
				}
			}
		})
	}
}

// TestAdaptersOfAnotherStartAreRefused: PiSSA and OLoRA belong to a base that was changed when training began.
func TestAdaptersOfAnotherStartAreRefused(t *testing.T) {
	root := shared.Path(t, "testdata", "golden", "train", "peft")
	for name, want := range map[string]string{"lora_pissa": "init_lora_weights", "lora_olora": "init_lora_weights", "vera": "VERA", "ia3": "IA3"} {
		b := ref.New()
		c := openBase(t, filepath.Join(root, name), b)
		if _, err := adapter.Load(filepath.Join(root, name), b, c.Model, c.Bindings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected an error that names %s", name, err, want)
		}
	}
}

// TestAnAdapterSurvivesEveryFormat: over fused products too, what is saved for PEFT and for llama.cpp is the same adapter.
func TestAnAdapterSurvivesEveryFormat(t *testing.T) {
	for _, name := range []string{"internlm2", "llama", "gpt2", "phi3", "gpt_neox", "qwen2"} {
		t.Run(name, func(t *testing.T) {
			dir := shared.Path(t, "testdata", "golden", "infer", "hf", name)
			b := cpu.New(1)
			c, err := checkpoint.Open(dir, b, checkpoint.Options{Float32: true})
			if err != nil {
				t.Fatal(err)
			}
			l, err := adapter.New(b, c.Model, c.Bindings, adapter.Config{Rank: 3, Alpha: 7}, 5)
			if err != nil {
				t.Fatal(err)
			}
			s := b.NewStream()
			for i, p := range l.Parameters().All() { // B starts as zero
				values := make([]float32, p.Tensor.Elements())
				for j := range values {
					values[j] = float32(math.Sin(float64(i*31 + j)))
				}
				s.Write(p.Tensor, compute.HostBytes(values))
			}
			ids := [][]int32{{1, 5, 9, 2, 7}}
			want, out := logits(t, b, c, l, ids), t.TempDir()
			if err := l.Save(out, s, c.Bindings, dir); err != nil {
				t.Fatal(err)
			}
			paths := []string{out}
			if g := c.Family.GGUF(); g != nil && name != "gpt2" && name != "gpt_neox" && name != "phi3" { // those are fused in GGUF
				paths = append(paths, filepath.Join(out, "adapter.gguf"))
				if err := l.SaveGGUF(paths[1], s, "llama", "test", c.Bindings); err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range paths {
				again, err := adapter.Load(path, b, c.Model, c.Bindings)
				if err != nil {
					t.Fatal(err)
				}
				if d := apart(logits(t, b, c, again, ids), want); !(d <= 1e-6) {
					t.Errorf("%s: logits are off by %.2g of the largest", filepath.Base(path), d)
				}
			}
		})
	}
}

func openBase(t *testing.T, dir string, b compute.Backend) *checkpoint.Checkpoint {
	t.Helper()
	base, err := adapter.Base(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(filepath.Join(dir, base), b, checkpoint.Options{Float32: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func logits(t *testing.T, b compute.Backend, c *checkpoint.Checkpoint, a model.Adapter, ids [][]int32) []float32 {
	t.Helper()
	s, batch := b.NewStream(), &model.Batch{}
	for _, text := range ids {
		batch.Add(text, 0, nil)
	}
	p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<20), Precision: model.Exact, Adapter: a}
	hidden, err := c.Model.Forward(p, batch)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, batch.Rows()*c.Model.Spec.Vocab)
	if err := s.Read(model.Logits(p, c.Model, hidden, nil), compute.HostBytes(out)); err != nil {
		t.Fatal(err)
	}
	return out
}

// apart is max|got − want| / max|want|.
func apart(got, want []float32) float64 {
	var diff, most float64
	if len(got) != len(want) {
		return math.Inf(1)
	}
	for i := range want {
		diff, most = math.Max(diff, math.Abs(float64(got[i])-float64(want[i]))), math.Max(most, math.Abs(float64(want[i])))
	}
	return diff / most
}

type file struct{ *safetensors.File }

func tensors(t *testing.T, path string) file {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return file{f}
}

func (f file) has(name string) bool { _, ok := f.Info(name); return ok }

func (f file) floats(t *testing.T, name string) []float32 {
	t.Helper()
	v, err := f.Floats(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (f file) ids(t *testing.T) (out [][]int32) {
	t.Helper()
	data, err := f.Data("input_ids")
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Info("input_ids")
	for row := range info.Shape[0] {
		var ids []int32
		for i := range info.Shape[1] {
			ids = append(ids, int32(binary.LittleEndian.Uint64(data[8*(row*info.Shape[1]+i):])))
		}
		out = append(out, ids)
	}
	return out
}

// TestSettingsThatAreNotComputedAreNamed: an adapter_config.json that asks for something else is refused by the field's name.
func TestSettingsThatAreNotComputedAreNamed(t *testing.T) {
	for _, c := range []struct{ field, value string }{
		{"use_qalora", "true"}, {"alora_invocation_tokens", "[1]"}, {"layer_replication", "[[0,1]]"}, {"peft_type", `"LOHA"`}, {"r", "0"}, {"init_lora_weights", `"corda"`},
	} {
		dir := t.TempDir()
		fields := map[string]json.RawMessage{"peft_type": json.RawMessage(`"LORA"`), "r": json.RawMessage("2"), "lora_alpha": json.RawMessage("4")}
		fields[c.field] = json.RawMessage(c.value)
		raw, _ := json.Marshal(fields)
		if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := safetensors.Write(filepath.Join(dir, "adapter_model.safetensors"), []safetensors.Tensor{{Name: "x", Type: dtype.F32, Shape: []int{0}}}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := adapter.Load(dir, ref.New(), nil, nil); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s %s: %v, expected an error that names the field", c.field, c.value, err)
		}
	}
}
