package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"lian/tokenizer"
	"lian/tokenizer/train"
	"lian/verify/shared"
)

// TestEqualsHuggingFace compares merges, vocabulary and ids of probes with what
// BpeTrainer made of the same lines.
func TestEqualsHuggingFace(t *testing.T) {
	gpt2 := tokenizer.Step{Kind: tokenizer.ByteLevelStep, Pattern: tokenizer.PatternGPT2}
	prefixed := gpt2
	prefixed.PrefixSpace = true
	kinds := map[string]train.Options{
		"bl-gpt2":    {Steps: []tokenizer.Step{gpt2}},
		"bl-llama3":  {Pattern: "llama3"},
		"bl-noalpha": {Steps: []tokenizer.Step{prefixed}, SeenBytesOnly: true},
	}
	for _, corpus := range []string{"en", "mix"} {
		text, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "inputs", "train_corpora", corpus+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for kind, o := range kinds {
			for _, size := range []int{512, 2000, 4096} {
				name := fmt.Sprintf("%s.%s.%d", corpus, kind, size)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					data, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "training", name+".json"))
					if err != nil {
						t.Fatal(err)
					}
					var want struct {
						Meta struct {
							Args struct {
								VocabSize      int      `json:"vocab_size"`
								Special        []string `json:"special_tokens"`
								MinFrequency   int64    `json:"min_frequency"`
								MaxTokenLength int      `json:"max_token_length"`
							}
						}
						Merges []string
						Vocab  []string
						Probe  map[string][]int32
					}
					if err := json.Unmarshal(data, &want); err != nil {
						t.Fatal(err)
					}
					a := want.Meta.Args
					o.VocabSize, o.Special, o.MinFrequency, o.MaxTokenBytes = a.VocabSize, a.Special, a.MinFrequency, a.MaxTokenLength
					tok, err := train.Train(context.Background(), lines(string(text)), o)
					if err != nil {
						t.Fatal(err)
					}
					var merges, vocab []string
					for _, m := range tok.Merges() {
						merges = append(merges, m[0]+" "+m[1])
					}
					for _, e := range tok.Vocabulary() {
						vocab = append(vocab, e.Text)
					}
					same(t, "merge", merges, want.Merges)
					same(t, "token", vocab, want.Vocab)
					for text, ids := range want.Probe {
						if got := tok.Encode(text); !slices.Equal(got, ids) {
							t.Errorf("%q: got %v, want %v", text, got, ids)
						}
					}
				})
			}
		}
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s %d: got %q, want %q", what, i, got[i], want[i])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d %ss, want %d", len(got), what, len(want))
	}
}

// lines is Python's str.splitlines(keepends=True), the texts the vectors were made of.
func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for text != "" {
			end := len(text)
			if i := strings.IndexAny(text, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"); i >= 0 {
				end = i + 1
				if text[i] >= 0x80 {
					end = i + len(string([]rune(text[i : i+3])[:1]))
				}
				if strings.HasPrefix(text[i:], "\r\n") {
					end = i + 2
				}
			}
			if !yield(text[:end]) {
				return
			}
			text = text[end:]
		}
	}
}

// varied is English, Chinese and code, words in a fixed pseudo-random order.
func varied() []string {
	english := strings.Fields("the language model learns words from newest text and widest lower code with many different endings walking walked walker talks talking tokens")
	chinese := strings.Fields("中文 模型 语言 训练 数据 分词 学习 我们 他们 问题 答案 的 了 在 是 和 大 小 新 旧")
	r := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 600 {
		var b strings.Builder
		for range 12 {
			b.WriteString(english[r.IntN(len(english))] + " ")
		}
		b.WriteString("\n")
		for range 12 {
			b.WriteString(chinese[r.IntN(len(chinese))])
		}
		fmt.Fprintf(&b, "。\nfunc f%d() int { return %d }\n", r.IntN(100), r.IntN(1000))
		texts = append(texts, b.String())
	}
	return texts
}

func TestWorkersAndOrderDoNotMatter(t *testing.T) {
	texts := varied()
	hash := ""
	for _, workers := range []int{1, 2, 3, 8} {
		tok, err := train.Train(context.Background(), slices.Values(texts), train.Options{VocabSize: 1000, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if hash == "" {
			hash = tok.Hash()
		}
		if tok.Hash() != hash {
			t.Errorf("%d workers give another vocabulary", workers)
		}
		slices.Reverse(texts)
	}
}

func TestVocabulary(t *testing.T) {
	var last, calls int
	tok, err := train.Train(context.Background(), slices.Values(varied()), train.Options{
		VocabSize: 500, Special: []string{"<|im_start|>", "<|im_end|>"}, MaxTokenBytes: 9,
		Progress: func(done, total int) {
			if calls++; done < last || total != 500 {
				t.Errorf("progress went from %d to %d of %d", last, done, total)
			}
			last = done
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if tok.VocabSize() != 500 || last != 500 {
		t.Errorf("%d tokens, progress ended at %d, want 500", tok.VocabSize(), last)
	}
	if id, ok := tok.Special("<|im_end|>"); !ok || id != 1 {
		t.Errorf("<|im_end|> is %d, %v", id, ok)
	}
	if tok.PatternName() != tokenizer.DefaultPattern || len(tok.MissingBytes()) != 0 {
		t.Errorf("pattern %q, missing bytes %v", tok.PatternName(), tok.MissingBytes())
	}
	for _, e := range tok.Vocabulary() {
		if !e.Special && len(e.Bytes) >= 9 {
			t.Errorf("%q is longer than allowed", e.Bytes)
		}
	}
	if id, ok := tok.ID(tokenizer.ByteLevel("中文")); !ok {
		t.Errorf("a common Chinese word did not become a token (%d)", id)
	}
	for _, text := range []string{"中文 <|im_end|> 😀", "\xff", "unseen ŵörds"} {
		if got := tok.Decode(tok.Encode(text)); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestFewTextsGiveASmallVocabulary(t *testing.T) {
	tok, err := train.Train(context.Background(), slices.Values([]string{"中中"}), train.Options{VocabSize: 5000})
	if err != nil {
		t.Fatal(err)
	}
	if tok.VocabSize() != 256+3 { // the two merges of one character, and the pair
		t.Errorf("%d tokens", tok.VocabSize())
	}
	tok, err = train.Train(context.Background(), slices.Values([]string{}), train.Options{VocabSize: 256})
	if err != nil || tok.VocabSize() != 256 {
		t.Errorf("no text at all: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		why  string
		ctx  context.Context
		o    train.Options
		says string
	}{
		{"no room for the bytes", context.Background(), train.Options{VocabSize: 255}, "too small"},
		{"no room for the special tokens", context.Background(), train.Options{VocabSize: 256, Special: []string{"<s>"}}, "too small"},
		{"unknown pattern", context.Background(), train.Options{VocabSize: 300, Pattern: "gtp-2"}, "gtp-2"},
		{"special token twice", context.Background(), train.Options{VocabSize: 300, Special: []string{"<s>", "<s>"}}, "<s>"},
		{"empty special token", context.Background(), train.Options{VocabSize: 300, Special: []string{""}}, "empty"},
		{"negative limit", context.Background(), train.Options{VocabSize: 300, MaxTokenBytes: -1}, "negative"},
		{"stopped", cancelled, train.Options{VocabSize: 300}, "canceled"},
	} {
		_, err := train.Train(c.ctx, slices.Values(varied()), c.o)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", c.why, err, c.says)
		}
	}
}
