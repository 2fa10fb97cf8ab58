// Package verse measures generated poems: whether they keep the form of
// classical Chinese verse, and how much of them is copied.
//
// It guarantees that a poem counts as regular only if every line has five
// characters, or every line seven. It refuses to judge beauty.
package verse

import (
	"strings"
	"unicode"
)

// Lines are the lines of a poem: what stands between punctuation or line ends.
func Lines(poem string) []string {
	return strings.FieldsFunc(poem, func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSpace(r) || unicode.IsSymbol(r) })
}

// Regular says whether a poem has at least two lines and five characters in every line, or seven in every line.
func Regular(poem string) bool {
	lines := Lines(poem)
	if len(lines) < 2 {
		return false
	}
	want := 0
	for _, line := range lines {
		n := 0
		for _, r := range line {
			if !unicode.Is(unicode.Han, r) {
				return false
			}
			n++
		}
		if want == 0 {
			want = n
		}
		if n != want || n != 5 && n != 7 {
			return false
		}
	}
	return true
}

// Corpus is the set of lines that were there before.
type Corpus map[string]bool

// Add notes the lines of a text.
func (c Corpus) Add(text string) {
	for _, line := range Lines(text) {
		c[line] = true
	}
}

// Copied counts a poem's lines, and those of at least four characters that the corpus has word for word.
func (c Corpus) Copied(poem string) (copied, lines int) {
	for _, line := range Lines(poem) {
		if len([]rune(line)) < 4 {
			continue
		}
		lines++
		if c[line] {
			copied++
		}
	}
	return copied, lines
}
