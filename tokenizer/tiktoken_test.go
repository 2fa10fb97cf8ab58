package tokenizer_test

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"testing"

	"lian/tokenizer"
	"lian/verify/shared"
)

func TestEqualsTiktoken(t *testing.T) {
	texts := inputs(t)
	tok, err := tokenizer.Load(shared.Path(t, "testdata", "tokenizers", "qwen", "qwen.tiktoken"))
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		ID         string
		IDs        []int32
		IDsSpecial []int32 `json:"ids_special"`
		IDsBytes   []int32 `json:"ids_bytes"`
		Bytes      json.RawMessage
		Decode     json.RawMessage
		DecodeHex  string `json:"decode_bytes"`
		Text       string `json:"text_replace"`
	}
	checked := 0
	rows(t, shared.Path(t, "testdata", "golden", "data", "tokenizers", "qwen-tiktoken.jsonl"), func(r row) {
		checked++
		switch {
		case r.IDsBytes != nil:
			if got := tok.Encode(texts[r.ID]); !slices.Equal(got, r.IDsBytes) {
				t.Errorf("%s %q:\n got %v\nwant %v", r.ID, texts[r.ID], got, r.IDsBytes)
			}
			if got := tok.Decode(r.IDsBytes); hex.EncodeToString([]byte(got)) != r.DecodeHex {
				t.Errorf("%s: decode: got %q, want %s", r.ID, got, r.DecodeHex)
			}
			if got := tok.DecodeText(r.IDsBytes, false); got != r.Text {
				t.Errorf("%s: decode: got %q, want %q", r.ID, got, r.Text)
			}
		case r.ID != "":
			text := texts[r.ID]
			if got := tok.Encode(text); !slices.Equal(got, r.IDs) {
				t.Errorf("%s %q:\n got %v\nwant %v", r.ID, text, got, r.IDs)
			}
			if got := tok.EncodeAll(text); r.IDsSpecial != nil && !slices.Equal(got, r.IDsSpecial) {
				t.Errorf("%s %q with control tokens:\n got %v\nwant %v", r.ID, text, got, r.IDsSpecial)
			}
			if got := tok.Decode(r.IDs); got != text {
				t.Errorf("%s: decode: got %q, want %q", r.ID, got, text)
			}
			for i, x := range tok.EncodeWith(text, nil) {
				if x.ID != r.IDs[i] || text[x.Start:x.End] != string(tok.TokenBytes(x.ID)) {
					t.Errorf("%s %q: token %d is %d at [%d %d)", r.ID, text, i, x.ID, x.Start, x.End)
				}
			}
		default:
			var ids []int32
			var want string
			if json.Unmarshal(r.Decode, &ids) != nil || json.Unmarshal(r.Bytes, &want) != nil {
				t.Fatalf("row not understood: %+v", r)
			}
			if got := tok.Decode(ids); hex.EncodeToString([]byte(got)) != want {
				t.Errorf("decode %v: got %x, want %s", ids, got, want)
			}
		}
	})
	if checked < 200 {
		t.Errorf("only %d rows", checked)
	}
}
