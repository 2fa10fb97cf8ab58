package lineedit

import (
	"io"
	"math"
	"strings"
)

// editing is one text being written.
type editing struct {
	*Reader
	text
	screen
	prompt, further, hint string
}

// draw shows the text as it is.
func (e *editing) draw() {
	_, lines := e.size()
	e.show(lines)
}

func (e *editing) show(lines int) {
	columns := e.columns()
	l := arrange(&e.text, e.prompt, e.further, columns)
	if e.text.empty() && e.hint != "" && !e.plain {
		room := columns - 1 - cells.StringWidth(l.rows[0])
		l.rows[0] += "\x1b[2m" + cells.Truncate(e.hint, max(room, 0), "…") + "\x1b[0m"
	}
	e.write(e.paint(l, lines))
}

// leave puts the cursor below the text, all of which is shown, also where it has more rows than the terminal.
func (e *editing) leave() {
	hint := e.hint
	e.hint = ""
	e.cursorToEnd()
	e.show(math.MaxInt)
	e.hint = hint
	e.write("\r\n")
}

func (e *editing) cursorToEnd() { e.text.cursor = len(e.letters) }

// press applies a key; done says that it ends the text.
func (e *editing) press(k key) (text string, err error, done bool) {
	if e.edit(k) {
		return "", nil, false
	}
	switch k.name {
	case enter:
		if e.more() {
			return "", nil, false
		}
		e.leave()
		text = e.String()
		e.History.Add(text)
		return text, nil, true
	case interrupt:
		if e.text.empty() {
			e.leave()
			return "", ErrInterrupted, true
		}
		e.leave() // what was written stays on the screen, as in a shell
		e.text.set("")
		e.screen = screen{}
		e.History.begin()
	case endOfInput:
		if e.text.empty() {
			e.leave()
			return "", io.EOF, true
		}
		e.edit(key{name: remove})
	case clear:
		e.write("\x1b[H\x1b[2J")
		e.screen = screen{}
	case up, down:
		e.vertical(k.name == up)
	case tab:
		e.complete()
	}
	return "", nil, false
}

// more begins another line instead of ending the text: after a backslash, or where the caller says so.
func (e *editing) more() bool {
	all := e.String()
	if strings.HasSuffix(all, `\`) {
		e.set(strings.TrimSuffix(all, `\`) + "\n")
		return true
	}
	if e.More != nil && e.More(all) {
		e.cursorToEnd()
		e.insert("\n")
		return true
	}
	return false
}

// vertical moves to the row above or below, or beyond them through the history.
func (e *editing) vertical(above bool) {
	columns := e.columns()
	at := arrange(&e.text, e.prompt, e.further, columns).cursor
	row := at.row + 1
	if above {
		row = at.row - 1
	}
	best, found := 0, false
	for c := 0; c <= len(e.letters); c++ { // the letter of that row that is nearest to the column, from the left
		t := text{letters: e.letters, cursor: c}
		if p := arrange(&t, e.prompt, e.further, columns).cursor; p.row == row && (!found || p.column <= at.column) {
			best, found = c, true
		}
	}
	if found {
		e.text.cursor = best
		return
	}
	if entry, ok := e.History.step(above, e.String()); ok {
		e.set(entry)
	}
}

// complete writes what all that could be meant have in common.
func (e *editing) complete() {
	if e.Complete == nil || e.text.cursor != len(e.letters) {
		return
	}
	list := e.Complete(e.String())
	if len(list) == 0 {
		return
	}
	common := list[0]
	for _, s := range list[1:] {
		for !strings.HasPrefix(s, common) {
			common = common[:len(common)-1]
		}
	}
	if len(common) > len(e.String()) {
		e.set(common)
	} else if len(list) > 1 {
		e.leave()
		e.write(strings.Join(list, "  ") + "\r\n")
		e.screen = screen{}
	}
}
