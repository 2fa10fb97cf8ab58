package tokenizer_test

import (
	"encoding/json"
	"testing"

	"lian/tokenizer"
)

// try uses a tokenizer that a parser accepted: nothing may panic.
func try(t *testing.T, tok *tokenizer.Tokenizer, err error) {
	t.Helper()
	if err != nil {
		return
	}
	for _, text := range []string{"", "a b", " 中文 aé\n", "\xff\x00<0x41>"} {
		ids := tok.EncodeAll(text)
		tok.Decode(ids)
		tok.DecodeText(ids, true)
		tok.EncodeWith(text, nil)
		stream := tok.NewStream()
		for _, id := range ids {
			stream.Push(id)
		}
		stream.Flush()
	}
	tok.Hash()
	if data, err := tok.JSON(); err == nil && !json.Valid(data) {
		t.Errorf("JSON is not JSON: %.200s", data)
	}
}

// FuzzTokenizerJSON begins with files of many parts around small models.
func FuzzTokenizerJSON(f *testing.F) {
	models := []string{
		`{"type":"BPE","unk_token":"u","fuse_unk":true,"byte_fallback":true,"vocab":{"u":0,"a":1,"b":2,"ab":3,"▁":4,"<0x41>":5},"merges":[["a","b"]]}`,
		`{"type":"Unigram","unk_id":0,"vocab":[["u",0.0],["a",-1.0],["ab",-2.5],["▁",-3.0]],"byte_fallback":false}`,
		`{"type":"WordPiece","unk_token":"u","continuing_subword_prefix":"##","max_input_chars_per_word":5,"vocab":{"u":0,"a":1,"##b":2}}`,
	}
	for i, parts := range []string{
		`"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Lowercase"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "}]},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},"decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}`,
		`"normalizer":{"type":"Precompiled","precompiled_charsmap":"CAAAAAAAAAAAAAAAAGEA"},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a++|[b-c]{1,2}+"},"behavior":"MergedWithNext","invert":true},"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1}]}`,
		`"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true}`,
	} {
		f.Add([]byte(`{"version":"1.0","added_tokens":[{"id":9,"content":"<x>","single_word":true,"lstrip":true,"rstrip":true,"normalized":true,"special":false}],"model":` + models[i] + `,` + parts + `}`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := tokenizer.Parse(data)
		try(t, tok, err)
	})
}
