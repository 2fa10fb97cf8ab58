package tokenizer_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lian/tokenizer"
)

// checkTruncation holds a row with the first window and those that overflow.
func checkTruncation(t *testing.T, tok *tokenizer.Tokenizer, g golden) {
	t.Helper()
	var text string
	var want []int32
	if json.Unmarshal(g.Text, &text) != nil || json.Unmarshal(g.IDs, &want) != nil || len(g.Truncate) != 3 {
		t.Fatalf("row not understood: %+v", g)
	}
	cut := tokenizer.Truncation{MaxLength: int(g.Truncate[0].(float64)), Stride: int(g.Truncate[1].(float64)), Strategy: "LongestFirst", Direction: "Right"}
	if g.Truncate[2] == "left" {
		cut.Direction = "Left"
	}
	got, err := tok.Assemble(tok.Template(false, false), &cut, tok.EncodeWith(text, nil))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.IDs(), want) || !reflect.DeepEqual(spilt(&got), g.Overflow) {
		t.Errorf("%v:\n got %v %v\nwant %v %v", g.Truncate, got.IDs(), spilt(&got), want, g.Overflow)
	}
}

func spilt(e *tokenizer.Encoding) [][]int32 {
	out := [][]int32{}
	for i := range e.Overflowing {
		out = append(out, e.Overflowing[i].IDs())
	}
	return out
}

// checkPadding holds a row with a padded batch and its attention masks.
func checkPadding(t *testing.T, tok *tokenizer.Tokenizer, g golden) {
	t.Helper()
	var want [][]int32
	if json.Unmarshal(g.IDs, &want) != nil || len(g.Pad) != 2 {
		t.Fatalf("row not understood: %+v", g)
	}
	p := tokenizer.Padding{Direction: "Right"}
	if g.Pad[0] == "left" {
		p.Direction = "Left"
	}
	if m, ok := g.Pad[1].(float64); ok {
		p.Multiple = int(m)
	}
	var batch []tokenizer.Encoding
	for _, text := range g.Texts {
		// The row of smollm2 was made after its truncation had been taken off.
		e, err := tok.Assemble(tok.Template(false, false), nil, tok.EncodeWith(text, nil))
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, e)
	}
	p.Pad(batch)
	for i := range batch {
		if !slices.Equal(batch[i].IDs(), want[i]) || !slices.Equal(batch[i].Mask, g.Mask[i]) {
			t.Errorf("%v %q:\n got %v %v\nwant %v %v", g.Pad, g.Texts[i], batch[i].IDs(), batch[i].Mask, want[i], g.Mask[i])
		}
	}
}

