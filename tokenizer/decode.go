package tokenizer

import "unicode/utf8"

// Decode gives the bytes of ids as they are, control tokens included, so that
// Decode(Encode(text)) == text even for text that is not UTF-8. An id outside the
// vocabulary gives U+FFFD. For text to show use DecodeText or a Stream.
func (t *Tokenizer) Decode(ids []int32) string { return string(t.appendBytes(nil, ids, false)) }

// DecodeText gives valid UTF-8: bytes that are not become U+FFFD, one for each
// longest wrong sequence as the WHATWG encoding standard and the reference have it.
// skipSpecial leaves control tokens out.
func (t *Tokenizer) DecodeText(ids []int32, skipSpecial bool) string {
	b := t.appendBytes(nil, ids, skipSpecial)
	text, rest := repair(make([]byte, 0, len(b)), b)
	if len(rest) > 0 {
		text = utf8.AppendRune(text, utf8.RuneError)
	}
	return string(text)
}

func (t *Tokenizer) appendBytes(dst []byte, ids []int32, skipSpecial bool) []byte {
	for _, id := range ids {
		switch {
		case skipSpecial && t.IsSpecial(id):
		case t.TokenBytes(id) == nil:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = append(dst, t.bytes[id]...)
		}
	}
	return dst
}

// Stream decodes ids one by one. What Push and Flush return, put together, is
// DecodeText of all ids with control tokens kept; no returned part ends within a
// character.
type Stream struct {
	t    *Tokenizer
	held []byte // the beginning of a character, at most 3 bytes
}

// NewStream begins a text.
func (t *Tokenizer) NewStream() *Stream { return &Stream{t: t} }

// Push gives the text that id completes: "" while a character is unfinished.
func (s *Stream) Push(id int32) string {
	s.held = s.t.appendBytes(s.held, []int32{id}, false)
	text, rest := repair(nil, s.held)
	s.held = append(s.held[:0], rest...)
	return string(text)
}

// Flush ends the text; an unfinished character becomes U+FFFD.
func (s *Stream) Flush() string {
	if len(s.held) == 0 {
		return ""
	}
	s.held = s.held[:0]
	return string(utf8.RuneError)
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
