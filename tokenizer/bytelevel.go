package tokenizer

import "unicode/utf8"

// The byte-level alphabet gives each of the 256 bytes a printable character, so that
// a vocabulary of bytes can be kept in JSON: printable Latin-1 characters stand for
// themselves, the other 68 bytes for U+0100 onwards. Source: GPT-2, encoder.py,
// bytes_to_unicode.
var (
	byteRune [256]rune
	runeByte [0x144]int16 // -1: not in the alphabet
)

func init() {
	for i := range runeByte {
		runeByte[i] = -1
	}
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		byteRune[b] = r
		runeByte[r] = int16(b)
	}
}

// ByteLevel is the surface form of bytes: one printable character for each byte, as
// vocabularies are written.
func ByteLevel(bytes string) string {
	out := make([]byte, 0, 2*len(bytes))
	for i := range len(bytes) {
		out = utf8.AppendRune(out, byteRune[bytes[i]])
	}
	return string(out)
}

// FromByteLevel is the inverse of ByteLevel; ok is false when surface holds a
// character that is not in the byte-level alphabet.
func FromByteLevel(surface string) (bytes string, ok bool) {
	out := make([]byte, 0, len(surface))
	for _, r := range surface {
		if int(r) >= len(runeByte) || runeByte[r] < 0 {
			return "", false
		}
		out = append(out, byte(runeByte[r]))
	}
	return string(out), true
}

// Alphabet is the 256 surface forms of single bytes in the order trainers number
// them: by code point of the surface form.
func Alphabet() []string {
	out := make([]string, 0, 256)
	for r, b := range runeByte {
		if b >= 0 {
			out = append(out, string(rune(r)))
		}
	}
	return out
}
