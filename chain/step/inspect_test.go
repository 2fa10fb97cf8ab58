package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute"
	"lian/dtype"
	"lian/engine"
	"lian/event"
	"lian/format/gguf"
	"lian/format/safetensors"
	"lian/format/shard"
	"lian/model/checkpoint"
	"lian/verify/shared"
)

func TestInspectKnowsWhatTheEcosystemMakes(t *testing.T) {
	for _, c := range []struct {
		path, what, holds string
	}{
		{"models/smollm2-135m-instruct-q4_1.gguf", WhatGGUF, `"parameters":134515008,"layers":30,"hidden":576,"heads":9,"kv_heads":3`},
		{"models/smollm2-135m-instruct-q4_1.gguf", WhatGGUF, `"type":"q4_1","tensors":210`},
		{"models/smollm2-135m-instruct-q4_1.gguf", WhatGGUF, `"context":4096,"weights_bytes":`},
		{"models/llama-2-tiny-random.gguf", WhatGGUF, `"tokens":32000`},
		{"models/stories260k/tinyllamas-stories-260k-f32.gguf", WhatGGUF, `GGUF version 1`},
		{"models/stories260k/stories260K.pt", WhatModelFile, `"parameters":292800,"layers":5`},
		{"models/stories260k/stories260K.bin", WhatModelFile, `"runs":true`},
		{"models/digit-llama-hf", WhatModel, `"family":"llama"`},
		{"models/peft-lora-gpt2", WhatAdapter, `"base":"gpt2","rank":16`},
		{"golden/infer/hf/llama-sharded", WhatModel, `safetensors in 5 files`},
		{"golden/infer/hf/mamba", WhatModel, `Lian does not run this model`},
		{"golden/infer/hf/llama-yarn", WhatModel, `"runs":true`},
		{"golden/infer/float/float.safetensors", WhatSafetensors, `"type":"f32"`},
		{"tokenizers/ggml-vocab/ggml-vocab-gpt-2.gguf", WhatGGUF, `vocabulary only`},
		{"models/stories260k/stories260K.bin", WhatModelFile, `"format":"llama2.c"`},
		{"models/stories260k/stories260K.pt", WhatModelFile, `"format":"PyTorch"`},
		{"models/stories260k/tok512.model", WhatTokenizer, `"tokens":512`},
		{"tokenizers/smollm2", WhatTokenizer, `"tokens":49152`},
	} {
		path := shared.Path(t, "testdata", filepath.FromSlash(c.path))
		i, err := Inspect(context.Background(), path, InspectOptions{Context: 4096}, event.Discard)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		text, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if i.What != c.what || !strings.Contains(string(text), c.holds) {
			t.Errorf("%s is %s, expected %s with %s:\n%s", c.path, i.What, c.what, c.holds, text)
		}
	}
}

// TestInspectSaysWhatOpeningSays: whether Lian runs a model is said without reading weights, and is true.
func TestInspectSaysWhatOpeningSays(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(shared.Path(t, "testdata", "golden", "infer", "hf"), "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no models (%v)", err)
	}
	b := backend(t)
	for _, dir := range folders {
		i, err := Inspect(t.Context(), dir, InspectOptions{Context: 4096}, event.Discard)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		c, err := checkpoint.Open(dir, b, checkpoint.Options{})
		if runs := err == nil; i.Model == nil || runs != i.Model.Runs {
			t.Errorf("%s: inspection says runs %v (%v), opening says %v", dir, i.Model.Runs, i.Problems, err)
		}
		if err == nil {
			c.Close()
		}
	}
}

// TestInspectCountsAWindowsCacheAsTheEngineDoes: a layer with a window keeps its window, not the context.
func TestInspectCountsAWindowsCacheAsTheEngineDoes(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "hf", "gemma3")
	c, err := checkpoint.Open(dir, backend(t), checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, context := range []int{32, c.Model.Spec.Context} {
		i, err := Inspect(t.Context(), dir, InspectOptions{Context: context}, event.Discard)
		if err != nil {
			t.Fatal(err)
		}
		p, err := engine.PlanFor(c.Model.Info(), engine.Loaded{}, engine.Options{Context: context, CacheTokens: context, Sequences: 1})
		if err != nil || i.Memory == nil || i.Memory.Cache != p.Cache || len(p.Groups) < 2 {
			t.Errorf("context %d: %+v, expected a cache of %d (%v)", context, i.Memory, p.Cache, err)
		}
	}
}

