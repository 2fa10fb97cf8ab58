package step

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/event"
	"lian/model"
	"lian/model/checkpoint"
	"lian/verify/shared"
)

// TestGGUFIsTheReference holds the logits of one tiny Llama in six GGUF files, made by llama.cpp's tools, against gguf-py's
// dequantised weights in float32.
func TestGGUFIsTheReference(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "gguf")
	var golden struct {
		IDs []int32 `json:"input_ids"`
	}
	readJSON(t, filepath.Join(dir, "gguf.json"), &golden)
	want := openTensors(t, filepath.Join(dir, "gguf.safetensors"))
	for _, name := range []string{"f32", "f16", "bf16", "q8_0", "q4_0", "q4_k_m"} {
		m, err := OpenWeights(filepath.Join(dir, "tiny-llama-"+name+".gguf"), backend(t), checkpoint.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, logits, err := m.forward(golden.IDs, model.Exact)
		m.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := mostApart(logits, floatsOf(t, want, name+".f32")); !(d <= 1e-4) {
			t.Errorf("%s: logits are off by %.2g, allowed 1e-4", name, d)
		}
	}
}

// TestConversionKeepsTheModel takes the tiny Llamas to GGUF and back: the same weights, the same logits.
func TestConversionKeepsTheModel(t *testing.T) {
	ids := []int32{1, 5, 7, 11, 13}
	logitsOf := func(path string) []float32 {
		t.Helper()
		m, err := OpenWeights(path, backend(t), checkpoint.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		_, logits, err := m.forward(ids, model.Exact)
		if err != nil {
			t.Fatal(err)
		}
		return logits
	}
	for _, name := range []string{"llama", "llama-tied", "llama-bf16", "llama-sharded"} {
		in, dir := shared.Path(t, "testdata", "golden", "infer", "hf", name), t.TempDir()
		file, back := filepath.Join(dir, "m.gguf"), filepath.Join(dir, "back")
		for _, step := range [][2]string{{in, file}, {file, back}} {
			r, err := Convert(context.Background(), step[0], step[1], ConvertOptions{Type: "same", WeightsOnly: true}, event.Discard)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if r.Tensors == 0 || r.Exact != r.Tensors || r.Difference != 0 {
				t.Errorf("%s: %d of %d tensors are exact, difference %g", name, r.Exact, r.Tensors, r.Difference)
			}
		}
		want := logitsOf(in)
		for _, path := range []string{file, back} {
			if d := mostApart(logitsOf(path), want); d != 0 {
				t.Errorf("%s: logits of %s are off by %g", name, filepath.Base(path), d)
			}
		}
	}
}

func TestRoundingIsBounded(t *testing.T) {
	in, dir := shared.Path(t, "testdata", "golden", "infer", "hf", "llama"), t.TempDir()
	for typ, most := range map[string]float64{"f16": 1.0 / 2048, "bf16": 1.0 / 256} {
		for _, out := range []string{typ + ".gguf", typ} {
			r, err := Convert(context.Background(), in, filepath.Join(dir, out), ConvertOptions{Type: typ, WeightsOnly: true}, event.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if r.Difference == 0 || r.Relative > most {
				t.Errorf("%s: relative difference %g, allowed up to %g and more than 0", out, r.Relative, most)
			}
		}
	}
}

func TestConvertLeavesNothingHalfWritten(t *testing.T) {
	in, dir := shared.Path(t, "testdata", "golden", "infer", "hf", "llama"), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, out := range []string{"m.gguf", "模型"} {
		if _, err := Convert(ctx, in, filepath.Join(dir, out), ConvertOptions{Type: "same", WeightsOnly: true}, event.Discard); err == nil {
			t.Errorf("%s was converted although the work was cancelled", out)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "there"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = Convert(context.Background(), in, filepath.Join(dir, "there"), ConvertOptions{Type: "same", WeightsOnly: true}, event.Discard)
	if err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("an existing folder: %v", err)
	}
}

// TestConvertedWeightsAreCutWhereAsked: a bound on files makes several of either format, and they are the same model.
func TestConvertedWeightsAreCutWhereAsked(t *testing.T) {
	dir := t.TempDir()
	from := shared.Path(t, "testdata", "golden", "infer", "hf", "llama")
	o := ConvertOptions{Type: "same", WeightsOnly: true, MaxShardSize: 100_000}
	r, err := Convert(context.Background(), from, filepath.Join(dir, "m.gguf"), o, event.Discard)
	if err != nil || len(r.Files) != 4 || filepath.Base(r.Path) != "m-00001-of-00004.gguf" || r.Exact != r.Tensors {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := Convert(context.Background(), from, filepath.Join(dir, "m.gguf"), o, event.Discard); err == nil {
		t.Error("files were overwritten")
	}
	back, err := Convert(context.Background(), r.Path, filepath.Join(dir, "back"), o, event.Discard)
	if err != nil || back.Exact != r.Tensors {
		t.Fatalf("%+v, %v", back, err)
	}
	if shards, _ := filepath.Glob(filepath.Join(dir, "back", "model-*-of-00004.safetensors")); len(shards) != 4 {
		t.Errorf("shards are %v", shards)
	}
}
