package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lian/tokenizer"
	"lian/tokenizer/train"
	"lian/verify/shared"
)

// spArguments are the arguments of sentencepiece's trainer that the vectors use.
type spArguments struct {
	Model      string   `json:"model_type"`
	Vocab      int      `json:"vocab_size"`
	MaxLength  int      `json:"max_sentence_length"`
	Coverage   float64  `json:"character_coverage"`
	Fallback   bool     `json:"byte_fallback"`
	Digits     bool     `json:"split_digits"`
	Normalizer string   `json:"normalization_rule_name"`
	Extra      *bool    `json:"remove_extra_whitespaces"`
	Dummy      *bool    `json:"add_dummy_prefix"`
	OnlySpaces bool     `json:"allow_whitespace_only_pieces"`
	Symbols    []string `json:"user_defined_symbols"`
}

func (a spArguments) options() train.SentencePieceOptions {
	model := tokenizer.ScoreBPE
	if a.Model == "unigram" {
		model = tokenizer.Unigram
	}
	o := train.DefaultSentencePiece(model, a.Vocab)
	o.MaxSentenceLength, o.CharacterCoverage, o.ByteFallback, o.SplitDigits = a.MaxLength, a.Coverage, a.Fallback, a.Digits
	o.WhitespaceOnlyPieces, o.UserDefined = a.OnlySpaces, a.Symbols
	if a.Normalizer != "" {
		o.Normalizer = a.Normalizer
	}
	if a.Extra != nil {
		o.RemoveExtraWhitespaces = *a.Extra
	}
	if a.Dummy != nil {
		o.AddDummyPrefix = *a.Dummy
	}
	return o
}

type spPiece struct {
	text  string
	score float64
}

// TestEqualsSentencePiece compares vocabularies with what sentencepiece made of the
// same texts: BPE piece by piece, unigram by the share of common pieces and scores.
func TestEqualsSentencePiece(t *testing.T) {
	rows, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "training", "sentencepiece.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(rows)) {
		var row struct {
			File, Corpus string
			Args         spArguments
			Probe        map[string][]int32
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		t.Run(row.File, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "inputs", "train_corpora", row.Corpus))
			if err != nil {
				t.Fatal(err)
			}
			vocab, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "training", row.File+".vocab"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := train.TrainSentencePiece(context.Background(), slices.Values([]string{string(text)}), row.Args.options())
			if err != nil {
				t.Fatal(err)
			}
			d := got.Definition()
			var want []spPiece
			for line := range strings.Lines(string(vocab)) {
				text, score, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
				x, err := strconv.ParseFloat(score, 64)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, spPiece{text, x})
			}
			if row.Args.Model == "bpe" {
				same(t, "piece", d.Tokens, func() (out []string) {
					for i, p := range want {
						out = append(out, p.text)
						if i < len(d.Scores) && d.Scores[i] != p.score {
							t.Fatalf("score of %q is %v, want %v", p.text, d.Scores[i], p.score)
						}
					}
					return
				}())
				return
			}
			compareUnigram(t, d, want)
		})
	}
}

func compareUnigram(t *testing.T, d tokenizer.Definition, want []spPiece) {
	scores := map[string]float64{}
	for i, text := range d.Tokens {
		scores[text] = d.Scores[i]
	}
	common, worst, where := 0, 0.0, ""
	var missing []string
	for _, p := range want {
		score, ok := scores[p.text]
		if !ok {
			missing = append(missing, fmt.Sprintf("%s(%.3f)", p.text, p.score))
			continue
		}
		common++
		if x := math.Abs(score - p.score); x > worst {
			worst, where = x, p.text
		}
	}
	if len(d.Tokens) != len(want) || float64(common) < 0.98*float64(len(want)) || worst > 0.05 {
		t.Errorf("%d pieces of %d, %d in common; scores differ by up to %.3f (%q); missing: %s", len(d.Tokens), len(want), common, worst, where, missing)
	}
}

