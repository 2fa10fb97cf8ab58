package tokenizer

import "testing"

func TestExtendedTokenizerKeepsOldIDs(t *testing.T) {
	d := Definition{Tokens: Alphabet(), Steps: []Step{{Kind: ByteLevelStep, Pattern: PatternGPT2}}}
	old, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	more, first, err := old.Extend([]string{"<tool>", "中文"}, false)
	if err != nil || first != 256 || more.VocabSize() != 258 || old.VocabSize() != 256 {
		t.Fatalf("first %d, %d tokens, %v", first, more.VocabSize(), err)
	}
	if got, want := more.Encode("a中文<tool>"), []int32{old.Encode("a")[0], 257, 256}; len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("ids %v, want %v", got, want)
	}
	data, err := more.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil || again.VocabSize() != 258 || again.Decode([]int32{257, 256}) != "中文<tool>" {
		t.Errorf("read again: %v", err)
	}
	for _, texts := range [][]string{{""}, {"\xff"}, {"x", "x"}, {"a"}} {
		if _, _, err := old.Extend(texts, true); err == nil {
			t.Errorf("%q was taken", texts)
		}
	}
	if _, _, err := more.Extend([]string{"中文"}, true); err == nil {
		t.Error("a token that is there was added again")
	}
}
