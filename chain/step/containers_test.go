package step

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lian/event"
	"lian/verify/shared"
)

// TestACheckpointGoesEverywhere: a .pt and a .bin with llama2.c's tokenizer beside them become
// GGUF files and folders, and their words are found.
func TestACheckpointGoesEverywhere(t *testing.T) {
	from := shared.Path(t, "testdata", "models", "stories260k")
	dir := t.TempDir()
	for name, as := range map[string]string{"stories260K.pt": "stories260K.pt", "stories260K.bin": "stories260K.bin", "tok512.bin": "tokenizer.bin"} {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, as), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := OpenTokenizer(filepath.Join(dir, "tokenizer.bin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stories260K.pt", "stories260K.bin"} {
		model := filepath.Join(dir, name)
		tok, err := OpenTokenizer(model)
		if err != nil || !slices.Equal(tok.Encode("Once upon a time 从前"), want.Encode("Once upon a time 从前")) {
			t.Errorf("%s: its tokenizer is another, or %v", name, err)
		}
		for _, out := range []string{name + ".gguf", name + "-folder"} {
			if _, err := Convert(context.Background(), model, filepath.Join(dir, "out", out), ConvertOptions{Type: "same"}, event.Discard); err != nil {
				t.Errorf("%s to %s: %v", name, out, err)
			}
		}
	}
}
