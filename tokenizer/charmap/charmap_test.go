package charmap

import (
	"encoding/binary"
	"maps"
	"testing"

	"lian/tokenizer"
)

// decompile reads the rules back from a map.
func decompile(t *testing.T, blob []byte) rules {
	t.Helper()
	n := binary.LittleEndian.Uint32(blob)
	trie, texts := blob[4:4+n], blob[4+n:]
	if n%1024 != 0 || texts[len(texts)-1] != 0 {
		t.Fatalf("a trie of %d bytes; expected blocks of 1024, and texts that end with a zero byte", n)
	}
	unit := func(i uint32) uint32 { return binary.LittleEndian.Uint32(trie[4*i:]) }
	out := rules{}
	var walk func(at uint32, key []byte)
	walk = func(at uint32, key []byte) {
		u := unit(at)
		base := at ^ u>>10
		if u>>8&1 == 1 {
			begin := unit(base) & 0x7fffffff
			stop := begin
			for texts[stop] != 0 {
				stop++
			}
			out[string(key)] = string(texts[begin:stop])
		}
		for c := uint32(1); c < 256; c++ {
			if 4*(base^c) < n && unit(base^c)&0x800000ff == c {
				walk(base^c, append(key, byte(c)))
			}
		}
	}
	walk(0, nil)
	return out
}

func TestRulesComeBackFromTheMap(t *testing.T) {
	r := rules{"a": "b", "ab": "", "abc": "中文", "é": "e\u0301", "０": "0", "０\u0301": "0\u0301", "１\u0301": "0\u0301", "\U0001f600": ":)"}
	for c := rune(0x4e00); c < 0x5200; c++ {
		r[string(c)+"x"] = string(c + 1)
	}
	if got := decompile(t, r.compiled()); !maps.Equal(got, r) {
		t.Errorf("%d rules, want %d", len(got), len(r))
	}
}

func TestKeptMapNormalizesAsNamed(t *testing.T) {
	m, err := Load("nmt_nfkc")
	if err != nil {
		t.Fatal(err)
	}
	if r := decompile(t, m); len(r) < 200000 {
		t.Errorf("%d rules", len(r))
	}
	n, err := tokenizer.NewNormalizer([]tokenizer.Normalization{{Kind: tokenizer.SentencePieceText, Map: m, DummyPrefix: true, RemoveExtraSpaces: true, EscapeSpaces: true}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"ＡＢＣ　１２３":            "▁ABC▁123",
		"e\u0301a\u0300 ﬁ ①": "▁éà▁fi▁1",
		"a\tb\u200bc\x07d～":  "▁a▁b▁cd～",
		"가 ㍿":                "▁가▁株式会社",
		"ガ ﾊﾟ":               "▁ガ▁パ",
		" 中文，测试。 ":           "▁中文,测试。",
	} {
		if got := n.Normalize(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if _, err := Load("nfc"); err == nil {
		t.Error("an unknown name was taken")
	}
}

func TestRulesBesideTheKeptOnes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	r := newRules("nfkc_cf")
	for text, want := range map[string]string{"Ａ": "a", "Σ": "σ", "\t": "\t", "～": "~", "ß": "ß", "İ": "i\u0307"} {
		got, ok := r[text]
		if !ok {
			got = text
		}
		if text != "İ" && got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
