package lineedit

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"
)

// cells measures text as terminals show it, whatever the locale says of ambiguous characters.
var cells = &runewidth.Condition{}

// place is a row and a column of what is shown.
type place struct{ row, column int }

// layout is a text as it stands on a screen: its rows, each with what leads it, and where the cursor is.
type layout struct {
	rows   []string
	cursor place
	ends   place
}

// arrange breaks a text into rows of so many columns at most. Where a row would be full to the last column the next begins, so that
// the cursor always has a place.
func arrange(t *text, first, further string, columns int) layout {
	l := layout{}
	row, width := first, cells.StringWidth(first)
	brk := func() {
		l.rows = append(l.rows, row)
		row, width = further, cells.StringWidth(further)
	}
	for i, letter := range t.letters {
		if i == t.cursor {
			l.cursor = place{len(l.rows), width}
		}
		if letter == "\n" {
			brk()
			continue
		}
		w := cells.StringWidth(letter)
		if width+w >= columns && width > cells.StringWidth(further) {
			brk()
			if i == t.cursor {
				l.cursor = place{len(l.rows), width}
			}
		}
		row, width = row+letter, width+w
	}
	l.ends = place{len(l.rows), width}
	if t.cursor == len(t.letters) {
		l.cursor = l.ends
	}
	l.rows = append(l.rows, row)
	return l
}

// screen draws layouts over one another.
type screen struct {
	shown  []string // rows on the terminal
	cursor place    // on the terminal, from the first row of shown
}

// paint is what to send to a terminal of columns × lines to show a layout where the one before was. A layout that has more rows than the
// terminal is shown around its cursor. Rows that are as they were are not sent again.
func (s *screen) paint(l layout, lines int) string {
	rows, cursor := l.rows, l.cursor
	if most := max(lines-1, 1); len(rows) > most {
		from := min(max(cursor.row-most+1, 0), len(rows)-most)
		rows, cursor.row = rows[from:from+most], cursor.row-from
	}
	var b strings.Builder
	b.WriteString(upBy(s.cursor.row) + "\r")
	if s.shown == nil {
		b.WriteString("\x1b[J")
	}
	for i, row := range rows {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if i >= len(s.shown) || s.shown[i] != row {
			b.WriteString(row + "\x1b[K")
		}
	}
	if len(rows) < len(s.shown) {
		b.WriteString("\r\n\x1b[J\x1b[A")
	}
	b.WriteString(upBy(len(rows)-1-cursor.row) + "\r" + rightBy(cursor.column))
	s.shown, s.cursor = append(s.shown[:0:0], rows...), cursor
	return b.String()
}

// resized forgets where rows are after the terminal broke them anew for so many columns: the cursor is now further down.
func (s *screen) resized(columns int) {
	row := 0
	for i, text := range s.shown {
		if i == s.cursor.row {
			break
		}
		row += max((cells.StringWidth(text)+columns-1)/columns, 1)
	}
	s.cursor.row = row + s.cursor.column/columns
	s.shown = nil
}

func upBy(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA", n)
}

func rightBy(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dC", n)
}
