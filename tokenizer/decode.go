package tokenizer

import (
	"unicode/utf8"
)

// Decode gives the bytes of ids as they are, control tokens included, so that
// Decode(Encode(text)) == text even for text that is not UTF-8, where the tokenizer
// loses nothing. An id outside the vocabulary gives U+FFFD, one that it leaves unused
// nothing. For text to show use
// DecodeText or a Stream.
func (t *Tokenizer) Decode(ids []int32) string { return t.decode(ids, true, false) }

// DecodeText gives valid UTF-8: bytes that are not become U+FFFD, one for each
// longest wrong sequence as the WHATWG encoding standard and the reference have it.
// skipSpecial leaves control tokens out.
func (t *Tokenizer) DecodeText(ids []int32, skipSpecial bool) string {
	return t.decode(ids, false, skipSpecial)
}

// Detokenize is DecodeText as the project of the file's kind has it for a whole text:
// for GGUF vocabularies bytes stay as they are, and blanks before punctuation are
// taken away where llama.cpp does so.
func (t *Tokenizer) Detokenize(ids []int32, skipSpecial bool) string {
	text := t.decode(ids, t.def.LongestFirst || t.def.Model == RankBPE, skipSpecial)
	if t.def.CleanSpaces {
		return string(cleanSpaces([]byte(text)))
	}
	return text
}

func (t *Tokenizer) decode(ids []int32, raw, skipSpecial bool) string {
	if out, ok := t.joined(ids, raw, skipSpecial); ok {
		return out
	}
	var out []byte
	c := t.decoders(raw, func(s string) { out = append(out, s...) })
	for _, id := range ids {
		if !skipSpecial || !t.IsSpecial(id) {
			c.push(id)
		}
	}
	c.flush()
	if raw || utf8.Valid(out) {
		return string(out)
	}
	return repaired(string(out))
}

// joined decodes where a text is what its tokens stand for, put together, but for the
// blank that was put before it: by far the most. ok is false where it is not.
func (t *Tokenizer) joined(ids []int32, raw, skipSpecial bool) (text string, ok bool) {
	if t.join == joinNot {
		return "", false
	}
	const room = 16 // most tokens are no longer; copying so many bytes needs no loop
	out, at, valid := make([]byte, 5*len(ids)+64), 0, true
	kinds, ends, all := t.kind, t.vocab.ends, t.vocab.padded
	for k, id := range ids {
		if uint(id) >= uint(len(kinds)) {
			out = append(out[:at], "\ufffd"...)
			at = len(out)
			out = append(out, make([]byte, 64)...)
			continue
		}
		kind := kinds[id]
		if kind != ordinary {
			if t.join == joinUnlessBytes && (kind != byteful || t.def.Roles != nil && t.def.Roles[id] != ByteRole) {
				return "", false
			}
			if skipSpecial && kind == special {
				continue
			}
		}
		start, end := uint32(0), ends[id]
		if id > 0 {
			start = ends[id-1]
		}
		if t.stripped > 0 && (k == 0 || at == 0 && t.dropAll) && end > start && all[start] == ' ' {
			start++
		}
		n := int(end - start)
		if len(out)-at < n+room {
			out = append(out, make([]byte, len(out)+n+room)...)
		}
		if n <= room {
			*(*[room]byte)(out[at:]) = *(*[room]byte)(all[start:])
		} else {
			copy(out[at:], all[start:end])
		}
		valid = valid && t.vocab.whole[id]
		at += n
	}
	text = string(out[:at])
	if raw || valid || utf8.ValidString(text) {
		return text, true
	}
	if t.join == joinUnlessBytes { // each kind replaces wrong byte tokens its own way
		return "", false
	}
	return repaired(text), true
}

// repaired is text with what is not UTF-8 replaced.
func repaired(s string) string {
	text, rest := repair(make([]byte, 0, len(s)+8), []byte(s))
	if len(rest) > 0 {
		text = utf8.AppendRune(text, utf8.RuneError)
	}
	return string(text)
}

// joining is whether texts are their tokens' bytes put together.
type joining uint8

const (
	joinNot joining = iota
	joinAlways
	joinUnlessBytes // unless there are control tokens, or byte tokens that are not UTF-8
)

// howToJoin looks at the decoding steps.
func (t *Tokenizer) howToJoin() {
	d := &t.def
	if t.plain {
		t.join = joinAlways
		return
	}
	if len(d.Decode) == 0 {
		return
	}
	switch first := d.Decode[0]; first.Kind {
	case LlamaDecoding:
		t.join = joinAlways
		if first.Prepended {
			t.stripped = 1
		}
	case SentencePieceDecoding:
		// Byte tokens are not ordinary (see words); control and unknown ones neither.
		t.dropAll = first.Prepended && first.DropAll
		t.join = joinUnlessBytes
		if first.Prepended {
			t.stripped = 1
		}
	default:
		fused := false
		for _, s := range d.Decode {
			switch s.Kind {
			case ReplaceText:
				if !s.Literal || fused {
					return
				}
			case ByteFallbackDecoding:
			case Fuse:
				fused = true
			case StripText:
				if !fused || s.Stop > 0 || s.Character != " " || s.Start > 1 {
					return
				}
				t.stripped = s.Start
			default:
				return
			}
		}
		t.join = joinUnlessBytes
	}
}

