package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lian/verify/shared"
)

// TestAGlanceSaysWhatTheTokenizerSays: on every tokenizer.json that we read.
func TestAGlanceSaysWhatTheTokenizerSays(t *testing.T) {
	dir := shared.Path(t, "testdata", "tokenizers")
	paths, err := filepath.Glob(filepath.Join(dir, "*", "tokenizer.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tokenizer.json in %s (%v)", dir, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := Parse(data)
		if err != nil {
			continue // what is not read yet
		}
		g, err := GlanceJSON(data)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var special []string
		for _, s := range tok.SpecialTokens() {
			special = append(special, s.Text)
		}
		slices.Sort(special)
		slices.Sort(g.Special)
		if g.Tokens != tok.VocabSize() || g.Merges != len(tok.Merges()) || !slices.Equal(special, g.Special) {
			t.Errorf("%s: glance %d tokens, %d merges, special %q; the tokenizer has %d, %d, %q", path, g.Tokens, g.Merges, g.Special, tok.VocabSize(), len(tok.Merges()), special)
		}
	}
}
