package adapter_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// TestAdaptersOfAllKindsShareABatch: sequences of PEFT's adapters and of the base stand in one batch, each with the logits that PEFT
// computes for it, and with the bits that it has alone.
func TestAdaptersOfAllKindsShareABatch(t *testing.T) {
	root := shared.Path(t, "testdata", "golden", "train", "peft")
	for base, names := range map[string][]string{
		"llama_untied": {"lora", "lora_all_linear", "lora_dora", "lora_embedding_head", "lora_gaussian_dropout", "lora_layers_0_2", "lora_patterns",
			"lora_plus", "lora_rs", "lora_trainable_tokens"},
		"qwen2_bias": {"lora_bias_all_save_head", "lora_bias_lora_only", "lora_lora_bias"},
	} {
		t.Run(base, func(t *testing.T) {
			b := cpu.New(1)
			c, err := checkpoint.Open(filepath.Join(root, "..", "models", base), b, checkpoint.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			ids := tensors(t, filepath.Join(root, "batch.safetensors")).ids(t)
			rows := rowsOf(ids, nil)
			for _, name := range names {
				l := beside(t, filepath.Join(root, name), b, c)
				rows = append(rows, rowsOf(ids, l)...)
			}
			rows = append(rows, rowsOf(ids, nil)...)
			together := logitsOf(t, b, c, model.Exact, rows)
			for i, name := range names {
				var got []float32
				for _, part := range together[(i+1)*len(ids) : (i+2)*len(ids)] {
					got = append(got, part...)
				}
				want := tensors(t, filepath.Join(root, name, "golden.safetensors")).floats(t, "logits")
				if d := apart(got, want); !(d <= 1e-5) {
					t.Errorf("%s: logits are off by %.2g of the largest, allowed 1e-5", name, d)
				}
			}
			sameAsAlone(t, b, c, model.Exact, rows, together)
		})
	}
}

// TestRowsBesideAdaptersHaveTheBitsTheyHaveAlone: over every type of weights, in both precisions, whatever stands beside a sequence.
func TestRowsBesideAdaptersHaveTheBitsTheyHaveAlone(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer")
	for _, path := range []string{"gguf/tiny-llama-q8_0.gguf", "gguf/tiny-llama-q4_0.gguf", "gguf/tiny-llama-q4_k_m.gguf", "gguf/tiny-llama-bf16.gguf", "hf/granite", "hf/mixtral"} {
		for name, b := range map[string]compute.Backend{"ref": ref.New(), "cpu": cpu.New(2)} {
			if name == "ref" && os.Getenv(cpu.Environment) != "" {
				continue // it has no levels
			}
			t.Run(path+"/"+name, func(t *testing.T) {
				if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
					t.Skip(err)
				}
				c, err := checkpoint.Open(filepath.Join(dir, path), b, checkpoint.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				one, two := random(t, b, c, 3), random(t, b, c, 8)
				texts := [][]int32{{1, 5, 9, 2, 7}, {3}, {11, 4, 4, 8, 9, 30, 2, 1, 6}}
				rows := rowsOf(texts, nil)
				rows = append(rows, rowsOf(texts, one)...)
				rows = append(rows, rowsOf(texts, two)...)
				rows = append(rows, rowsOf(texts[:1], nil)...)
				for _, precision := range []model.Precision{model.Exact, model.Fast} {
					together := logitsOf(t, b, c, precision, rows)
					sameAsAlone(t, b, c, precision, rows, together)
					if slices.Equal(together[0], together[3]) || slices.Equal(together[3], together[6]) {
						t.Error("an adapter changes nothing")
					}
				}
			})
		}
	}
}

// TestRowsHaveTheirBitsAtEveryKernelLevel runs the test above once for each.
func TestRowsHaveTheirBitsAtEveryKernelLevel(t *testing.T) {
	if os.Getenv(cpu.Environment) != "" || testing.Short() {
		t.Skip("one level is asked for")
	}
	for _, level := range cpu.Levels() {
		c := exec.Command(os.Args[0], "-test.run", "TestRowsBesideAdapters|TestAdaptersOfAllKinds")
		c.Env = append(os.Environ(), cpu.Environment+"="+level)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", level, err, out)
		}
	}
}

// TestWhatNoAdditionCanDoIsRefused: an adapter that trained a norm runs merged only, and the error says which norm.
func TestWhatNoAdditionCanDoIsRefused(t *testing.T) {
	root := shared.Path(t, "testdata", "golden", "train", "peft")
	from, out := filepath.Join(root, "lora"), t.TempDir()
	f := tensors(t, filepath.Join(from, "adapter_model.safetensors"))
	var list []safetensors.Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		data, err := f.Data(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, safetensors.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Data: data})
	}
	list = append(list, safetensors.Tensor{Name: "base_model.model.model.norm.weight", Type: dtype.F32, Shape: []int{64}, Data: make([]byte, 256)})
	if err := safetensors.Write(filepath.Join(out, "adapter_model.safetensors"), list, nil); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(from, "adapter_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "adapter_config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	b := ref.New()
	c := openBase(t, from, b)
	l, err := adapter.Load(out, b, c.Model, c.Bindings)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Beside(b.NewStream(), c.Model); err == nil || !strings.Contains(err.Error(), "changes norm,") || !strings.Contains(err.Error(), "merge") {
		t.Errorf("%v, expected an error that names norm and lian merge", err)
	}
}

