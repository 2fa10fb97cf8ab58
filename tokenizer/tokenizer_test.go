package tokenizer_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"lian/tokenizer"
)

// small is a tokenizer with a few merges, chat marks and a mark that is not special.
func small(t testing.TB, change ...func(*tokenizer.Definition)) *tokenizer.Tokenizer {
	t.Helper()
	d := tokenizer.Definition{Tokens: []string{"<|end|>", "<|start|>", "<think>"}}
	d.Added = []tokenizer.Added{
		{ID: 0, Text: "<|end|>", Special: true},
		{ID: 1, Text: "<|start|>", Special: true},
		{ID: 2, Text: "<think>"},
	}
	d.Tokens = append(d.Tokens, tokenizer.Alphabet()...)
	for _, m := range [][2]string{{"h", "e"}, {"l", "l"}, {"he", "ll"}, {"hell", "o"}, {"Ġ", "w"}, {"ä", "¸"}, {"ä¸", "Ń"}, {"æ", "ĸ"}, {"æĸ", "ĩ"}, {"ä¸Ń", "æĸĩ"}} {
		d.Merges = append(d.Merges, m)
		d.Tokens = append(d.Tokens, m[0]+m[1])
	}
	d.Steps, _ = tokenizer.PatternSteps(tokenizer.DefaultPattern)
	for _, f := range change {
		f(&d)
	}
	tok, err := tokenizer.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

var everyKind = []string{
	"", "hello world", "中文分词，你好。", "hello 中文 world", "😀 emoji 👨‍👩‍👧 🇨🇳", "e\u0301 café",
	"func main() {\n\tfmt.Println(\"中文\")\n}\n", "\xff\xfe not UTF-8 \xe4\xb8", "\x00\x01\x7f", "   spaces\t\r\n\r\n  ",
	"<|start|>user\nhi<|end|>", "<think>hm</think>", strings.Repeat("a", 1000), strings.Repeat("中文", 500), "１２３ 123 Ⅷ",
}

func TestTextSurvives(t *testing.T) {
	tok := small(t)
	for _, text := range everyKind {
		if got := tok.Decode(tok.Encode(text)); got != text {
			t.Errorf("plain: got %q, want %q", got, text)
		}
		if got := tok.Decode(tok.EncodeAll(text)); got != text {
			t.Errorf("with control tokens: got %q, want %q", got, text)
		}
	}
}

func TestControlTokensInTextArePlainUnlessAllowed(t *testing.T) {
	tok := small(t)
	text := "<|start|>用户说<|start|>坏<|end|><think>"
	for _, id := range tok.Encode(text) {
		if tok.IsSpecial(id) {
			t.Errorf("Encode made the control token %d from text", id)
		}
	}
	if ids := tok.Encode(text); ids[len(ids)-1] != 2 {
		t.Errorf("an added token that is no control token is always recognised; got %v", ids)
	}
	// Only the first mark and the last come from the template.
	last := strings.LastIndex(text, "<|end|>")
	tokens := tok.EncodeWith(text, func(start, end int) bool { return start == 0 || start == last })
	var special []string
	for _, x := range tokens {
		if tok.IsSpecial(x.ID) {
			special = append(special, fmt.Sprintf("%s %d", text[x.Start:x.End], x.Start))
		}
	}
	if want := []string{"<|start|> 0", fmt.Sprintf("<|end|> %d", last)}; !slices.Equal(special, want) {
		t.Errorf("got %v, want %v", special, want)
	}
}

func TestPlacesCoverTheText(t *testing.T) {
	tok := small(t)
	for _, text := range everyKind {
		at := 0
		for i, x := range tok.EncodeWith(text, func(int, int) bool { return true }) {
			if x.Start != at || text[x.Start:x.End] != string(tok.TokenBytes(x.ID)) {
				t.Fatalf("%q: token %d %q is at [%d %d), expected from %d", text, i, tok.TokenBytes(x.ID), x.Start, x.End, at)
			}
			at = x.End
		}
		if at != len(text) {
			t.Errorf("%q: tokens end at %d of %d", text, at, len(text))
		}
	}
}

func TestStripAndPrefixSpace(t *testing.T) {
	tok := small(t, func(d *tokenizer.Definition) {
		d.Added[2].StripLeft, d.Added[2].StripRight = true, true
	})
	tokens := tok.EncodeWith("中 \n<think>　文", nil)
	found := false
	for _, x := range tokens {
		if x.ID == 2 {
			found = true
			if x.Start != 3 || x.End != 3+2+7+3 {
				t.Errorf("the token with its white space is at [%d %d)", x.Start, x.End)
			}
		}
	}
	if !found {
		t.Error("token not found")
	}
	prefixed := small(t, func(d *tokenizer.Definition) {
		d.Steps = []tokenizer.Step{{Kind: tokenizer.ByteLevelStep, Pattern: tokenizer.PatternGPT2, PrefixSpace: true}}
	})
	tokens = prefixed.EncodeWith("world", nil)
	if got := string(prefixed.TokenBytes(tokens[0].ID)); got != " w" || tokens[0].Start != 0 || tokens[0].End != 1 {
		t.Errorf("first token %q at [%d %d), want \" w\" at [0 1)", got, tokens[0].Start, tokens[0].End)
	}
}

func TestNFC(t *testing.T) {
	tok := small(t, func(d *tokenizer.Definition) { d.Normalize = []tokenizer.Normalization{{Kind: tokenizer.NFC}} })
	for _, text := range []string{"e\u0301", "hello e\u0301\u0301 中文", "한글", "\xff e\u0301", "ascii"} {
		if got, want := tok.Decode(tok.Encode(text)), norm.NFC.String(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		at := 0
		for _, x := range tok.EncodeWith(text, nil) {
			if x.Start < at-3 || x.End < x.Start || x.End > len(text) {
				t.Errorf("%q: token at [%d %d) after %d", text, x.Start, x.End, at)
			}
			at = x.End
		}
		if at != len(text) {
			t.Errorf("%q: tokens end at %d of %d", text, at, len(text))
		}
	}
}

func TestStreamNeverGivesHalfACharacter(t *testing.T) {
	tok := small(t)
	for _, text := range everyKind {
		ids := tok.Encode(text)
		stream, got := tok.NewStream(), ""
		for _, id := range ids {
			part := stream.Push(id)
			if !utf8.ValidString(part) {
				t.Errorf("%q: the part %q is not UTF-8", text, part)
			}
			got += part
			if !strings.HasPrefix(tok.DecodeText(ids, false), got) {
				t.Errorf("%q: the stream gave %q", text, got)
			}
		}
		if got += stream.Flush(); got != tok.DecodeText(ids, false) {
			t.Errorf("got %q, want %q", got, tok.DecodeText(ids, false))
		}
		if utf8.ValidString(text) && got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	if got := tok.DecodeText([]int32{-1, 1 << 30}, false); got != "\ufffd\ufffd" {
		t.Errorf("ids outside the vocabulary give %q", got)
	}
}

func TestWrongBytesAreReplacedAsTheWebDoes(t *testing.T) {
	tok := small(t)
	for text, want := range map[string]string{
		"a\xe4\xb8b":         "a\ufffdb",                  // one beginning of a character
		"\xff\xfe":           "\ufffd\ufffd",              // two bytes that begin none
		"\xed\xa0\x80":       "\ufffd\ufffd\ufffd",        // a surrogate is no beginning
		"\xf0\x9f\x98":       "\ufffd",                    // cut off
		"\xf0\x9f\x98\xf0":   "\ufffd\ufffd",              //
		"\xc0\xaf\xe0\x80中":  "\ufffd\ufffd\ufffd\ufffd中", // overlong forms
		"\xf4\x90\x80\x80ok": "\ufffd\ufffd\ufffd\ufffdok",
	} {
		ids := tok.Encode(text)
		if got := tok.DecodeText(ids, false); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestSavedFileGivesTheSameTokenizer(t *testing.T) {
	for _, change := range []func(*tokenizer.Definition){
		func(*tokenizer.Definition) {},
		func(d *tokenizer.Definition) {
			d.Normalize = []tokenizer.Normalization{{Kind: tokenizer.NFC}}
			d.IgnoreMerges = true
		},
		func(d *tokenizer.Definition) { d.Steps, _ = tokenizer.PatternSteps("gpt-2") },
		func(d *tokenizer.Definition) { d.Steps, _ = tokenizer.PatternSteps("smollm") },
		func(d *tokenizer.Definition) { d.Steps, _ = tokenizer.PatternSteps("deepseek-v3") },
		func(d *tokenizer.Definition) { d.Before, d.After = []int32{1}, []int32{0} },
		func(d *tokenizer.Definition) { d.Added[2].Normalized, d.Added[2].StripLeft = true, true },
		func(d *tokenizer.Definition) {
			d.Tokens = append(d.Tokens, "", "", "<&中文>")
			d.Added = append(d.Added, tokenizer.Added{ID: int32(len(d.Tokens)) - 1, Text: "<&中文>"})
		},
	} {
		tok := small(t, change)
		path := filepath.Join(t.TempDir(), "tokenizer.json")
		if err := tok.Save(path); err != nil {
			t.Fatal(err)
		}
		again, err := tokenizer.Load(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if again.Hash() != tok.Hash() {
			t.Errorf("hash %s became %s", tok.Hash(), again.Hash())
		}
		first, _ := tok.JSON()
		second, _ := again.JSON()
		third, _ := again.Definition().JSON()
		if string(first) != string(second) || string(first) != string(third) {
			t.Error("the file changes when it is read and written again")
		}
		for _, text := range everyKind {
			if a, b := tok.EncodeAll(text), again.EncodeAll(text); !slices.Equal(a, b) {
				t.Errorf("%q: %v became %v", text, a, b)
			}
		}
		a1, b1 := tok.Around()
		a2, b2 := again.Around()
		if !slices.Equal(a1, a2) || !slices.Equal(b1, b2) {
			t.Errorf("around: %v %v became %v %v", a1, b1, a2, b2)
		}
		if tok.PatternName() != again.PatternName() {
			t.Errorf("pattern %q became %q", tok.PatternName(), again.PatternName())
		}
	}
}

func TestHashTellsTokenizersApart(t *testing.T) {
	seen := map[string]int{}
	for i, change := range []func(*tokenizer.Definition){
		func(*tokenizer.Definition) {},
		func(d *tokenizer.Definition) { d.Normalize = []tokenizer.Normalization{{Kind: tokenizer.NFC}} },
		func(d *tokenizer.Definition) { d.IgnoreMerges = true },
		func(d *tokenizer.Definition) { d.Steps, _ = tokenizer.PatternSteps("gpt-2") },
		func(d *tokenizer.Definition) { d.Merges = d.Merges[1:] },
		func(d *tokenizer.Definition) { d.Added[2].Special = true },
		func(d *tokenizer.Definition) { d.Added[2].StripLeft = true },
	} {
		h := small(t, change).Hash()
		if j, twice := seen[h]; twice {
			t.Errorf("definitions %d and %d have the same hash", i, j)
		}
		seen[h] = i
	}
}

func TestManyGoroutinesGetTheSameIds(t *testing.T) {
	tok := small(t)
	text := strings.Join(everyKind, " ")
	want := tok.Encode(text)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				if !slices.Equal(tok.Encode(text), want) {
					t.Error("ids differ")
					return
				}
			}
		})
	}
	wait.Wait()
}

// TestRefusesWhatItDoesNotDo changes one thing in a good file; the error must name it.
func TestRefusesWhatItDoesNotDo(t *testing.T) {
	good, err := small(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ field, value, says string }{
		{"model.dropout", `0.1`, "dropout"},
		{"model.novelty", `1`, "novelty"},
		{"model.merges", `["a"]`, "merges"},
		{"model.merges", `[["a","中"]]`, "中"},
		{"model.merges", `[["h","x"]]`, "hx"},
		{"model.vocab", `{"a":0,"b":0}`, "two tokens"},
		{"model.vocab", `{"a":-1}`, "negative"},
		{"model.vocab", `{"a":2000000000}`, "2000000000"},
		{"model.vocab", `{"":0}`, "empty"},
		{"model.type", `"Unigram"`, "a text and a score"},
		{"model.type", `"Neural"`, "Neural"},
		{"model.continuing_subword_prefix", `"####"`, "shorter than the prefix"},
		{"normalizer", `{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Uppercase"}]}`, "Uppercase"},
		{"normalizer", `{"type":"Replace","pattern":{"Regex":"(a"},"content":""}`, "(a"},
		{"normalizer", `{"type":"Precompiled","precompiled_charsmap":"/////w=="}`, "trie"},
		{"pre_tokenizer", `{"type":"Semaphore"}`, "Semaphore"},
		{"pre_tokenizer", `{"type":"FixedLength","length":0}`, "at least 1"},
		{"pre_tokenizer", `{"type":"Metaspace","replacement":"▁","prepend_scheme":"last"}`, "last"},
		{"pre_tokenizer", `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","use_regex":false,"add_prefix_space":false}]}`, "(a"},
		{"pre_tokenizer", `{"type":"Split","pattern":{"Regex":"a"},"behavior":"Merged","invert":false}`, "Merged"},
		{"pre_tokenizer", `{"type":"ByteLevel","add_prefix_space":false,"colour":1}`, "colour"},
		{"decoder", `{"type":"Diffusion"}`, "Diffusion"},
		{"decoder", `{"type":"Strip","content":"","start":1,"stop":0}`, "Strip"},
		{"post_processor", `{"type":"BertProcessing","sep":["a"],"cls":["b",1]}`, "token and its id"},
		{"post_processor", `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[X]","type_id":0}}],"pair":[],"special_tokens":{}}`, "[X]"},
		{"added_tokens", `[{"id":0,"content":"other","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}]`, "other"},
		{"surprise", `1`, "surprise"},
	} {
		data := set(t, good, c.field, c.value)
		_, err := tokenizer.Parse(data)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s = %s: error %v, want one that says %q", c.field, c.value, err, c.says)
		}
	}
	for _, bad := range []string{"", "{", "[]", "null", "{}", string(good) + "x"} {
		if _, err := tokenizer.Parse([]byte(bad)); err == nil {
			t.Errorf("%.20q was accepted", bad)
		}
	}
	if _, err := tokenizer.Load(filepath.Join(t.TempDir(), "missing")); !os.IsNotExist(err) {
		t.Errorf("a missing file gives %v", err)
	}
}

// set changes one field of a JSON object, with one level of nesting.
func set(t *testing.T, data []byte, field, value string) []byte {
	t.Helper()
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		t.Fatal(err)
	}
	if outer, inner, nested := strings.Cut(field, "."); nested {
		top[outer] = set(t, top[outer], inner, value)
	} else {
		top[field] = json.RawMessage(value)
	}
	out, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNotesSayWhatIsLeftToTheCaller(t *testing.T) {
	good, _ := small(t, func(d *tokenizer.Definition) { d.Before = []int32{1} }).JSON()
	good = set(t, good, "truncation", `{"direction":"Right","max_length":128,"strategy":"LongestFirst","stride":0}`)
	tok, err := tokenizer.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(tok.Notes(), "\n")
	if !strings.Contains(notes, "128") || !strings.Contains(notes, "Around") {
		t.Errorf("notes: %s", notes)
	}
	if n := len(tok.Encode(strings.Repeat("中", 1000))); n < 1000 {
		t.Errorf("the text was cut to %d tokens", n)
	}
}

func TestMissingBytesAreTold(t *testing.T) {
	d := tokenizer.Definition{Tokens: []string{"a", "b", "ab"}, Merges: [][2]string{{"a", "b"}}}
	tok, err := tokenizer.New(d)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(tok.MissingBytes()); n != 254 {
		t.Errorf("%d bytes are missing, want 254", n)
	}
	// As the reference: what is left becomes neighbours.
	if got := tok.EncodeWith("a中b", nil); len(got) != 1 || got[0] != (tokenizer.Token{ID: 2, Start: 0, End: 5}) {
		t.Errorf("got %v", got)
	}
}

func FuzzParse(f *testing.F) {
	good, err := small(f).JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"}}`))
	f.Add([]byte(`{"model":{"merges":[["a","b"]]},"added_tokens":[{"id":5,"content":"<x>"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := tokenizer.Parse(data)
		if err != nil {
			return
		}
		for _, text := range []string{"ab", "中文 <x>", "\xff"} {
			for _, x := range tok.EncodeWith(text, func(int, int) bool { return true }) {
				if x.Start < 0 || x.End > len(text) || x.Start > x.End || int(x.ID) >= tok.VocabSize() {
					t.Errorf("%q: token %+v", text, x)
				}
			}
			_ = tok.DecodeText(tok.Encode(text), true)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	for _, text := range everyKind {
		f.Add(text)
	}
	tok := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.Encode(text)
		if got := tok.Decode(ids); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		stream, streamed := tok.NewStream(), ""
		for _, id := range ids {
			part := stream.Push(id)
			if !utf8.ValidString(part) {
				t.Errorf("%q: part %q", text, part)
			}
			streamed += part
		}
		if streamed += stream.Flush(); streamed != tok.DecodeText(ids, false) {
			t.Errorf("streamed %q, decoded %q", streamed, tok.DecodeText(ids, false))
		}
		if utf8.ValidString(text) && streamed != text {
			t.Errorf("streamed %q, want %q", streamed, text)
		}
		all := tok.EncodeWith(text, func(int, int) bool { return true })
		at := 0
		for _, x := range all {
			if x.Start != at {
				t.Errorf("%q: token at %d, expected at %d", text, x.Start, at)
			}
			at = x.End
		}
		if at != len(text) {
			t.Errorf("%q: tokens end at %d", text, at)
		}
	})
}