func TestInspectKnowsAdaptersInGGUF(t *testing.T) {
	path := filepath.Join(t.TempDir(), "适配器.gguf")
	half := make([]float32, 4*8)
	tensors := []gguf.Tensor{
		{Name: "blk.0.attn_q.weight.lora_a", Type: dtype.F32, Shape: []int{4, 8}, Data: compute.HostBytes(half)},
		{Name: "blk.0.attn_q.weight.lora_b", Type: dtype.F32, Shape: []int{8, 4}, Data: compute.HostBytes(half)},
	}
	metadata := []gguf.KeyValue{{Key: "general.architecture", Value: "llama"}, {Key: "general.type", Value: "adapter"}, {Key: "adapter.type", Value: "lora"},
		{Key: "adapter.lora.alpha", Value: float32(16)}, {Key: "general.base_model.0.name", Value: "书生"}}
	if _, err := gguf.Write(path, metadata, tensors, gguf.Options{}); err != nil {
		t.Fatal(err)
	}
	i, err := Inspect(t.Context(), path, InspectOptions{Context: 4096}, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if a := i.Adapter; a == nil || a.Type != "LORA" || a.Rank != 4 || a.Alpha != 16 || a.Base != "书生" || len(a.Targets) != 1 || a.Targets[0] != "attn_q" || a.Parameters != 64 {
		t.Errorf("%+v", a)
	}
}

func TestInspectTellsWhereAModelComesFrom(t *testing.T) {
	home := t.TempDir()
	t.Setenv("LIAN_HOME", home)
	dir := filepath.Join(home, "models", "o", "m")
	if err := os.CopyFS(dir, os.DirFS(shared.Path(t, "testdata", "golden", "infer", "hf", "llama"))); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	right := sha256.Sum256(config)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("README.md", "---\nlicense: other\nlicense_name: 书生-licence\n---\n# a model\n")
	write("pulled.json", `{"hub": "huggingface", "repo": "o/m", "commit": "abc", "files": [{"path": "config.json", "size": 1, "sha256": "`+hex.EncodeToString(right[:])+`", "checked": "sha256"}]}`)
	i, err := Inspect(t.Context(), "o/m", InspectOptions{Context: 4096, Verify: true}, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if i.Source != "huggingface:o/m@abc" || i.Licence != "书生-licence" || len(i.Files) < 3 {
		t.Errorf("%+v", i)
	}
	write("config.json", string(config)+" ")
	if _, err := Inspect(t.Context(), "o/m", InspectOptions{Context: 4096, Verify: true}, event.Discard); !errors.Is(err, ErrUnsound) {
		t.Errorf("a changed file: %v", err)
	}
	write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
	if _, err := Inspect(t.Context(), filepath.Join(dir, "model.safetensors"), InspectOptions{Context: 1}, event.Discard); err == nil || !strings.Contains(err.Error(), "git-lfs") {
		t.Errorf("a pointer: %v", err)
	}
}

func TestVerifyFindsBrokenValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "权重.safetensors")
	sound := []float32{1, -1, 0, 2}
	broken := []float32{1, float32(math.NaN()), float32(math.Inf(1)), 2}
	err := safetensors.Write(path, []safetensors.Tensor{
		{Name: "sound", Type: dtype.F32, Shape: []int{4}, Data: compute.HostBytes(sound)},
		{Name: "broken", Type: dtype.F32, Shape: []int{2, 2}, Data: compute.HostBytes(broken)},
		{Name: "steps", Type: dtype.I32, Shape: []int{1}, Data: []byte{1, 0, 0, 0}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	i, err := Inspect(context.Background(), path, InspectOptions{Verify: true, Context: 1}, event.Discard)
	if !errors.Is(err, ErrUnsound) || !strings.Contains(err.Error(), "1 of 2 tensors") {
		t.Fatalf("error is %v", err)
	}
	for _, x := range i.Tensors {
		switch s := x.Stats; x.Name {
		case "sound":
			if s.Mean != 0.5 || s.Min != -1 || s.Max != 2 || s.Zeros != 1 || s.NaN+s.Infinite != 0 {
				t.Errorf("sound: %+v", s)
			}
		case "broken":
			if s.NaN != 1 || s.Infinite != 1 || s.Mean != 1.5 {
				t.Errorf("broken: %+v", s)
			}
		}
	}
	if i.Verified.NotRead != 1 {
		t.Errorf("%d not read, expected the whole numbers", i.Verified.NotRead)
	}
}

func TestInspectReadsShards(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.shard")
	documents := func(yield func(shard.Document, error) bool) {
		yield(shard.Document{Tokens: []int32{1, 2, 3}, TextBytes: 9}, nil)
	}
	if err := shard.Write(path, documents, shard.Meta{VocabSize: 10, TokenizerHash: "abc", Split: "heldout"}); err != nil {
		t.Fatal(err)
	}
	i, err := Inspect(context.Background(), path, InspectOptions{Verify: true}, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if s := i.Shard; i.What != WhatShard || s.Documents != 1 || s.Tokens != 3 || s.TextBytes != 9 || s.Split != "heldout" {
		t.Errorf("%+v", s)
	}
}