// TestEqualContentHasOneKey, and another content another.
func TestEqualContentHasOneKey(t *testing.T) {
	root := shared.Path(t, "testdata", "golden", "train", "peft")
	b := cpu.New(1)
	c := openBase(t, filepath.Join(root, "lora"), b)
	one, again, other := beside(t, filepath.Join(root, "lora"), b, c), beside(t, filepath.Join(root, "lora"), b, c), beside(t, filepath.Join(root, "lora_rs"), b, c)
	if one.Key() != again.Key() || one.Key() == other.Key() || one.Key() == "" {
		t.Errorf("keys %q and %q of one adapter, %q of another", one.Key(), again.Key(), other.Key())
	}
}

// TestLossesThroughAnAdaptedHeadAreThoseOfItsLogits.
func TestLossesThroughAnAdaptedHeadAreThoseOfItsLogits(t *testing.T) {
	root := shared.Path(t, "testdata", "golden", "train", "peft")
	b := cpu.New(1)
	c := openBase(t, filepath.Join(root, "lora_embedding_head"), b)
	l := beside(t, filepath.Join(root, "lora_embedding_head"), b, c)
	text := []int32{5, 200, 17, 9, 8, 1}
	targets := []int32{200, 17, 9, -1, 1, 3}
	s, batch := b.NewStream(), &model.Batch{}
	batch.Add(text, 0, nil)
	batch.Adapt(l)
	p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<20), Precision: model.Exact}
	hidden, err := c.Model.Forward(p, batch)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := model.CrossEntropy(p, c.Model, hidden, targets, nil, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(targets))
	if err := s.Read(loss, compute.HostBytes(got)); err != nil {
		t.Fatal(err)
	}
	row, vocab := logitsOf(t, b, c, model.Exact, []sequence{{text, l}})[0], c.Model.Spec.Vocab
	for i, target := range targets {
		sum, want := 0.0, 0.0
		for _, v := range row[i*vocab : (i+1)*vocab] {
			sum += math.Exp(float64(v))
		}
		if target >= 0 {
			want = math.Log(sum) - float64(row[i*vocab+int(target)])
		}
		if math.Abs(float64(got[i])-want) > 1e-5 {
			t.Errorf("row %d: loss %v, its logits say %v", i, got[i], want)
		}
	}
}

// sequence is a text and what it is computed with.
type sequence struct {
	ids     []int32
	adapter model.Adapter
}

func rowsOf(ids [][]int32, a model.Adapter) (list []sequence) {
	for _, text := range ids {
		list = append(list, sequence{text, a})
	}
	return list
}

// logitsOf are the logits of each sequence, computed in one batch.
func logitsOf(t *testing.T, b compute.Backend, c *checkpoint.Checkpoint, precision model.Precision, list []sequence) (out [][]float32) {
	t.Helper()
	s, batch := b.NewStream(), &model.Batch{}
	for _, q := range list {
		batch.Add(q.ids, 0, nil)
		batch.Adapt(q.adapter)
	}
	p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<20), Precision: precision}
	hidden, err := c.Model.Forward(p, batch)
	if err != nil {
		t.Fatal(err)
	}
	var rows []int32 // asked for by number, as generation does
	for i := range batch.Rows() {
		rows = append(rows, int32(i))
	}
	all, vocab := make([]float32, batch.Rows()*c.Model.Spec.Vocab), c.Model.Spec.Vocab
	if err := s.Read(model.Logits(p, c.Model, hidden, rows), compute.HostBytes(all)); err != nil {
		t.Fatal(err)
	}
	for i := range list {
		out = append(out, all[int(batch.QueryStart[i])*vocab:int(batch.QueryStart[i+1])*vocab])
	}
	return out
}

func sameAsAlone(t *testing.T, b compute.Backend, c *checkpoint.Checkpoint, precision model.Precision, list []sequence, together [][]float32) {
	t.Helper()
	for i, q := range list {
		if alone := logitsOf(t, b, c, precision, []sequence{q})[0]; !slices.Equal(alone, together[i]) {
			t.Errorf("%s: sequence %d has other logits than alone, by %.2g of the largest", precision, i, apart(together[i], alone))
		}
	}
}

func beside(t *testing.T, path string, b compute.Backend, c *checkpoint.Checkpoint) *adapter.LoRA {
	t.Helper()
	l, err := adapter.Load(path, b, c.Model, c.Bindings)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Beside(b.NewStream(), c.Model); err != nil {
		t.Fatal(err)
	}
	return l
}

// random is an adapter of all products with values of its own.
func random(t *testing.T, b compute.Backend, c *checkpoint.Checkpoint, rank int) *adapter.LoRA {
	t.Helper()
	l, err := adapter.New(b, c.Model, c.Bindings, adapter.Config{Rank: rank, Alpha: 2}, uint64(rank))
	if err != nil {
		t.Fatal(err)
	}
	s := b.NewStream()
	for i, p := range l.Parameters().All() {
		values := make([]float32, p.Tensor.Elements())
		for j := range values {
			values[j] = 0.1 * float32(math.Sin(float64(rank+i*31+j)))
		}
		s.Write(p.Tensor, compute.HostBytes(values))
	}
	if err := l.Beside(s, c.Model); err != nil {
		t.Fatal(err)
	}
	return l
}
