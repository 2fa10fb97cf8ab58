package tokenizer_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"lian/tokenizer"
	"lian/verify/shared"
)

// inputs are the texts of the golden vectors by their id.
func inputs(t *testing.T) map[string]string {
	t.Helper()
	var rows []struct {
		ID    string
		Text  string
		Bytes string `json:"bytes_hex"` // instead of Text, for bytes that are not UTF-8
	}
	readJSON(t, shared.Path(t, "testdata", "golden", "data", "inputs", "tokenizer_strings.json"), &rows)
	texts := map[string]string{}
	for _, r := range rows {
		texts[r.ID] = r.Text
		if b, err := hex.DecodeString(r.Bytes); err == nil && r.Bytes != "" {
			texts[r.ID] = string(b)
		}
	}
	return texts
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// rows calls f with each line of a golden file after the first, which describes it.
func rows[T any](t *testing.T, path string, f func(T)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for n := 0; lines.Scan(); n++ {
		if n == 0 {
			continue
		}
		var row T
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatalf("%s:%d: %v", path, n+1, err)
		}
		f(row)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// gpt2 is GPT-2's tokenizer from its two files.
func gpt2(t *testing.T) *tokenizer.Tokenizer {
	t.Helper()
	var vocab map[string]int32
	readJSON(t, shared.Path(t, "testdata", "tokenizers", "bpe-training", "gpt2_vocab.json"), &vocab)
	d := tokenizer.Definition{Tokens: make([]string, len(vocab))}
	for text, id := range vocab {
		d.Tokens[id] = text
	}
	file, err := os.Open(shared.Path(t, "testdata", "tokenizers", "bpe-training", "gpt2_merges.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var m [2]string
		if n, _ := fmt.Sscanf(lines.Text(), "%s %s", &m[0], &m[1]); n == 2 && m[0] != "#version:" {
			d.Merges = append(d.Merges, m)
		}
	}
	d.Added = []tokenizer.Added{{ID: 50256, Text: "<|endoftext|>", Special: true}}
	d.Steps, _ = tokenizer.PatternSteps("gpt-2")
	tok, err := tokenizer.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// published is a file with its digit splitting put back, as the model was published.
func published(t *testing.T, tok *tokenizer.Tokenizer) *tokenizer.Tokenizer {
	t.Helper()
	d := tok.Definition()
	d.Steps, _ = tokenizer.PatternSteps("smollm")
	out, err := tokenizer.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// golden is one row of a tokenizers/*.jsonl made with Hugging Face tokenizers.
type golden struct {
	ID         string
	IDs        json.RawMessage // a list, or one for each text (padding)
	IDsPlain   []int32         `json:"ids_plain"`
	Tokens     []string
	Offsets    [][2]int // code points
	Decode     json.RawMessage
	DecodeSkip *string `json:"decode_skip_special"`
	Text       json.RawMessage
	TextSkip   string `json:"text_skip"`
	PrefixesOf string `json:"prefixes_of"`
	Truncate   []any
	Overflow   [][]int32
	Pad        []any
	Texts      []string
	Mask       [][]int32
}

func TestEqualsHuggingFace(t *testing.T) {
	texts := inputs(t)
	load := func(name string) *tokenizer.Tokenizer {
		tok, err := tokenizer.Load(shared.Path(t, "testdata", "tokenizers", name))
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	for _, c := range []struct {
		name  string
		tok   *tokenizer.Tokenizer
		limit int // the file truncates, which Encode leaves to the caller
	}{
		{"smollm2", load("smollm2"), 128},
		{"smollm2-published", published(t, load("smollm2")), 0},
		{"minimind", load("minimind"), 0},
		{"tiny-bpe", load("tiny-bpe"), 0},
		{"gpt2", gpt2(t), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			checked := 0
			rows(t, shared.Path(t, "testdata", "golden", "data", "tokenizers", c.name+".jsonl"), func(g golden) {
				checked++
				switch {
				case g.Truncate != nil:
					checkTruncation(t, c.tok, g)
				case g.Pad != nil:
					checkPadding(t, c.tok, g)
				case g.PrefixesOf != "":
					checkPrefixes(t, c.tok, texts[g.PrefixesOf], g, c.limit)
				case g.ID != "":
					checkEncoding(t, c.tok, texts[g.ID], g, c.limit)
				default:
					checkDecoding(t, c.tok, g)
				}
			})
			if checked < 300 {
				t.Errorf("only %d rows", checked)
			}
		})
	}
}

func cut(ids []int32, limit int) []int32 {
	if limit > 0 && len(ids) > limit {
		return ids[:limit]
	}
	return ids
}

func checkEncoding(t *testing.T, tok *tokenizer.Tokenizer, text string, g golden, limit int) {
	t.Helper()
	ids := cut(tok.EncodeAll(text), limit)
	var want []int32
	if err := json.Unmarshal(g.IDs, &want); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids, want) {
		t.Errorf("%s %q:\n got %v\nwant %v", g.ID, text, ids, want)
		return
	}
	plain := want
	if g.IDsPlain != nil {
		plain = g.IDsPlain
	}
	if got := cut(tok.Encode(text), limit); !slices.Equal(got, plain) {
		t.Errorf("%s %q as plain text:\n got %v\nwant %v", g.ID, text, got, plain)
	}
	decoded := text
	if string(g.Decode) != "true" {
		if err := json.Unmarshal(g.Decode, &decoded); err != nil {
			t.Fatal(err)
		}
	}
	if got := tok.DecodeText(ids, false); got != decoded {
		t.Errorf("%s: decode: got %q, want %q", g.ID, got, decoded)
	}
	if g.DecodeSkip != nil {
		if got := tok.DecodeText(ids, true); got != *g.DecodeSkip {
			t.Errorf("%s: decode without special tokens: got %q, want %q", g.ID, got, *g.DecodeSkip)
		}
	}
	tokens := tok.EncodeWith(text, func(int, int) bool { return true })
	vocabulary := tok.Vocabulary()
	for i := range g.Tokens {
		if vocabulary[ids[i]].Text != g.Tokens[i] {
			t.Errorf("%s: token %d is %q, want %q", g.ID, i, vocabulary[ids[i]].Text, g.Tokens[i])
		}
		if len(tok.MissingBytes()) > 0 {
			continue // the reference's places drift after a byte that it left out
		}
		// The reference counts code points and widens to whole ones.
		start := utf8.RuneCountInString(text[:back(text, tokens[i].Start)])
		end := utf8.RuneCountInString(text[:forward(text, tokens[i].End)])
		if got := [2]int{start, end}; got != g.Offsets[i] {
			t.Errorf("%s %q: token %d is at %v, want %v", g.ID, text, i, got, g.Offsets[i])
		}
	}
}

func back(text string, i int) int {
	for i > 0 && i < len(text) && !utf8.RuneStart(text[i]) {
		i--
	}
	return i
}

func forward(text string, i int) int {
	for i < len(text) && !utf8.RuneStart(text[i]) {
		i++
	}
	return i
}

func checkDecoding(t *testing.T, tok *tokenizer.Tokenizer, g golden) {
	t.Helper()
	var ids []int32
	var want string
	if json.Unmarshal(g.Decode, &ids) != nil || json.Unmarshal(g.Text, &want) != nil {
		t.Fatalf("row not understood: %+v", g)
	}
	if got := tok.DecodeText(ids, false); got != want {
		t.Errorf("decode %v: got %q, want %q", ids, got, want)
	}
	if got := tok.DecodeText(ids, true); got != g.TextSkip {
		t.Errorf("decode %v without special tokens: got %q, want %q", ids, got, g.TextSkip)
	}
	stream, got := tok.NewStream(), ""
	for _, id := range ids {
		got += stream.Push(id)
	}
	if got += stream.Flush(); got != want {
		t.Errorf("stream %v: got %q, want %q", ids, got, want)
	}
}

func checkPrefixes(t *testing.T, tok *tokenizer.Tokenizer, text string, g golden, limit int) {
	t.Helper()
	var want []string
	if err := json.Unmarshal(g.Text, &want); err != nil {
		t.Fatal(err)
	}
	ids := cut(tok.EncodeAll(text), limit)
	for i := range want {
		if i >= len(ids) {
			t.Errorf("%s: %d ids, want %d", g.PrefixesOf, len(ids), len(want))
			return
		}
		if got := tok.DecodeText(ids[:i+1], false); got != want[i] {
			t.Errorf("%s: first %d ids: got %q, want %q", g.PrefixesOf, i+1, got, want[i])
		}
	}
}

// TestPiecesEqualReference splits by the patterns that the file's first row has, and by
// those of their names.
func TestPiecesEqualReference(t *testing.T) {
	texts := inputs(t)
	path := shared.Path(t, "testdata", "golden", "data", "tokenizers", "pretokenize.jsonl")
	splitters := map[string][]*tokenizer.Splitter{}
	add := func(key string, steps []tokenizer.Step) {
		splitter, err := tokenizer.NewSplitter(steps)
		if err != nil {
			t.Fatal(err)
		}
		splitters[key] = append(splitters[key], splitter)
	}
	for key, name := range map[string]string{"gpt2": "gpt-2", "qwen2": "qwen2", "llama3": "llama-bpe"} {
		steps, _ := tokenizer.PatternSteps(name)
		add(key, steps)
	}
	for key, pattern := range patternsOf(t, path) {
		// {1,3}+ takes one to three for tiktoken, and any number for tokenizer.json.
		pattern = strings.ReplaceAll(pattern, "{1,3}+", "{1,3}")
		add(key, []tokenizer.Step{{Kind: tokenizer.Split, Pattern: pattern}})
	}
	if len(splitters) != 5 {
		t.Errorf("the file has patterns of other names than the test knows: %d", len(splitters))
	}
	rows(t, path, func(r map[string]json.RawMessage) {
		var id string
		if err := json.Unmarshal(r["id"], &id); err != nil {
			t.Fatal(err)
		}
		for key, all := range splitters {
			for _, splitter := range all {
				checkPieces(t, id+" "+key, splitter, texts[id], r[key])
			}
		}
	})
}

// patternsOf reads the patterns of the first row.
func patternsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var first struct {
		Meta struct{ Patterns map[string]string }
	}
	if err := json.NewDecoder(file).Decode(&first); err != nil {
		t.Fatal(err)
	}
	return first.Meta.Patterns
}

// checkPieces compares pieces, or for long texts their lengths, with what is wanted.
func checkPieces(t *testing.T, where string, splitter *tokenizer.Splitter, text string, want json.RawMessage) {
	t.Helper()
	pieces, lengths := []string{}, []int{}
	splitter.Split(text, func(p string) {
		pieces = append(pieces, p)
		lengths = append(lengths, utf8.RuneCountInString(p))
	})
	var wantPieces []string
	if json.Unmarshal(want, &wantPieces) == nil {
		if !slices.Equal(pieces, wantPieces) {
			t.Errorf("%s: got %q, want %q", where, pieces, wantPieces)
		}
		return
	}
	var wantLengths []int
	if err := json.Unmarshal(want, &wantLengths); err != nil {
		t.Fatalf("%s: %.80s: %v", where, want, err)
	}
	if !slices.Equal(lengths, wantLengths) {
		t.Errorf("%s: lengths %v, want %v", where, lengths, wantLengths)
	}
}
