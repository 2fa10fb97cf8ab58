package step

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
	"lian/model/checkpoint"
	"lian/verify/shared"
)

// readJSON reads a golden file.
func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func openTensors(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func floatsOf(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	v, err := f.Floats(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// rawInts are the values of an int32 tensor.
func rawInts(t *testing.T, f *safetensors.File, name string) []int32 {
	t.Helper()
	data, err := f.Data(name)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int32, len(data)/4)
	copy(compute.HostBytes(out), data)
	return out
}

func backend(t testing.TB) compute.Backend {
	t.Helper()
	b, err := Backend()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mostApart is the largest absolute difference, NaN if one is.
func mostApart(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= worst) {
			worst = d
		}
	}
	return worst
}

// TestForwardIsTransformers holds the logits of the tiny Llamas against transformers' (golden/infer/hf), through the file that
// lian forward writes.
func TestForwardIsTransformers(t *testing.T) {
	for _, name := range []string{"llama", "llama-tied", "llama-bf16", "llama-sharded"} {
		t.Run(name, func(t *testing.T) {
			dir := shared.Path(t, "testdata", "golden", "infer", "hf", name)
			var golden struct {
				IDs [][]int32 `json:"input_ids"`
			}
			readJSON(t, filepath.Join(dir, "golden.json"), &golden)
			want := openTensors(t, filepath.Join(dir, "golden.safetensors"))
			for i, ids := range golden.IDs {
				out := filepath.Join(t.TempDir(), "中.safetensors")
				r, err := Forward(dir, ForwardOptions{IDs: ids, Out: out, Hidden: true, Precision: model.Exact})
				if err != nil {
					t.Fatal(err)
				}
				if r.Tokens != len(ids) || len(r.Best) != len(ids) {
					t.Errorf("%d tokens and %d best ids for %d ids", r.Tokens, len(r.Best), len(ids))
				}
				got := openTensors(t, out)
				if d := mostApart(floatsOf(t, got, "logits"), floatsOf(t, want, fmt.Sprintf("logits.%d", i))); !(d <= 1e-4) {
					t.Errorf("sequence %d: logits are off by %.2g, allowed 1e-4", i, d)
				}
				info, ok := got.Info("hidden")
				if !ok || info.Type != dtype.F32 || info.Shape[0] != len(ids) {
					t.Errorf("hidden is %+v", info)
				}
			}
		})
	}
}

// TestWhatIsNotComputedIsRefused: a setting that would change the result must not pass in silence.
func TestWhatIsNotComputedIsRefused(t *testing.T) {
	for name, want := range map[string]string{"mamba": "MambaForCausalLM", "lfm2": "Lfm2ForCausalLM"} {
		dir := shared.Path(t, "testdata", "golden", "infer", "hf", name)
		_, err := Forward(dir, ForwardOptions{IDs: []int32{1}, Out: filepath.Join(t.TempDir(), "x"), Precision: model.Exact})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("%s: %v, expected an error that names config.json and %s", name, err, want)
		}
	}
}

func TestForwardGoesPastTheContextOfADynamicRotation(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "hf", "internlm2-dynamic") // made for 24
	if _, err := Forward(dir, ForwardOptions{IDs: make([]int32, 41), Out: filepath.Join(t.TempDir(), "x.safetensors"), Precision: model.Exact}); err != nil {
		t.Fatal(err)
	}
}

func TestForwardRefusesWrongIDs(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "hf", "llama")
	for want, ids := range map[string][]int32{"311": {1, 311}, "-1": {-1}, "128 positions": make([]int32, 129)} {
		dir := dir
		if len(ids) > 100 {
			dir = shared.Path(t, "testdata", "golden", "infer", "hf", "gpt2")
		}
		out := filepath.Join(t.TempDir(), "x.safetensors")
		_, err := Forward(dir, ForwardOptions{IDs: ids, Out: out, Precision: model.Exact})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected an error with %q", err, want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Error("a file was written all the same")
		}
	}
}

