package grammar

import "strings"

// Bytes around the text of a control token: neither is ever in UTF-8.
const (
	markBegin = 0xFF
	markEnd   = 0xFE
)

// Mark is what a control token is to a grammar, as the bytes of a [Vocabulary]: it is allowed exactly where a grammar has a mark of
// this text, such as the one that opens a call of a tool, and is never a part of other text.
func Mark(text []byte) []byte {
	if len(text) == 0 {
		return nil
	}
	return append(append([]byte{markBegin}, text...), markEnd)
}

// isMark reports whether bytes are those of a control token.
func isMark(text []byte) bool {
	return len(text) > 2 && text[0] == markBegin && text[len(text)-1] == markEnd
}

// marked reads a text in which control tokens may stand for what is written like one, <…> or […].
func (b *builder) marked(from int32, text string) int32 {
	states := []int32{from}
	for i := range len(text) {
		next := b.state()
		b.edge(states[i], text[i], text[i], next)
		states = append(states, next)
	}
	for i := range len(text) {
		if n := markLength(text[i:]); n > 0 {
			b.join(b.literal(states[i], string(Mark([]byte(text[i:i+n])))), states[i+n])
		}
	}
	return states[len(text)]
}

// marks reads a text as control tokens only, where it begins with one: the rest may be text.
func (b *builder) marks(from int32, text string) int32 {
	n := markLength(text)
	if n == 0 {
		return b.state() // nothing leads on
	}
	return b.marked(b.literal(from, string(Mark([]byte(text[:n])))), text[n:])
}

// markLength is the length of what is written like a control token at the start of a text, 0 if nothing is.
func markLength(text string) int {
	for _, pair := range []string{"<>", "[]"} {
		if text != "" && text[0] == pair[0] {
			return strings.IndexByte(text, pair[1]) + 1
		}
	}
	return 0
}
