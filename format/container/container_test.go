package container

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/format/safetensors"
	"lian/verify/shared"
)

func TestRealFilesAreKnown(t *testing.T) {
	models := shared.Path(t, "testdata", "models")
	tokenizers := shared.Path(t, "testdata", "tokenizers")
	for path, want := range map[string]Kind{
		models + "/stories260k/stories260K.pt": Torch, models + "/stories260k/stories260K.bin": Llama2C, models + "/stories260k/tok512.bin": Llama2CTokenizer,
		models + "/stories260k/tok512.model": SentencePiece, models + "/stories260k/tinyllamas-stories-260k-f32.gguf": GGUF, models + "/llama-2-tiny-random.gguf": GGUF,
		models + "/digit-llama-hf": SafetensorsFolder, models + "/digit-llama-hf/model.safetensors": Safetensors, models + "/digit-llama-hf/config.json": ModelConfig,
		models + "/peft-lora-gpt2": AdapterFolder, models + "/peft-lora-gpt2/adapter_config.json": AdapterConfig,
		tokenizers + "/llama2/tokenizer.bin": Llama2CTokenizer, tokenizers + "/llama2/tokenizer.model": SentencePiece,
		shared.Path(t, "testdata", "golden", "infer", "hf", "llama-sharded"): SafetensorsFolder,
	} {
		if got, err := Look(path); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", path, got, want, err)
		}
	}
	for pattern, want := range map[string]Kind{tokenizers + "/*/tokenizer.json": TokenizerJSON, tokenizers + "/*/*.tiktoken": Tiktoken, tokenizers + "/*/*.model": SentencePiece} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if got, err := Look(path); err != nil || got != want {
				t.Errorf("%s is %q, want %q (%v)", path, got, want, err)
			}
		}
	}
}

func TestContentDecidesNotTheName(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	legacy, err := os.ReadFile("../torch/testdata/legacy.pt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want Kind
	}{
		{write("模型.bin", "\x02\x00\x00\x00\x00\x00\x00\x00{}"), Safetensors},
		{write("legacy.safetensors", string(legacy)), TorchLegacy},
		{write("x.pt", "\x80\x04N."), Pickle},
		{write("x.npz", "PK\x03\x04"+strings.Repeat("\x00", 22)+"\x05\x00\x00\x00a.npy"+strings.Repeat("\x00", 30)), Npz},
		{write("x.npy", "\x93NUMPY\x01\x00"), Npy},
		{write("x.zip", "PK\x03\x04"+strings.Repeat("\x00", 40)), Zip},
		{write("big.gguf", "GGUF\x00\x00\x00\x03"), GGUFBigEndian},
		{write("shard", "LIANSHRD\x01"), Shard},
		{write("ranks", "IQ== 0\nIg== 1\n"), Tiktoken},
		{write("a.json", `{"weight_map":{"a":"x.safetensors"}}`), SafetensorsIndex},
		{write("b.json", `{"weight_map":{"a":"x.bin"}}`), TorchIndex},
		{write("c.json", "\n{\n \"model\":{},\"added_tokens\":[]}"), TokenizerJSON},
		{write("d.json", `{"a":"词"}`), JSON},
		{write("e.jsonl", "{\"a\":1}\n{\"a\":2}\n"), JSONLines},
		{filepath.Dir(write("torch/pytorch_model.bin", "")), TorchFolder},
		{filepath.Dir(write("evo/model_tp0_pp0.pt", "")), InternEvoFolder},
		{filepath.Dir(write("meta/consolidated.00.pth", "")), MetaFolder},
		{filepath.Dir(write("words/tokenizer.model", "")), TokenizerFolder},
		{filepath.Dir(write("config/config.json", "")), ConfigFolder},
	} {
		if got, err := Look(c.path); err != nil || got != c.want {
			t.Errorf("%s is %q, want %q (%v)", filepath.Base(c.path), got, c.want, err)
		}
	}
	for path, says := range map[string]string{write("empty", ""): "empty", write("noise", "\x01\x02\x03"): "not a file that Lian knows", write("prose", "从前有一个人"): "neither JSON", filepath.Join(dir, "none"): "no such file", t.TempDir(): "without weights"} {
		if kind, err := Look(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s is %q: %v, want %q", filepath.Base(path), kind, err, says)
		}
	}
}

func TestWeightsOfAnyContainer(t *testing.T) {
	for path, want := range map[string]string{
		"../torch/testdata/zip.pt":                       "rows f32 [2 8]",
		"../torch/testdata/legacy.pt":                    "rows f32 [2 8]",
		"../torch/testdata/zip.safetensors":              "model.rows f32 [2 8]",
		"../internevo/testdata/internlm2-tp2-pp2":        "layers.3.feed_forward.w2.weight bf16 [8 12]",
		"../torch/testdata/pytorch_model.bin.index.json": "a f32 [2 3]",
	} {
		r, _, err := Weights(path)
		if err != nil {
			t.Error(err)
			continue
		}
		name, _, _ := strings.Cut(want, " ")
		info, _ := r.Info(name)
		data, err := r.Data(name)
		if info.String() != want || err != nil || int64(len(data)) != info.Bytes {
			t.Errorf("%s: %v, want %s (%v)", path, info, want, err)
		}
		r.Close()
	}
	if _, _, err := Weights("../torch/testdata/README.md"); err == nil {
		t.Error("a text has weights")
	}
}

// TestMetaRanksAreJoined cuts a checkpoint of Llama's names as fairscale does.
func TestMetaRanksAreJoined(t *testing.T) {
	whole, err := safetensors.Open("testdata/meta")
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	for _, sub := range []string{"columns", "vocabulary"} {
		dir := t.TempDir()
		for rank := range 2 {
			raw, err := os.ReadFile(fmt.Sprintf("testdata/meta/%s-%d.pth", sub, rank))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("consolidated.%02d.pth", rank)), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, kind, err := Weights(dir)
		if err != nil {
			t.Fatal(err)
		}
		if kind != MetaFolder || len(r.Names()) != len(whole.Names()) {
			t.Errorf("%s: %s with %d tensors", sub, kind, len(r.Names()))
		}
		for _, name := range whole.Names() {
			got, err := r.Data(name)
			want, _ := whole.Data(name)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s differs (%v)", sub, name, err)
			}
		}
		r.Close()
		if err := os.Rename(dir+"/consolidated.00.pth", dir+"/consolidated.02.pth"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Weights(dir); err == nil || !strings.Contains(err.Error(), "consolidated.00.pth is missing") {
			t.Errorf("%s: a missing rank: %v", sub, err)
		}
	}
}
