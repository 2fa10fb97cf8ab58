package markdown

import (
	"io"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// style is how a piece of text looks: bits that combine.
type style uint8

const (
	bold style = 1 << iota
	italic
	struck
	code
	heading
	dim
	link
)

// codes are what a terminal is told (ECMA-48, select graphic rendition).
var codes = []struct {
	style
	code string
}{{bold, "1"}, {dim, "2"}, {italic, "3"}, {link, "4"}, {struck, "9"}, {code, "36"}, {heading, "1;35"}}

// cells measures text as terminals show it, whatever the locale says of ambiguous characters.
var cells = &runewidth.Condition{}

// flow breaks lines between words. It holds the word that is being written, as it may have to begin the next line.
type flow struct {
	out     io.Writer
	columns func() int
	plain   bool // no styles: text only
	ready   strings.Builder
	under   style // of everything
	style   style // of what comes
	sent    style // that the terminal is in

	column int
	indent string // before the lines that follow in a paragraph
	word   []piece
	spaces int // due before the word
}

type piece struct {
	text string
	style
}

// put adds a letter.
func (f *flow) put(r rune) {
	switch {
	case r == ' ' || r == '\t':
		f.endWord()
		f.spaces++
		return
	case f.breaks(f.lastRune(), r):
		f.endWord()
	}
	if n := len(f.word); n > 0 && f.word[n-1].style == f.style {
		f.word[n-1].text += string(r)
		return
	}
	f.word = append(f.word, piece{string(r), f.style})
}

func (f *flow) lastRune() (last rune) {
	if len(f.word) > 0 {
		for _, r := range f.word[len(f.word)-1].text {
			last = r
		}
	}
	return last
}

// neverFirst do not begin a line, neverLast do not end one (Unicode line breaking, classes CL, EX, IS, NS and OP).
const (
	neverFirst = "，。、！？；：）」』】》〉”’…—～·％%)]},.!?:;"
	neverLast  = "（「『【《〈“‘([{"
	joiner     = '\u200d'
)

// breaks says whether a line may break between two letters: beside one that takes two columns, as Chinese ones do.
func (f *flow) breaks(before, after rune) bool {
	wide := func(r rune) bool { return cells.RuneWidth(r) == 2 }
	switch {
	case before == 0 || !wide(before) && !wide(after):
		return false
	case before == joiner || after == joiner || unicode.Is(unicode.M, after) || after >= 0x1F3FB && after <= 0x1F3FF: // one picture of several
		return false
	}
	return !strings.ContainsRune(neverLast, before) && !strings.ContainsRune(neverFirst, after)
}

// endWord writes the word that is complete, on a new line if this one is full.
func (f *flow) endWord() {
	if len(f.word) == 0 {
		return
	}
	width := 0
	for _, p := range f.word {
		width += cells.StringWidth(p.text)
	}
	if most := f.columns(); most > 0 && f.column > cells.StringWidth(f.indent) && f.column+f.spaces+width >= most {
		f.newline(f.indent)
		f.spaces = 0
	}
	f.look(f.sent & f.word[0].style)
	f.ready.WriteString(strings.Repeat(" ", f.spaces))
	for _, p := range f.word {
		f.look(p.style)
		f.ready.WriteString(p.text)
	}
	f.column += f.spaces + width
	f.word, f.spaces = f.word[:0], 0
}

// newline ends the line and begins the next with an indent. Blanks at its end are dropped.
func (f *flow) newline(indent string) {
	f.reset()
	f.ready.WriteByte('\n')
	f.column, f.spaces = 0, 0
	f.lead(indent)
}

// lead writes what stands before a line.
func (f *flow) lead(indent string) {
	if indent == "" {
		return
	}
	f.look(dim)
	f.ready.WriteString(indent)
	f.reset()
	f.column = cells.StringWidth(indent)
}

// raw writes text as it is: nothing is broken.
func (f *flow) raw(text string, s style) {
	f.look(s)
	f.ready.WriteString(text)
	f.column += cells.StringWidth(text)
}

// reset ends all styles.
func (f *flow) reset() {
	under := f.under
	f.under = 0
	f.look(0)
	f.under = under
}

// look changes the terminal's style.
func (f *flow) look(s style) {
	s |= f.under
	if s == f.sent || f.plain {
		return
	}
	var list []string
	if s&f.sent != f.sent || s == 0 {
		list = append(list, "0")
		f.sent = 0
	}
	for _, c := range codes {
		if s&c.style != 0 && f.sent&c.style == 0 {
			list = append(list, c.code)
		}
	}
	f.ready.WriteString("\x1b[" + strings.Join(list, ";") + "m")
	f.sent = s
}

// send writes what is ready in one piece.
func (f *flow) send() {
	if f.ready.Len() > 0 {
		io.WriteString(f.out, f.ready.String())
		f.ready.Reset()
	}
}
