// Package markdown shows Markdown on a terminal while it is being written.
//
// It guarantees that what is shown is never taken back (nothing flickers, and a copy of the screen holds the text), that a letter is held
// back only while it may belong to a mark, a word or a table that is not complete, that lines break between words and Chinese
// characters where the terminal asks for it, that lines of code are as they were written, and that control characters of the text
// do not reach the terminal. It refuses to be all of CommonMark: a line of the source is a line on the screen, and headings
// underlined with === and links by reference stay text.
package markdown

import (
	"io"
	"strings"
)

// Writer renders the text written to it. Close ends it.
type Writer struct {
	flow flow
	held string // not decided about yet: the beginning of a line, or what may be a mark

	begun bool  // the kind of the line is known
	shown bool  // anything
	blank int   // empty lines not shown yet
	base  style // of the line

	fence string   // the marks that opened a block of code; empty: none is open
	rows  []string // of a table, until it ends

	strong byte  // the mark that opened bold text; 0: none
	extra  style // of the span
	last   rune  // the letter before, on this line
	math   string
}

// New renders to out; columns tells the width of the terminal, 0 that lines are not to be broken.
func New(out io.Writer, columns func() int) *Writer {
	return &Writer{flow: flow{out: out, columns: columns}}
}

// NewDim is New for what is of less weight than an answer.
func NewDim(out io.Writer, columns func() int) *Writer {
	w := New(out, columns)
	w.flow.under = dim
	return w
}

// Write shows more text, or holds it.
func (w *Writer) Write(text string) {
	w.held += Clean(text)
	w.advance(false)
	w.flow.send()
}

// Close shows what was held back and ends the line.
func (w *Writer) Close() {
	w.advance(true)
	w.endTable()
	w.flow.endWord()
	if w.flow.column > 0 {
		w.flow.newline("")
	}
	w.flow.reset()
	w.flow.send()
}

// advance takes what is decided off held.
func (w *Writer) advance(end bool) {
	for w.held != "" {
		line, _, complete := strings.Cut(w.held, "\n")
		if !w.begun {
			if !w.begin(line, complete || end) {
				return
			}
			continue
		}
		rest := ""
		if w.fence != "" {
			w.flow.raw(line, code)
		} else {
			rest = w.inline(line, complete || end)
		}
		w.held = w.held[len(line)-len(rest):]
		if !complete {
			return
		}
		w.held = w.held[1:]
		w.endLine()
	}
}

// take drops a line that is done with.
func (w *Writer) take(line string) { w.held = strings.TrimPrefix(w.held[len(line):], "\n") }

// startLine shows the empty lines before a line, and what leads it.
func (w *Writer) startLine(lead, hang string, base style) {
	if w.shown {
		for range min(w.blank, 2) {
			w.flow.newline("")
		}
	}
	w.blank, w.shown, w.begun, w.base, w.last = 0, true, true, base, 0
	w.flow.lead(lead)
	w.flow.indent = hang
}

func (w *Writer) endLine() {
	w.flow.endWord()
	w.flow.newline("")
	w.begun = false
	if w.base&heading != 0 {
		w.strong = 0
	}
}

// Clean makes control characters visible: a model's text must not drive the terminal.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return '\uFFFD'
		}
		return r
	}, s)
}
