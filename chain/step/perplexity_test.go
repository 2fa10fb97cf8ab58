package step

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"lian/engine"
	"lian/event"
	"lian/model"
	"lian/verify/shared"
)

// TestPerplexityIsTheReference compares with the float32 forward on the first chunks of wikitext-2, by llama-perplexity's rule.
func TestPerplexityIsTheReference(t *testing.T) {
	path := shared.Path(t, "testdata", "models", "smollm2-135m-instruct-q4_1.gguf")
	dir := shared.Path(t, "testdata", "golden", "infer", "smollm2")
	text, err := os.ReadFile(filepath.Join(dir, "ppl_slice.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Runs []struct {
			Engine string    `json:"engine"`
			Chunk  int       `json:"ctx"`
			Values []float64 `json:"chunks"` // running
		} `json:"runs"`
	}
	readJSON(t, filepath.Join(dir, "perplexity.json"), &golden)
	file := filepath.Join(t.TempDir(), "slice.txt")
	if err := os.WriteFile(file, text[:2400], 0o644); err != nil { // a little more than two chunks
		t.Fatal(err)
	}
	for _, r := range golden.Runs {
		if r.Engine != "f32" || r.Chunk != 256 {
			continue
		}
		rows, err := Perplexity(context.Background(), path, []string{file}, PerplexityOptions{Windows: engine.Windows{Chunk: r.Chunk}, Precision: model.Exact}, event.Discard)
		if err != nil {
			t.Fatal(err)
		}
		n := rows[0].Tokens / 127
		if n < 2 || n > len(r.Values) {
			t.Fatalf("%d tokens were measured", rows[0].Tokens)
		}
		if got, want := rows[0].Perplexity, r.Values[n-1]; math.Abs(got-want) > 1e-3*want {
			t.Errorf("perplexity of %d chunks is %.4f, expected %.4f", n, got, want)
		}
		t.Logf("%d chunks: %.4f, %.4f", n, rows[0].Perplexity, r.Values[n-1])
		return
	}
	t.Error("perplexity.json has no f32 run with chunks of 256")
}
