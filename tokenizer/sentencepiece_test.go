package tokenizer_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"lian/tokenizer"
	"lian/verify/shared"
)

// sentenceRow is a row of a golden file made with sentencepiece.
type sentenceRow struct {
	ID         string
	IDs        []int32
	Norm       *string // the normalised text where it is another
	Pieces     []string
	BOSEOS     []int32 `json:"bos_eos"`
	Decode     json.RawMessage
	DecodeEach []string `json:"decode_each"`
	Offsets    [][2]int
	Text       string
	Error      string
	NBestOf    string `json:"nbest_of"`
	NBest      [][]int32
}

func TestEqualsSentencePiece(t *testing.T) {
	texts := inputs(t)
	for _, c := range []struct {
		golden string
		file   []string
	}{
		{"internlm", []string{"tokenizers", "internlm", "tokenizer_internlm.model"}},
		{"internlm2", []string{"tokenizers", "internlm", "tokenizer_internlm2.model"}},
		{"llama2", []string{"tokenizers", "llama2", "tokenizer.model"}},
		{"stories260k", []string{"models", "stories260k", "tok512.model"}},
		{"unigram-en", []string{"tokenizers", "sentencepiece-unigram", "test_model.model"}},
		{"unigram-ja", []string{"tokenizers", "sentencepiece-unigram", "test_ja_model.model"}},
	} {
		t.Run(c.golden, func(t *testing.T) {
			t.Parallel()
			tok, err := tokenizer.Load(shared.Path(t, append([]string{"testdata"}, c.file...)...))
			if err != nil {
				t.Fatal(err)
			}
			checked := 0
			rows(t, shared.Path(t, "testdata", "golden", "data", "tokenizers", c.golden+".jsonl"), func(r sentenceRow) {
				checked++
				switch {
				case r.Error != "":
					t.Errorf("%s: the reference refuses it, which no row did", r.ID)
				case r.NBestOf != "":
					got, err := tok.NBest(texts[r.NBestOf], 4)
					if err != nil {
						t.Fatal(err)
					}
					if !sameSet(got, r.NBest) {
						t.Errorf("%s %q: best ways\n got %v\nwant %v", r.NBestOf, texts[r.NBestOf], got, r.NBest)
					}
				case r.ID != "":
					checkSentence(t, tok, texts[r.ID], r)
				case r.ID == "":
					var ids []int32
					if err := json.Unmarshal(r.Decode, &ids); err != nil {
						t.Fatal(err)
					}
					if got := tok.DecodeText(ids, false); got != r.Text {
						t.Errorf("decode %v: got %q, want %q", ids, got, r.Text)
					}
					for i, id := range ids {
						if piece := tok.Vocabulary()[id].Text; piece != r.Pieces[i] {
							t.Errorf("%d is %q, want %q", id, piece, r.Pieces[i])
						}
					}
					stream, got := tok.NewStream(), ""
					for _, id := range ids {
						got += stream.Push(id)
					}
					if got += stream.Flush(); got != r.Text {
						t.Errorf("stream %v: got %q, want %q", ids, got, r.Text)
					}
				}
			})
			if checked < 200 {
				t.Errorf("only %d rows", checked)
			}
		})
	}
}

// sameSet compares the best ways; those of equal score may come in any order.
func sameSet(got, want [][]int32) bool {
	if len(got) != len(want) || len(want) > 0 && !slices.Equal(got[0], want[0]) {
		return false
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g []int32) bool { return slices.Equal(g, w) }) {
			return false
		}
	}
	return true
}

func checkSentence(t *testing.T, tok *tokenizer.Tokenizer, text string, r sentenceRow) {
	t.Helper()
	ids := tok.Encode(text)
	if !slices.Equal(ids, r.IDs) {
		t.Errorf("%s %q:\n got %v\nwant %v", r.ID, text, ids, r.IDs)
		return
	}
	decoded := text
	if string(r.Decode) != "true" {
		if err := json.Unmarshal(r.Decode, &decoded); err != nil {
			t.Fatal(err)
		}
	}
	if got := tok.DecodeText(ids, false); got != decoded {
		t.Errorf("%s: decode: got %q, want %q", r.ID, got, decoded)
	}
	norm, err := tokenizer.NewNormalizer(tok.Definition().Normalize)
	if err != nil {
		t.Fatal(err)
	}
	normal := text
	if r.Norm != nil {
		normal = *r.Norm
	}
	if got := norm.Normalize(text); !strings.HasPrefix(r.ID, "sb") && got != normal { // rows of bytes tell no norm
		t.Errorf("%s %q: normalised %q, want %q", r.ID, text, got, normal)
	}
	vocabulary := tok.Vocabulary()
	for i, piece := range r.Pieces { // an unknown one is told as the text it stands for
		if known := vocabulary[ids[i]].Text; known != piece && tok.Definition().Roles[ids[i]] != tokenizer.UnknownRole {
			t.Errorf("%s %q: piece %d is %q, want %q", r.ID, text, i, known, piece)
		}
	}
	if bos, eos := tok.Edges(); r.BOSEOS != nil && !slices.Equal(slices.Concat(bos, ids, eos), r.BOSEOS) {
		t.Errorf("%s %q: with BOS and EOS got %v, want %v", r.ID, text, slices.Concat(bos, ids, eos), r.BOSEOS)
	}
	for i, want := range r.DecodeEach {
		if got := tok.DecodeText(ids[i:i+1], false); got != want {
			t.Errorf("%s: decode %d: got %q, want %q", r.ID, ids[i], got, want)
		}
	}
	tokens := tok.EncodeWith(text, nil)
	for i, x := range tokens {
		if x.ID != ids[i] {
			t.Fatalf("%s %q: with places token %d is %d, without %d", r.ID, text, i, x.ID, ids[i])
		}
		if r.Offsets != nil && r.Offsets[i] != [2]int{x.Start, x.End} {
			t.Errorf("%s %q: token %d is at [%d %d], want %v", r.ID, text, i, x.Start, x.End, r.Offsets[i])
		}
	}
}

// TestLlama2CEqualsItsModel compares the ids of tokenizer.bin with those of the .model
// that it was made from; run.c differs where the text has U+2581 itself.
func TestLlama2CEqualsItsModel(t *testing.T) {
	texts := inputs(t)
	tok, err := tokenizer.Load(shared.Path(t, "testdata", "tokenizers", "llama2", "tokenizer.bin"))
	if err != nil {
		t.Fatal(err)
	}
	rows(t, shared.Path(t, "testdata", "golden", "data", "tokenizers", "llama2.jsonl"), func(r sentenceRow) {
		text, ok := texts[r.ID]
		if !ok || r.Error != "" || !utf8.ValidString(text) || strings.Contains(text, "\u2581") {
			return
		}
		if got := tok.Encode(text); !slices.Equal(got, r.IDs) {
			t.Errorf("%s %q:\n got %v\nwant %v", r.ID, text, got, r.IDs)
		}
		if got := tok.Decode(tok.Encode(text)); got != text {
			t.Errorf("%s: decode: got %q, want %q", r.ID, got, text)
		}
	})
}
