package step

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/event"
	"lian/model"
	"lian/verify/shared"
)

// TestAnAdapterIsConvertedAlone: from PEFT to llama.cpp's form and back, and the model with it answers the same.
func TestAnAdapterIsConvertedAlone(t *testing.T) {
	from := shared.Path(t, "testdata", "golden", "train", "peft", "lora_all_linear")
	base := shared.Path(t, "testdata", "golden", "train", "models", "llama_untied")
	dir, ctx, alone := t.TempDir(), context.Background(), ConvertOptions{Type: "same", Adapter: true}
	inGGUF, back := filepath.Join(dir, "适配.gguf"), filepath.Join(dir, "back")
	r, err := Convert(ctx, base+"+"+from, inGGUF, alone, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Tensors != 21 || r.Exact != 21 || r.Format != "gguf" {
		t.Errorf("%+v, expected 21 products exactly", r)
	}
	if _, err := Convert(ctx, base+"+"+inGGUF, back, alone, event.Discard); err != nil {
		t.Fatal(err)
	}
	var first []int32
	for _, path := range []string{base + "+" + from, base + "+" + inGGUF, base + "+" + back} {
		f, err := Forward(path, ForwardOptions{IDs: []int32{1, 5, 9, 200, 7}, Out: filepath.Join(dir, "logits"), Precision: model.Exact})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = f.Best
		}
		for i := range first {
			if f.Best[i] != first[i] {
				t.Errorf("%s: the best ids are %v, expected %v", path, f.Best, first)
				break
			}
		}
	}
	if _, err := Convert(ctx, base, filepath.Join(dir, "x.gguf"), alone, event.Discard); err == nil || !strings.Contains(err.Error(), "BASE+ADAPTER") {
		t.Errorf("a model alone: %v, expected an error that asks for BASE+ADAPTER", err)
	}
	dora := shared.Path(t, "testdata", "golden", "train", "peft", "lora_dora")
	lost := filepath.Join(dir, "dora.gguf")
	if _, err := Convert(ctx, base+"+"+dora, lost, alone, event.Discard); err == nil || !strings.Contains(err.Error(), "magnitude") {
		t.Errorf("DoRA: %v, expected a refusal that names magnitudes", err)
	}
	if _, err := os.Stat(lost); err == nil {
		t.Error("what was refused left a file behind")
	}
}
