package tokenizer_test

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"testing"

	"golang.org/x/text/unicode/norm"

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
		IDsNFC     []int32 `json:"ids_nfc"`
		Places     []int   `json:"char_offsets"`
		Error      bool    // encoding refuses special tokens in the text
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
			if got := tok.Encode(norm.NFC.String(text)); r.IDsNFC != nil && !slices.Equal(got, r.IDsNFC) {
				t.Errorf("%s %q in NFC:\n got %v\nwant %v", r.ID, text, got, r.IDsNFC)
			}
			if r.Error != (r.IDsSpecial != nil) || r.Error == slices.Equal(tok.EncodeAll(text), r.IDs) {
				t.Errorf("%s %q: the reference refuses special tokens: %t; got %v", r.ID, text, r.Error, tok.EncodeAll(text))
			}
			decoded := text
			if string(r.Decode) != "true" {
				if err := json.Unmarshal(r.Decode, &decoded); err != nil {
					t.Fatal(err)
				}
			}
			if got := tok.Decode(r.IDs); got != decoded {
				t.Errorf("%s: decode: got %q, want %q", r.ID, got, decoded)
			}
			tokens := tok.EncodeWith(text, nil)
			if r.Places != nil {
				for i, place := range tok.Offsets(text, tokens, true) {
					if place[0] != r.Places[i] {
						t.Errorf("%s %q: token %d begins at %d, want %d", r.ID, text, i, place[0], r.Places[i])
					}
				}
			}
			var each []string
			if r.Bytes != nil && json.Unmarshal(r.Bytes, &each) != nil || r.Bytes != nil && len(each) != len(r.IDs) {
				t.Fatalf("row not understood: %+v", r)
			}
			for i, code := range each {
				if got := hex.EncodeToString(tok.TokenBytes(r.IDs[i])); got != code {
					t.Errorf("%s: the bytes of %d are %s, want %s", r.ID, r.IDs[i], got, code)
				}
			}
			for i, x := range tokens {
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
			if got := tok.DecodeText(ids, false); got != r.Text {
				t.Errorf("decode %v as text: got %q, want %q", ids, got, r.Text)
			}
		}
	})
	if checked < 200 {
		t.Errorf("only %d rows", checked)
	}
}