// letters are a tokenizer whose tokens are letters: a is 0, and [ ] | come after z.
func letters(t *testing.T, post string) *tokenizer.Tokenizer {
	t.Helper()
	vocab := []string{}
	for i, r := range "abcdefghijklmnopqrstuvwxyz[]|" {
		vocab = append(vocab, fmt.Sprintf("%q:%d", string(r), i))
	}
	tok, err := tokenizer.Parse([]byte(`{"model":{"type":"BPE","vocab":{` + strings.Join(vocab, ",") + `},"merges":[]},"post_processor":` + post + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

const (
	bertPost     = `{"type":"BertProcessing","cls":["[",26],"sep":["]",27]}`
	robertaPost  = `{"type":"RobertaProcessing","cls":["[",26],"sep":["]",27],"trim_offsets":true,"add_prefix_space":true}`
	templatePost = `{"type":"TemplateProcessing",
		"single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"|","type_id":2}}],
		"pair":[{"SpecialToken":{"id":"|","type_id":0}},{"Sequence":{"id":"B","type_id":1}},{"SpecialToken":{"id":"]","type_id":1}},{"Sequence":{"id":"A","type_id":2}}],
		"special_tokens":{"|":{"id":"|","ids":[28],"tokens":["|"]},"]":{"id":"]","ids":[27],"tokens":["]"]}}}`
)

// written is an encoding as letters and segments, what overflows after it.
func written(tok *tokenizer.Tokenizer, e *tokenizer.Encoding) []string {
	text := ""
	for _, x := range e.Tokens {
		text += tok.Vocabulary()[x.ID].Text
	}
	text += " "
	for _, kind := range e.Types {
		text += fmt.Sprint(kind)
	}
	out := []string{text}
	for i := range e.Overflowing {
		out = append(out, written(tok, &e.Overflowing[i])...)
	}
	return out
}

// TestPairsGoThroughThePostProcessor has what HF tokenizers 0.23.3 gives.
func TestPairsGoThroughThePostProcessor(t *testing.T) {
	longest := func(n, stride int) *tokenizer.Truncation {
		return &tokenizer.Truncation{MaxLength: n, Stride: stride, Strategy: "LongestFirst", Direction: "Right"}
	}
	for _, c := range []struct {
		post    string
		special bool
		cut     *tokenizer.Truncation
		texts   []string
		want    []string
	}{
		{bertPost, true, nil, []string{"ab"}, []string{"[ab] 0000"}},
		{bertPost, true, nil, []string{"ab", "xyz"}, []string{"[ab]xyz] 00001111"}},
		{bertPost, false, nil, []string{"ab", "xyz"}, []string{"abxyz 00111"}},
		{robertaPost, true, nil, []string{"ab", "xyz"}, []string{"[ab]]xyz] 000000000"}},
		{templatePost, true, nil, []string{"ab"}, []string{"ab| 002"}},
		{templatePost, true, nil, []string{"ab", "xyz"}, []string{"|xyz]ab 0111122"}},
		{templatePost, false, nil, []string{"ab", "xyz"}, []string{"xyzab 11122"}},
		{"null", true, nil, []string{"ab", "xyz"}, []string{"abxyz 00111"}},
		{bertPost, true, longest(4, 1), []string{"abcd"}, []string{"[ab] 0000", "[bc] 0000", "[cd] 0000"}},
		{bertPost, true, longest(2, 0), []string{"abc"}, []string{"[] 00", "[abc] 00000"}},
		{bertPost, true, longest(7, 0), []string{"ab", "wxyz"}, []string{"[ab]wx] 0000111", "[ab]yz] 0000111"}},
		{templatePost, true, longest(6, 0), []string{"abc", "wxyz"}, []string{"|wx]ab 011122", "|yz]ab 011122", "|yz]c 01110", "|wx]c 01110"}},
	} {
		tok := letters(t, c.post)
		var tokens [][]tokenizer.Token
		for _, text := range c.texts {
			tokens = append(tokens, tok.EncodeWith(text, nil))
		}
		e, err := tok.Assemble(tok.Template(len(c.texts) == 2, c.special), c.cut, tokens...)
		if err != nil {
			t.Fatal(err)
		}
		if got := written(tok, &e); !slices.Equal(got, c.want) {
			t.Errorf("%s %q %+v:\n got %q\nwant %q", c.post[:min(30, len(c.post))], c.texts, c.cut, got, c.want)
		}
		back, err := tokenizer.New(tok.Definition())
		if err != nil {
			t.Fatal(err)
		}
		data, err := back.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := tokenizer.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if e, err = again.Assemble(again.Template(len(c.texts) == 2, c.special), nil, tokens...); c.cut == nil && (err != nil || !slices.Equal(written(again, &e), c.want)) {
			t.Errorf("%s %q: written and read again %q %v, want %q", c.post[:min(30, len(c.post))], c.texts, written(again, &e), err, c.want)
		}
	}
}

func TestWhatCannotBeCutIsRefused(t *testing.T) {
	tok := letters(t, bertPost)
	for _, c := range []struct {
		cut  tokenizer.Truncation
		two  bool
		says string
	}{
		{tokenizer.Truncation{MaxLength: 1}, false, "expects 2 around"},
		{tokenizer.Truncation{MaxLength: 4, Stride: 2, Strategy: "LongestFirst"}, false, "stride of 2"},
		{tokenizer.Truncation{MaxLength: 4, Strategy: "OnlySecond"}, false, "there is one only"},
		{tokenizer.Truncation{MaxLength: 5, Strategy: "OnlyFirst"}, true, "nothing would be left"},
	} {
		tokens := [][]tokenizer.Token{tok.EncodeWith("abc", nil)}
		if c.two {
			tokens = append(tokens, tok.EncodeWith("xyz", nil))
		}
		_, err := tok.Assemble(tok.Template(c.two, true), &c.cut, tokens...)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v, want one that says %q", c.cut, err, c.says)
		}
	}
}

func TestPaddingOfAFileIsReadAndWritten(t *testing.T) {
	good, _ := small(t, func(d *tokenizer.Definition) {
		d.Padding = &tokenizer.Padding{Length: 8, Multiple: 4, Direction: "Left", ID: 1, Type: 2, Token: "x"}
	}).JSON()
	tok, err := tokenizer.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	if p := tok.Padding(); p == nil || *p != (tokenizer.Padding{Length: 8, Multiple: 4, Direction: "Left", ID: 1, Type: 2, Token: "x"}) {
		t.Errorf("got %+v", p)
	}
	for _, bad := range []string{`{"strategy":"Shortest"}`, `{"strategy":{"Fixed":-1}}`, `{"strategy":"BatchLongest","direction":"Up"}`, `{"colour":1}`} {
		if _, err := tokenizer.Parse(set(t, good, "padding", bad)); err == nil || !strings.Contains(err.Error(), "padding") {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}
