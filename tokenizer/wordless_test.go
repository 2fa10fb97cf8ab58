package tokenizer

import "testing"

func TestIDsWithoutWordsStandForNoText(t *testing.T) {
	tok, err := Wordless(7)
	if err != nil {
		t.Fatal(err)
	}
	if tok.VocabSize() != 7 {
		t.Errorf("%d ids, want 7", tok.VocabSize())
	}
	ids := []int32{0, 3, 6}
	s := tok.NewStream()
	text := tok.Decode(ids) + tok.DecodeText(ids, false)
	for _, id := range ids {
		text += s.Push(id) + string(tok.TokenBytes(id))
	}
	if text += s.Flush(); text != "" {
		t.Errorf("the ids stand for %q", text)
	}
}
