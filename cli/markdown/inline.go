package markdown

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The end of a span is looked for in so many bytes, whether they are there already or not: how a text is cut does not matter.
const (
	longestCode = 400
	longestSpan = 200
	longestLink = 800
)

// inline shows the text of a line, and returns what it has to wait with.
func (w *Writer) inline(line string, complete bool) (rest string) {
	for line != "" {
		n := w.span(line, complete)
		if n == 0 {
			return line
		}
		line = line[n:]
	}
	return ""
}

// put shows a letter of the text.
func (w *Writer) put(r rune) {
	w.flow.style = w.base | w.extra
	if w.strong != 0 {
		w.flow.style |= bold
	}
	w.flow.put(r)
	w.last = r
}

func (w *Writer) literal(text string) int {
	for _, r := range text {
		w.put(r)
	}
	return len(text)
}

// within shows text in a further style.
func (w *Writer) within(s style, show func()) {
	before := w.extra
	w.extra |= s
	show()
	w.extra = before
}

// span shows the letter or the span that a text begins with and returns its length; 0: more must come.
func (w *Writer) span(text string, complete bool) int {
	if w.math != "" {
		return w.formula(text, complete)
	}
	switch c := text[0]; c {
	case '\\':
		switch {
		case len(text) == 1 && !complete:
			return 0
		case len(text) > 1 && (text[1] == '(' || text[1] == '['):
			w.math = map[byte]string{'(': `\)`, '[': `\]`}[text[1]]
			return w.literal(text[:2])
		case len(text) > 1 && strings.IndexByte("\\`*_#~>+-.!|", text[1]) >= 0:
			w.literal(text[1:2])
			return 2
		}
	case '$':
		if text == "$" && !complete {
			return 0
		}
		if strings.HasPrefix(text, "$$") {
			w.math = "$$"
			return w.literal("$$")
		}
	case '`':
		return w.code(text, complete)
	case '*', '_', '~':
		return w.emphasis(text, c, complete)
	case '!':
		if text == "!" && !complete {
			return 0
		}
		if strings.HasPrefix(text, "![") {
			if n, wait := w.link(text[1:], complete); wait {
				return 0
			} else if n > 0 {
				return n + 1
			}
		}
	case '[':
		if n, wait := w.link(text, complete); wait {
			return 0
		} else if n > 0 {
			return n
		}
	}
	_, n := utf8.DecodeRuneInString(text)
	return w.literal(text[:n])
}

// formula shows TeX as it is, where stars and low lines are no marks.
func (w *Writer) formula(text string, complete bool) int {
	if at := strings.Index(text, w.math); at >= 0 {
		n := w.literal(text[:at+len(w.math)])
		w.math = ""
		return n
	}
	if n := len(text) - 1; !complete && text[n] == w.math[0] { // may be the first half of its end
		if n == 0 {
			return 0
		}
		return w.literal(text[:n])
	}
	return w.literal(text)
}

// window is the part of a text in which a span may end, and whether all of it is there.
func window(text string, most int, complete bool) (string, bool) {
	if len(text) < most {
		return text, complete
	}
	return text[:most], true
}

// run is the length of the run of one sign that a text begins with.
func run(text string, c byte) int {
	n := 0
	for n < len(text) && text[n] == c {
		n++
	}
	return n
}

// code is a span between equal runs of `.
func (w *Writer) code(text string, complete bool) int {
	text, complete = window(text, longestCode, complete)
	n := run(text, '`')
	if n == len(text) && !complete {
		return 0
	}
	for at := n; at < len(text); {
		m := run(text[at:], '`')
		if m == n && (complete || at+m < len(text)) {
			inner := text[n:at]
			if len(inner) > 2 && inner[0] == ' ' && inner[len(inner)-1] == ' ' && strings.TrimSpace(inner) != "" {
				inner = inner[1 : len(inner)-1]
			}
			w.within(code, func() { w.literal(inner) })
			return at + n
		}
		at += max(m, 1)
	}
	if !complete {
		return 0
	}
	return w.literal(text[:n])
}

// emphasis is a span between stars, low lines or two tildes. Bold text is shown as it comes: its marks are hardly ever anything
// else. Other spans are waited for.
func (w *Writer) emphasis(text string, c byte, complete bool) int {
	text, complete = window(text, longestSpan, complete)
	n := run(text, c)
	if n == len(text) && !complete {
		return 0
	}
	next, _ := utf8.DecodeRuneInString(text[n:])
	if n == len(text) {
		next = 0
	}
	if w.strong == c && n >= 2 && !unicode.IsSpace(w.last) {
		w.strong = 0
		return 2
	}
	opens := next != 0 && !unicode.IsSpace(next) && !inWord(w.last, c)
	switch {
	case c == '~' && n != 2, !opens, n > 3:
		return w.literal(text[:n])
	case n >= 2 && c != '~' && w.strong == 0:
		w.strong = c
		return 2
	}
	mark := text[:1]
	s := italic
	if c == '~' {
		mark, s = text[:2], struck
	}
	for at := len(mark); at < len(text); at++ {
		m := run(text[at:], c)
		if m == 0 {
			continue
		}
		if at+m == len(text) && !complete { // the run may go on
			break
		}
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+m:])
		if m%2 == len(mark)%2 && !unicode.IsSpace(before) && (c != '_' || at+m == len(text) || !inWord(after, c)) {
			inner := text[len(mark) : at+m-len(mark)]
			w.within(s, func() { w.inline(inner, true) })
			return at + m
		}
		at += m - 1
	}
	if !complete {
		return 0
	}
	return w.literal(mark)
}

// inWord says whether a mark beside a letter stands within a word: snake_case, 2*3. Chinese has no words in this sense for a star.
func inWord(r rune, mark byte) bool {
	if mark == '_' {
		return unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// link is [text](address): the text, and the address if it says more. It returns 0 for other brackets.
func (w *Writer) link(text string, complete bool) (n int, wait bool) {
	text, complete = window(text, longestLink, complete)
	name, named := window(text, longestSpan, complete)
	end := strings.IndexByte(name, ']')
	switch {
	case end < 0:
		return 0, !named
	case end+1 == len(text):
		return 0, !complete
	case text[end+1] != '(':
		return 0, false
	}
	length := strings.IndexByte(text[end:], ')')
	if length < 0 {
		return 0, !complete
	}
	name = text[1:end]
	address := ""
	if parts := strings.Fields(text[end+2 : end+length]); len(parts) > 0 {
		address = parts[0]
	}
	w.within(link, func() { w.inline(name, true) })
	if address != "" && address != name {
		if name != "" {
			w.put(' ')
		}
		w.within(dim, func() { w.literal("(" + address + ")") })
	}
	return end + length + 1, false
}
