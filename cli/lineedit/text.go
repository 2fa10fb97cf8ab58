package lineedit

import (
	"strings"
	"unicode"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// text is what is being written: letters as people count them (grapheme clusters), and where the cursor stands among them.
type text struct {
	letters []string
	cursor  int
	killed  string // what was cut last
}

func (t *text) String() string { return strings.Join(t.letters, "") }

func (t *text) empty() bool { return len(t.letters) == 0 }

// set replaces everything; the cursor is at the end.
func (t *text) set(s string) {
	t.letters = split(s)
	t.cursor = len(t.letters)
}

// insert puts s before the cursor. What it joins with becomes one letter, as an accent does.
func (t *text) insert(s string) {
	before, after := strings.Join(t.letters[:t.cursor], "")+s, strings.Join(t.letters[t.cursor:], "")
	t.letters = split(before + after)
	t.cursor = len(split(before))
}

func split(s string) (letters []string) {
	for g := graphemes.FromString(s); g.Next(); {
		letters = append(letters, g.Value())
	}
	return letters
}

// cut takes letters [from, to) away.
func (t *text) cut(from, to int) string {
	gone := strings.Join(t.letters[from:to], "")
	t.letters = append(t.letters[:from:from], t.letters[to:]...)
	t.cursor = from
	return gone
}

func (t *text) kill(from, to int) {
	if from < to {
		t.killed = t.cut(from, to)
	}
}

// lineStart and lineEnd are the ends of the cursor's line.
func (t *text) lineStart() int {
	at := t.cursor
	for at > 0 && t.letters[at-1] != "\n" {
		at--
	}
	return at
}

func (t *text) lineEnd() int {
	at := t.cursor
	for at < len(t.letters) && t.letters[at] != "\n" {
		at++
	}
	return at
}

// wordBefore and wordAfter are where the word before and after the cursor begins and ends.
func (t *text) wordBefore() int {
	at := t.cursor
	for at > 0 && !inWord(t.letters[at-1]) {
		at--
	}
	for at > 0 && inWord(t.letters[at-1]) {
		at--
	}
	return at
}

func (t *text) wordAfter() int {
	at := t.cursor
	for at < len(t.letters) && !inWord(t.letters[at]) {
		at++
	}
	for at < len(t.letters) && inWord(t.letters[at]) {
		at++
	}
	return at
}

func inWord(letter string) bool {
	for _, r := range letter {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'
	}
	return false
}

// edit applies a key that changes the text or moves within its lines; false: it is another key.
func (t *text) edit(k key) bool {
	switch k.name {
	case typed, pasted:
		t.insert(clean(k.text))
	case newline:
		t.insert("\n")
	case left:
		t.cursor = max(t.cursor-1, 0)
	case right:
		t.cursor = min(t.cursor+1, len(t.letters))
	case wordLeft:
		t.cursor = t.wordBefore()
	case wordRight:
		t.cursor = t.wordAfter()
	case home:
		t.cursor = t.lineStart()
	case end:
		t.cursor = t.lineEnd()
	case backspace:
		if t.cursor > 0 {
			t.cut(t.cursor-1, t.cursor)
		}
	case remove:
		if t.cursor < len(t.letters) {
			t.cut(t.cursor, t.cursor+1)
		}
	case killLeft:
		t.kill(t.lineStart(), t.cursor)
	case killRight:
		t.kill(t.cursor, t.lineEnd())
	case killWord:
		t.kill(t.wordBefore(), t.cursor)
	case killWordFwd:
		t.kill(t.cursor, t.wordAfter())
	case yank:
		t.insert(t.killed)
	case transpose:
		if t.cursor == len(t.letters) && t.cursor > 1 {
			t.cursor--
		}
		if at := t.cursor; at > 0 && at < len(t.letters) {
			t.letters[at-1], t.letters[at] = t.letters[at], t.letters[at-1]
			t.cursor++
		}
	default:
		return false
	}
	return true
}

// clean makes pasted text fit to be shown: line feeds as \n, a tab as four blanks, no other control character.
func clean(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", "    ").Replace(s)
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}
