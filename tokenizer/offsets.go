package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Edges are the ids of the tokens that begin and end a text for the model, as far as
// the file names them: those of Around, or else BOS and EOS, which are not put around
// a text by themselves.
func (t *Tokenizer) Edges() (bos, eos []int32) {
	bos, eos = t.Around()
	if len(bos) == 0 {
		bos = append([]int32(nil), t.def.BOS...)
	}
	if len(eos) == 0 {
		eos = append([]int32(nil), t.def.EOS...)
	}
	return bos, eos
}

// Offsets are the places of tokens of text as the reference tells them: without the
// blanks around a token where the file asks to trim them, and with chars in code
// points, widened to whole ones, instead of bytes.
func (t *Tokenizer) Offsets(text string, tokens []Token, chars bool) [][2]int {
	out := make([][2]int, len(tokens))
	var count []int // code points before each byte
	if chars {
		count = make([]int, len(text)+1)
		n := 0
		for i := range text {
			_, size := utf8.DecodeRuneInString(text[i:])
			for k := range size {
				count[i+k] = n
			}
			n++
		}
		count[len(text)] = n
	}
	for i, x := range tokens {
		start, end := x.Start, x.End
		if chars {
			first := count[start]
			for end < len(text) && !utf8.RuneStart(text[end]) {
				end++
			}
			start, end = first, count[end]
		}
		if t.def.TrimOffsets {
			surface := t.def.Tokens[x.ID]
			if k := t.kind[x.ID]; k == added || k == special || k == outside { // an added token is what it matched
				surface = text[x.Start:x.End]
			}
			start, end = t.trim(surface, i, start, end)
		}
		out[i] = [2]int{start, end}
	}
	return out
}

// trim leaves out the blanks at the ends of a token, as many as its surface form has.
func (t *Tokenizer) trim(s string, i, start, end int) (int, int) {
	blank := func(r rune) bool { return r == byteRune[' '] || unicode.IsSpace(r) }
	leading := utf8.RuneCountInString(s) - utf8.RuneCountInString(strings.TrimLeftFunc(s, blank))
	trailing := utf8.RuneCountInString(s) - utf8.RuneCountInString(strings.TrimRightFunc(s, blank))
	if leading == 0 && trailing == 0 {
		return start, end
	}
	if leading > 0 {
		if (i == 0 || start == 0) && t.def.KeepFirstSpace && leading == 1 {
			leading = 0
		}
		start = min(start+leading, end)
	}
	if trailing > 0 && end >= trailing {
		end = max(end-trailing, start)
	}
	return start, end
}

// Places are the Offsets of an encoding in its texts; [0 0] for tokens of none.
func (t *Tokenizer) Places(e *Encoding, texts []string, chars bool) [][2]int {
	out := make([][2]int, len(e.Tokens))
	for i := 0; i < len(out); {
		end := i + 1
		for end < len(out) && e.Texts[end] == e.Texts[i] {
			end++
		}
		if k := e.Texts[i]; k > 0 {
			copy(out[i:end], t.Offsets(texts[k-1], e.Tokens[i:end], chars))
		}
		i = end
	}
	return out
}
