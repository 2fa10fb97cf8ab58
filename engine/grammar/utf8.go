package grammar

import "unicode/utf8"

// runes adds the UTF-8 encodings of the code points low … high, surrogates left out, from one state to another. The
// range is cut where the number of bytes changes and then so that each piece is a sequence of byte ranges.
func (b *builder) runes(from int32, low, high rune, to int32) {
	const firstSurrogate, lastSurrogate = 0xD800, 0xDFFF
	high = min(high, utf8.MaxRune)
	if low > high {
		return
	}
	if low <= lastSurrogate && high >= firstSurrogate {
		b.runes(from, low, firstSurrogate-1, to)
		b.runes(from, lastSurrogate+1, high, to)
		return
	}
	for _, last := range []rune{0x7F, 0x7FF, 0xFFFF} {
		if low <= last && last < high {
			b.runes(from, low, last, to)
			b.runes(from, last+1, high, to)
			return
		}
	}
	for shift := 6; shift <= 18; shift += 6 {
		mask := rune(1)<<shift - 1
		if low&^mask == high&^mask {
			break
		}
		if low&mask != 0 {
			b.runes(from, low, low|mask, to)
			b.runes(from, (low|mask)+1, high, to)
			return
		}
		if high&mask != mask {
			b.runes(from, low, high&^mask-1, to)
			b.runes(from, high&^mask, high, to)
			return
		}
	}
	first, last := utf8.AppendRune(nil, low), utf8.AppendRune(nil, high)
	for i := range first {
		next := to
		if i < len(first)-1 {
			next = b.state()
		}
		b.edge(from, first[i], last[i], next)
		from = next
	}
}
