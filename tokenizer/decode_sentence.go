package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// replacements are applied one after the other.
type replacements [][2]string

func (r replacements) Replace(s string) string {
	for _, p := range r {
		s = strings.ReplaceAll(s, p[0], p[1])
	}
	return s
}

// cleanup are the blanks that the reference takes away. Source: huggingface/tokenizers,
// decoders/wordpiece.rs.
var cleanup = replacements{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
	{" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}

// sentenceDecoder is the decoding of sentencepiece models: U+2581 is a blank, byte
// tokens are bytes, control tokens are nothing, and the blank that was put before
// the text is taken away. For llama.cpp's kinds control tokens are shown.
type sentenceDecoder struct {
	t     *Tokenizer
	next  decoder
	d     *Decoding
	raw   bool
	begin bool // nothing was written yet that ends the beginning
	wrote bool
	seen  bool // the first token's blank was taken away
	held  []byte
}

func (d *sentenceDecoder) token(text string) { // an id outside the vocabulary
	d.release()
	d.write(text)
}

func (d *sentenceDecoder) write(text string) {
	if text != "" {
		d.wrote = true
		d.next.token(text)
	}
}

func (d *sentenceDecoder) id(id int32) {
	t := d.t
	role := t.def.role(id)
	text := t.def.Tokens[id]
	if d.d.Kind == LlamaDecoding {
		d.write(d.llama(id, role))
		d.begin = false
		return
	}
	if role == ByteRole {
		if b, ok := byteToken(text); ok {
			d.held = append(d.held, b)
			d.releaseWhole()
			return
		}
	}
	d.release()
	if d.seen || d.wrote {
		d.begin = false
	}
	d.seen = false
	switch {
	case role == Control && d.d.ShowControl:
		d.write(text)
		return
	case role == Control:
		return
	case role == UnknownRole:
		d.write(d.d.Unknown)
		return
	}
	if d.begin && d.d.Prepended {
		rest, ok := strings.CutPrefix(text, blank)
		text = rest
		d.seen = ok && !d.d.DropAll
	}
	d.write(strings.ReplaceAll(text, blank, " "))
}

// llama is the text of a token for llama.cpp.
func (d *sentenceDecoder) llama(id int32, role Role) string {
	text := d.t.vocab.token(id)
	_ = role
	if d.begin && d.d.Prepended {
		text = strings.TrimPrefix(text, " ")
	}
	return text
}

// releaseWhole writes the whole characters of the held bytes.
func (d *sentenceDecoder) releaseWhole() {
	for len(d.held) > 0 && (d.raw || utf8.FullRune(d.held)) {
		r, n := utf8.DecodeRune(d.held)
		if r == utf8.RuneError && n == 1 && !d.raw {
			d.write("\ufffd")
		} else {
			d.write(string(d.held[:n]))
		}
		d.held = d.held[n:]
	}
}

// release ends a run of byte tokens.
func (d *sentenceDecoder) release() {
	for range d.held {
		d.write("\ufffd")
	}
	d.held = d.held[:0]
}

func (d *sentenceDecoder) flush() {
	d.release()
	d.next.flush()
}