func TestSentencePieceWorkersAndOrderDoNotMatter(t *testing.T) {
	texts := varied()
	for _, model := range []tokenizer.Model{tokenizer.ScoreBPE, tokenizer.Unigram} {
		var first string
		for _, workers := range []int{1, 2, 5} {
			o := train.DefaultSentencePiece(model, 300)
			o.Workers = workers
			got, err := train.TrainSentencePiece(context.Background(), slices.Values(texts), o)
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = string(got.Model())
			}
			if string(got.Model()) != first {
				t.Errorf("%s: %d workers give another vocabulary", model, workers)
			}
			slices.Reverse(texts)
		}
	}
}

func TestSpecialPieces(t *testing.T) {
	o := train.DefaultSentencePiece(tokenizer.ScoreBPE, 420)
	o.ByteFallback, o.UserDefined, o.Control, o.PadID, o.RequiredChars = true, []string{"<|im_start|>", "</s>"}, []string{"<mask>"}, 5, "卍"
	text := "模型 model <|im_start|> the 模型 of the model\n"
	got, err := train.TrainSentencePiece(context.Background(), slices.Values([]string{strings.Repeat(text, 50), "太长" + strings.Repeat("长", 2000), "\n▅\n"}), o)
	if err != nil {
		t.Fatal(err)
	}
	if got.Sentences != 50 || got.TooLong != 1 || got.Reserved != 1 {
		t.Errorf("%d sentences, %d too long, %d reserved", got.Sentences, got.TooLong, got.Reserved)
	}
	d := got.Definition()
	for id, want := range map[int]string{0: "<unk>", 1: "<s>", 2: "</s>", 3: "<mask>", 4: "<|im_start|>", 5: "<pad>", 6: "<0x00>", 261: "<0xFF>"} {
		if d.Tokens[id] != want {
			t.Errorf("piece %d is %q, want %q", id, d.Tokens[id], want)
		}
	}
	if d.Roles[2] != tokenizer.UserDefined || d.Roles[3] != tokenizer.Control || d.Roles[6] != tokenizer.ByteRole || d.Roles[262] != tokenizer.Ordinary {
		t.Errorf("roles %v", d.Roles[:7])
	}
	if !slices.Contains(d.Tokens, "卍") || !slices.Contains(d.Tokens, "▁model") || slices.Contains(d.Tokens, "im") {
		t.Errorf("tokens %q", d.Tokens[262:])
	}
	tok, err := tokenizer.New(d)
	if err != nil {
		t.Fatal(err)
	}
	if text := "the model 不识"; tok.Decode(tok.Encode(text)) != text {
		t.Errorf("%q became %q", text, tok.Decode(tok.Encode(text)))
	}
}

func TestSentencePieceRefusals(t *testing.T) {
	for _, c := range []struct {
		why, says string
		change    func(o *train.SentencePieceOptions)
	}{
		{"no room for the characters", "too small", func(o *train.SentencePieceOptions) { o.VocabSize = 20 }},
		{"an unknown normaliser", "nmt_nfkc", func(o *train.SentencePieceOptions) { o.Normalizer = "nfk" }},
		{"coverage too low", "coverage", func(o *train.SentencePieceOptions) { o.CharacterCoverage = 0.5 }},
		{"two pieces with one id", "already", func(o *train.SentencePieceOptions) { o.PadID = 2 }},
		{"nothing for unknown characters", "unknown", func(o *train.SentencePieceOptions) { o.UnkID = -1 }},
		{"a symbol twice", "twice", func(o *train.SentencePieceOptions) { o.UserDefined = []string{"a", "a"} }},
		{"another model", "model", func(o *train.SentencePieceOptions) { o.Model = tokenizer.WordPiece }},
	} {
		o := train.DefaultSentencePiece(tokenizer.Unigram, 300)
		c.change(&o)
		_, err := train.TrainSentencePiece(context.Background(), slices.Values(varied()), o)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", c.why, err, c.says)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := train.TrainSentencePiece(ctx, slices.Values(varied()), train.DefaultSentencePiece(tokenizer.Unigram, 300)); err == nil {
		t.Error("went on after it was stopped")
	}
	if _, err := train.TrainSentencePiece(context.Background(), slices.Values([]string{"\n \n"}), train.DefaultSentencePiece(tokenizer.ScoreBPE, 300)); err == nil {
		t.Error("learnt from nothing")
	}
}
