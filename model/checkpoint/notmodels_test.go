package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/format/gguf"
)

func TestFilesInPlaceOfAModelAreCalledWhatTheyAre(t *testing.T) {
	dir := t.TempDir()
	vocabulary := filepath.Join(dir, "vocab.gguf")
	if _, err := gguf.Write(vocabulary, []gguf.KeyValue{{Key: "general.architecture", Value: "quack"}}, nil, gguf.Options{}); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "cloned")
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config.json": `{"architectures":["LlamaForCausalLM"],"vocab_size":8,"hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2}`, "model.safetensors": pointer, "../model.gguf": pointer} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, says := range map[string]string{vocabulary: "vocabulary and no tensors", folder: "pointer of git-lfs", filepath.Join(dir, "model.gguf"): "pointer of git-lfs"} {
		_, err := Open(path, cpu.New(1), Options{})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: says %v, expected %q and the name once", path, err, says)
		}
	}
}
