package step

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute"
	"lian/dtype"
	"lian/event"
	"lian/format/safetensors"
	"lian/format/shard"
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
		{"models/digit-llama-hf", WhatModel, `"family":"llama"`},
		{"models/peft-lora-gpt2", WhatAdapter, `"base":"gpt2","rank":16`},
		{"golden/infer/hf/llama-sharded", WhatModel, `safetensors in 5 files`},
		{"golden/infer/hf/mamba", WhatModel, `Lian does not run this model`},
		{"golden/infer/hf/llama-yarn", WhatModel, `"runs":true`},
		{"golden/infer/float/float.safetensors", WhatSafetensors, `"type":"f32"`},
		{"tokenizers/ggml-vocab/ggml-vocab-gpt-2.gguf", WhatGGUF, `vocabulary only`},
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
