package tokenizer

import (
	"encoding/binary"
	"fmt"
	"math"
)

// ParseLlama2C reads llama2.c's tokenizer.bin: the longest token's length, then for
// each token a score, a length and the text with plain blanks. It encodes and
// decodes as run.c does. Source: llama2.c, tokenizer.py and run.c.
func ParseLlama2C(data []byte) (*Tokenizer, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("%d bytes; expected the length of the longest token first", len(data))
	}
	longest := binary.LittleEndian.Uint32(data)
	d := Definition{Model: ScoreBPE, LongestFirst: true, ByteFallback: true}
	found := uint32(0) // the longest there is
	for at := 4; at < len(data); {
		id := len(d.Tokens)
		if len(data)-at < 8 {
			return nil, fmt.Errorf("byte %d: token %d: %d bytes left, expected a score and a length", at, id, len(data)-at)
		}
		score := math.Float32frombits(binary.LittleEndian.Uint32(data[at:]))
		size := binary.LittleEndian.Uint32(data[at+4:])
		at += 8
		if size > longest || uint64(size) > uint64(len(data)-at) {
			return nil, fmt.Errorf("byte %d: token %d: a text of %d bytes; expected at most %d, and %d are left", at, id, size, longest, len(data)-at)
		}
		found = max(found, size)
		text := string(data[at : at+int(size)])
		at += int(size)
		role := Ordinary
		switch {
		case id == 0:
			role = UnknownRole
			d.Unknown = text
		case id <= 2:
			role = Control
		case id < 259:
			if _, ok := byteToken(text); ok {
				role = ByteRole
			}
		}
		if role == UnknownRole || role == Control {
			d.Added = append(d.Added, Added{ID: int32(id), Text: text, Special: true})
		}
		d.Tokens, d.Scores, d.Roles = append(d.Tokens, text), append(d.Scores, float64(score)), append(d.Roles, role)
	}
	if len(d.Tokens) < 259 {
		return nil, fmt.Errorf("%d tokens; expected at least 259: the unknown token, BOS, EOS and 256 bytes", len(d.Tokens))
	}
	if found != longest { // the file tells no number of tokens; this notices most of what is cut off
		return nil, fmt.Errorf("the longest of %d tokens has %d bytes, the file says %d: cut off, or not sound", len(d.Tokens), found, longest)
	}
	d.Normalize = []Normalization{{Kind: LlamaSpaces, DummyPrefix: true}}
	d.Decode = []Decoding{{Kind: LlamaDecoding, Prepended: true}}
	d.BOS, d.EOS = []int32{1}, []int32{2}
	d.Before = d.BOS
	return New(d)
}