// appendBytes appends what id stands for.
func (t *Tokenizer) appendBytes(dst []byte, id int32) []byte {
	if id < 0 || int(id) >= len(t.kind) {
		return utf8.AppendRune(dst, utf8.RuneError)
	}
	return append(dst, t.vocab.token(id)...)
}

// Stream decodes ids one by one. What Push and Flush return, put together, is
// DecodeText of all ids with control tokens kept; no returned part ends within a
// character.
type Stream struct {
	t     *Tokenizer
	chain *decoderChain // nil where tokens stand for bytes by themselves
	held  []byte        // the beginning of a character, at most 3 bytes
}

// NewStream begins a text.
func (t *Tokenizer) NewStream() *Stream {
	s := &Stream{t: t}
	if !t.plain {
		s.chain = t.decoders(false, func(text string) { s.held = append(s.held, text...) })
	}
	return s
}

// Push gives the text that id completes: "" while a character is unfinished.
func (s *Stream) Push(id int32) string {
	if s.chain != nil {
		s.chain.push(id)
	} else {
		s.held = s.t.appendBytes(s.held, id)
	}
	text, rest := repair(nil, s.held)
	s.held = append(s.held[:0], rest...)
	return string(text)
}

// Flush ends the text; an unfinished character becomes U+FFFD.
func (s *Stream) Flush() string {
	if s.chain != nil {
		s.chain.flush()
	}
	text, rest := repair(nil, s.held)
	if len(rest) > 0 {
		text = utf8.AppendRune(text, utf8.RuneError)
	}
	s.held = s.held[:0]
	return string(text)
}

// repair appends b with wrong sequences replaced, and returns what may still become
// a character with more bytes.
func repair(dst, b []byte) (text, rest []byte) {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError || n > 1 {
			dst = append(dst, b[:n]...)
			b = b[n:]
			continue
		}
		n = prefix(b)
		if n == len(b) && !wrong(b) {
			return dst, b
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
		b = b[n:]
	}
	return dst, nil
}

// wrong tells whether b, a maximal wrong sequence, cannot become a character.
func wrong(b []byte) bool { return utf8.FullRune(b) }

// prefix is the length of the longest beginning of b that is the beginning of some
// character, at least 1 (Unicode standard, section 3.9, "maximal subpart"). b does
// not begin with a whole character.
func prefix(b []byte) int {
	low, high, need := byte(0x80), byte(0xbf), 0
	switch c := b[0]; {
	case c >= 0xc2 && c <= 0xdf:
		need = 1
	case c >= 0xe0 && c <= 0xef:
		need = 2
		if c == 0xe0 {
			low = 0xa0
		} else if c == 0xed {
			high = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		need = 3
		if c == 0xf0 {
			low = 0x90
		} else if c == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for ; n <= need && n < len(b) && b[n] >= low && b[n] <= high; n++ {
		low, high = 0x80, 0xbf
	}
	return n
}

// cleanSpaces takes away blanks before ? ! . , between a lone apostrophe and its
// neighbours, and before 's 'm 're 've. Source: llama-vocab.cpp, detokenize.
func cleanSpaces(b []byte) []byte {
	out := b[:min(len(b), 1)]
	for i := 1; i < len(b); i++ {
		if x := b[i]; b[i-1] == ' ' && (x == '?' || x == '!' || x == '.' || x == ',') {
			out = out[:len(out)-1]
		}
		out = append(out, b[i])
	}
	b = append([]byte(nil), out...)
	out = b[:min(len(b), 1)]
	last := byte(0) // the byte before in the text as it was
	if len(b) > 0 {
		last = b[0]
	}
	for i := 1; i < len(b); i++ {
		x := b[i]
		if x == '\'' && i+1 < len(b) && last == ' ' && b[i+1] == ' ' {
			out = append(out[:len(out)-1], x)
			i++
			last = 0
			continue
		}
		last = x
		out = append(out, x)
	}
	b = append([]byte(nil), out...)
	out = b[:min(len(b), 1)]
	for i := 1; i < len(b); i++ {
		if b[i-1] == ' ' && b[i] == '\'' && i+1 < len(b) {
			x := b[i+1]
			short := x == 's' || x == 'm'
			if short || i+2 < len(b) && (x == 'r' || x == 'v') && b[i+2] == 'e' {
				out = out[:len(out)-1]
			}
		}
		out = append(out, b[i])
	}
	return out
}
