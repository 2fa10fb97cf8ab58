package tokenizer_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"lian/format/formattest"
	"lian/tokenizer"
	"lian/verify/shared"
)

func TestBrokenTokenizerFilesAreErrors(t *testing.T) {
	raw, err := small(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	formattest.Parser{Parse: parse(tokenizer.Parse), Text: true}.Break(t, raw)

	model, err := os.ReadFile(shared.Path(t, "testdata", "models", "stories260k", "tok512.model"))
	if err != nil {
		t.Fatal(err)
	}
	formattest.Parser{Parse: parse(tokenizer.ParseSentencePiece)}.Break(t, model)

	binary, err := os.ReadFile(shared.Path(t, "testdata", "models", "stories260k", "tok512.bin"))
	if err != nil {
		t.Fatal(err)
	}
	// The format has no count of tokens, so that a file cut off between two may be one.
	formattest.Parser{Parse: parse(tokenizer.ParseLlama2C), Prefix: true}.Break(t, binary)

	ranks := parse(func(file []byte) (*tokenizer.Tokenizer, error) { return tokenizer.ParseTiktoken(file, "cl100k_base") })
	formattest.Parser{Parse: ranks, Text: true, Prefix: true}.Break(t, fewRanks())
}

func parse(read func([]byte) (*tokenizer.Tokenizer, error)) func([]byte) error {
	return func(file []byte) error { _, err := read(file); return err }
}

// fewRanks is a rank file of the 256 bytes.
func fewRanks() []byte {
	var out bytes.Buffer
	for i := range 256 {
		fmt.Fprintf(&out, "%s %d\n", base64Of(byte(i)), i)
	}
	return out.Bytes()
}

func base64Of(b byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return string([]byte{digits[b>>2], digits[b<<4&0x3f], '=', '='})
}

// use encodes and decodes with whatever was accepted.
func use(t *testing.T, tok *tokenizer.Tokenizer, err error) {
	if err != nil {
		return
	}
	for _, text := range []string{"ab", " 中文 <s>", "\xff", ""} {
		for _, x := range tok.EncodeWith(text, func(int, int) bool { return true }) {
			if x.Start < 0 || x.End > len(text) || x.Start > x.End || int(x.ID) >= tok.VocabSize() {
				t.Errorf("%q: token %+v", text, x)
			}
		}
		_ = tok.DecodeText(tok.Encode(text), true)
	}
}

// pieces is a small sentencepiece model.
func pieces(kind byte) (out []byte) {
	field := func(number byte, data []byte) []byte { return append([]byte{number<<3 | 2, byte(len(data))}, data...) }
	for i, text := range []string{"<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab", "中"} {
		piece := field(1, []byte(text))
		piece = append(append(piece, 2<<3|5), binary.LittleEndian.AppendUint32(nil, uint32(i)<<20|0xc0000000)...)
		if i < 3 {
			piece = append(piece, 3<<3, []byte{2, 3, 3}[i])
		}
		out = append(out, field(1, piece)...)
	}
	out = append(out, field(2, []byte{3 << 3, kind})...)
	return append(out, field(3, []byte{3 << 3, 1})...)
}

func FuzzSentencePiece(f *testing.F) {
	for kind := byte(1); kind <= 4; kind++ {
		f.Add(pieces(kind))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := tokenizer.ParseSentencePiece(data)
		use(t, tok, err)
	})
}

func FuzzLlama2C(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00<unk>\x00\x00\x00\x00\x05\x00\x00\x00\n<s>\n\x00\x00\x80\x3f\x01\x00\x00\x00a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := tokenizer.ParseLlama2C(data)
		use(t, tok, err)
	})
}

func FuzzTiktoken(f *testing.F) {
	f.Add(fewRanks(), "cl100k_base")
	f.Add([]byte("IQ== 0\nIg== 1\n"), "qwen")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		tok, err := tokenizer.ParseTiktoken(data, name)
		use(t, tok, err)
	})
}

// metadata are a GGUF file's keys of a vocabulary.
type metadata struct {
	model, pre    string
	tokens        []string
	merges        []string
	kinds         []int64
	scores        []float32
	bos, eos      uint64
	addBOS, space bool
}

func (m metadata) String(key string) (string, bool) {
	switch key {
	case "tokenizer.ggml.model":
		return m.model, true
	case "tokenizer.ggml.pre":
		return m.pre, m.pre != ""
	}
	return "", false
}

func (m metadata) Strings(key string) ([]string, bool) {
	switch key {
	case "tokenizer.ggml.tokens":
		return m.tokens, true
	case "tokenizer.ggml.merges":
		return m.merges, m.merges != nil
	}
	return nil, false
}

func (m metadata) Ints(key string) ([]int64, bool) {
	return m.kinds, key == "tokenizer.ggml.token_type" && m.kinds != nil
}

func (m metadata) Floats(key string) ([]float32, bool) {
	return m.scores, key == "tokenizer.ggml.scores" && m.scores != nil
}

func (m metadata) Uint(key string) (uint64, bool) {
	switch key {
	case "tokenizer.ggml.bos_token_id":
		return m.bos, true
	case "tokenizer.ggml.eos_token_id":
		return m.eos, true
	}
	return 0, false
}

func (m metadata) Bool(key string) (bool, bool) {
	switch key {
	case "tokenizer.ggml.add_bos_token":
		return m.addBOS, true
	case "tokenizer.ggml.add_space_prefix":
		return m.space, true
	}
	return false, false
}

func FuzzGGUFVocabulary(f *testing.F) {
	for _, model := range []string{"gpt2", "llama", "t5", "bert", "rwkv", "gemma4", "whitespace"} {
		f.Add(model, "default", "<unk>\n<s>\n</s>\n▁\na\nb\nab\n<0x41>\n[CLS]", "a b\n▁ a", []byte{2, 3, 3, 1, 1, 1, 1, 6, 3}, uint64(1), uint64(2), true, true)
	}
	f.Fuzz(func(t *testing.T, model, pre, tokens, merges string, kinds []byte, bos, eos uint64, addBOS, space bool) {
		m := metadata{model: model, pre: pre, tokens: strings.Split(tokens, "\n"), bos: bos, eos: eos, addBOS: addBOS, space: space}
		if merges != "" {
			m.merges = strings.Split(merges, "\n")
		}
		for i, k := range kinds {
			m.kinds = append(m.kinds, int64(int8(k)))
			m.scores = append(m.scores, -float32(i))
		}
		tok, err := tokenizer.FromGGUF(m)
		use(t, tok, err)
	})
}