// TestSmolLM2IsTheReference holds log-probabilities of a real quantised model against gguf-py and transformers in float32.
func TestSmolLM2IsTheReference(t *testing.T) {
	path := shared.Path(t, "testdata", "models", "smollm2-135m-instruct-q4_1.gguf")
	dir := shared.Path(t, "testdata", "golden", "infer", "smollm2")
	var golden struct {
		Prompts []struct {
			Prompt string  `json:"prompt"`
			IDs    []int32 `json:"ids"`
		} `json:"prompts"`
	}
	readJSON(t, filepath.Join(dir, "logits.json"), &golden)
	want := openTensors(t, filepath.Join(dir, "logits.safetensors"))
	m, err := OpenModel(path, backend(t), checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	worst := 0.0
	for i, p := range golden.Prompts {
		if got := m.Tokenizer.Encode(p.Prompt); fmt.Sprint(got) != fmt.Sprint(p.IDs) {
			t.Errorf("%q is %v, expected %v", p.Prompt, got, p.IDs)
		}
		_, logits, err := m.forward(p.IDs, model.Exact)
		if err != nil {
			t.Fatal(err)
		}
		vocab := m.Model.Spec.Vocab
		if i == 0 {
			last := floatsOf(t, want, "0.f32.last_logits")
			if d := mostApart(logits[len(logits)-vocab:], last); !(d <= 1e-3) {
				t.Errorf("logits of %q are off by %.2g, allowed 1e-3", p.Prompt, d)
			}
		}
		ids, logProbs := rawInts(t, want, fmt.Sprintf("%d.f32.ids", i)), floatsOf(t, want, fmt.Sprintf("%d.f32.logprobs", i))
		for row := range p.IDs {
			at := logits[row*vocab : (row+1)*vocab]
			lse := logSumExp(at)
			for k := range 50 {
				got := float64(at[ids[row*50+k]]) - lse
				worst = max(worst, math.Abs(got-float64(logProbs[row*50+k])))
			}
		}
	}
	if !(worst <= 1e-3) {
		t.Errorf("log-probabilities are off by %.2g, allowed 1e-3", worst)
	}
	t.Logf("largest difference of log-probabilities %.2g", worst)
}

func logSumExp(row []float32) float64 {
	most, sum := math.Inf(-1), 0.0
	for _, v := range row {
		most = max(most, float64(v))
	}
	for _, v := range row {
		sum += math.Exp(float64(v) - most)
	}
	return most + math.Log(sum)
}

// TestEveryLayersHiddenRowsAreTheReference: transformers' hidden states, where the golden files have them.
func TestEveryLayersHiddenRowsAreTheReference(t *testing.T) {
	for _, name := range []string{"llama", "gemma2", "gpt2", "mistral", "internlm2-dynamic"} {
		dir := shared.Path(t, "testdata", "golden", "infer", "hf", name)
		var golden struct {
			IDs [][]int32 `json:"input_ids"`
		}
		readJSON(t, filepath.Join(dir, "golden.json"), &golden)
		want := openTensors(t, filepath.Join(dir, "golden.safetensors"))
		out := filepath.Join(t.TempDir(), "x.safetensors")
		r, err := Forward(dir, ForwardOptions{IDs: golden.IDs[0], Out: out, Layers: true, Attention: true, Precision: model.Exact})
		if err != nil {
			t.Fatal(err)
		}
		got, layers := openTensors(t, out), 0
		for ; ; layers++ {
			theirs := fmt.Sprintf("hidden.0.layer%d", layers)
			if _, ok := want.Info(theirs); !ok {
				break
			}
			if d := mostApart(floatsOf(t, got, fmt.Sprintf("hidden.%d", layers+1)), floatsOf(t, want, theirs)); !(d <= 1e-3) {
				t.Errorf("%s: after layer %d hidden rows are off by %.2g", name, layers, d)
			}
			weights := floatsOf(t, got, fmt.Sprintf("attention.%d", layers))
			for i, n := 0, len(golden.IDs[0]); i < len(weights); i += n {
				sum := 0.0
				for _, w := range weights[i : i+n] {
					sum += float64(w)
				}
				if sum < 0.999 || sum > 1.001 {
					t.Fatalf("%s: a query's weights of layer %d add up to %v", name, layers, sum)
				}
			}
		}
		if layers == 0 || len(r.Tensors) != 2+layers+1+layers {
			t.Errorf("%s: %d layers, tensors %v", name, layers, r.Tensors)
		}
	}
}
