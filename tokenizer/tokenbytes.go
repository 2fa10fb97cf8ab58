package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// shower gives the function that appends what a token stands for within a text.
func (d *Definition) shower() func(dst []byte, id int32, k kind) []byte {
	byteLevel := d.Decode == nil && (d.Model == ByteBPE || d.Model == RankBPE)
	all := len(d.Decode) == 1 && d.Decode[0].Kind == ByteLevelDecoding
	switch {
	case byteLevel || all:
		return func(dst []byte, id int32, k kind) []byte {
			if d.Roles != nil && d.Roles[id] == Unused {
				return dst // as llama.cpp has it
			}
			if text := d.Tokens[id]; k == ordinary || k == byteful || all {
				if out, ok := appendFromByteLevel(dst, text); ok {
					return out
				}
			}
			return append(dst, d.Tokens[id]...) // no text encodes to it, or it is an added token
		}
	case d.Model == LongestMatch:
		return func(dst []byte, id int32, k kind) []byte {
			if k != ordinary && k != byteful {
				return append(dst, d.Tokens[id]...)
			}
			return append(dst, unescapeRWKV(d.Tokens[id])...)
		}
	case len(d.Decode) > 0 && (d.Decode[0].Kind == SentencePieceDecoding || d.Decode[0].Kind == LlamaDecoding):
		return func(dst []byte, id int32, _ kind) []byte {
			text := d.Tokens[id]
			switch d.role(id) {
			case ByteRole:
				if b, ok := byteToken(text); ok {
					return append(dst, b)
				}
			case Ordinary:
				return append(dst, strings.ReplaceAll(text, blank, " ")...)
			case Unused:
				if d.Decode[0].Kind == LlamaDecoding {
					return dst
				}
				return append(dst, strings.ReplaceAll(text, blank, " ")...)
			case UserDefined:
				if d.Decode[0].Kind == SentencePieceDecoding {
					return append(dst, strings.ReplaceAll(text, blank, " ")...)
				}
			}
			return append(dst, text...)
		}
	}
	return func(dst []byte, id int32, k kind) []byte {
		if k == special {
			return append(dst, d.Tokens[id]...)
		}
		return append(dst, d.inner(d.Tokens[id])...)
	}
}

// inner is what the decoding steps make of a token that stands between others.
func (d *Definition) inner(text string) string {
	if len(d.Decode) == 0 {
		return " " + text
	}
	fused := false
	for i := range d.Decode {
		switch s := &d.Decode[i]; s.Kind {
		case ByteLevelDecoding:
			if b, ok := FromByteLevel(text); ok {
				text = b
			}
		case ByteFallbackDecoding:
			if b, ok := byteToken(text); ok {
				return string([]byte{b})
			}
		case MetaspaceText:
			text = strings.ReplaceAll(text, s.Character, " ")
		case ReplaceText:
			if s.Literal && s.Pattern != "" {
				text = strings.ReplaceAll(text, s.Pattern, s.Content)
			}
		case StripText:
			if !fused {
				for range s.Start {
					text = strings.TrimPrefix(text, s.Character)
				}
				for range s.Stop {
					text = strings.TrimSuffix(text, s.Character)
				}
			}
		case WordPieceText:
			if rest, ok := strings.CutPrefix(text, s.Affix); ok {
				text = rest
			} else {
				text = " " + text
			}
			if s.Cleanup {
				text = cleanup.Replace(text)
			}
		case BPESuffix:
			text = strings.ReplaceAll(text, s.Affix, " ")
		case CTC:
			text = strings.ReplaceAll(strings.ReplaceAll(text, s.Pad, ""), s.Delimiter, " ")
		case Fuse:
			fused = true
		}
	}
	return text
}

// appendFromByteLevel is FromByteLevel into dst.
func appendFromByteLevel(dst []byte, surface string) ([]byte, bool) {
	n := len(dst)
	for i := 0; i < len(surface); {
		b := surface[i]
		if b > ' ' && b < 0x7f {
			dst = append(dst, b)
			i++
			continue
		}
		r, k := utf8.DecodeRuneInString(surface[i:])
		if int(r) >= len(runeByte) || runeByte[r] < 0 {
			return dst[:n], false
		}
		dst = append(dst, byte(runeByte[r]))
		i += k
	}
	return dst, true
}

// unescapeRWKV reads \t, \n, \r and \xHH; any other character after \ is itself.
func unescapeRWKV(s string) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 'x':
			if i+2 < len(s) {
				if b, ok := byteToken("<0x" + s[i+1:i+3] + ">"); ok {
					out = append(out, b)
					i += 2
					continue
				}
			}
			out = append(out, s[i])
		default:
			out = append(out, s[i])
		}
	}
	return out
}
