package ui

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Table is rows of cells. Cells may hold line feeds.
type Table struct {
	Title   string
	Columns []Column // without names, no heading is printed
	Rows    [][]string
}

// Column is how a column looks.
type Column struct {
	Name  string
	Right bool // numbers
}

// cells measures text as terminals show it: Chinese characters take two columns.
// Ambiguous characters (Greek, box drawing) count one, whatever the locale says, so
// that output does not depend on it.
var cells = &runewidth.Condition{}

// gap stands between columns.
const gap = "  "

// minWrap is the least width that a column is squeezed to.
const minWrap = 12

// String lays the table out; width is that of the terminal, 0 for no limit.
// Columns that do not fit are wrapped, the widest first; nothing is cut.
func (t Table) String(width int) string {
	columns := len(t.Columns)
	for _, row := range t.Rows {
		columns = max(columns, len(row))
	}
	rows := make([][][]string, 0, len(t.Rows)+1) // row, column, line
	named := false
	heading := make([][]string, columns)
	for i, c := range t.Columns {
		heading[i] = []string{c.Name}
		named = named || c.Name != ""
	}
	if named {
		rows = append(rows, heading)
	}
	for _, row := range t.Rows {
		lines := make([][]string, columns)
		for i, cell := range row {
			lines[i] = strings.Split(strings.TrimRight(clean(cell), "\n"), "\n")
		}
		rows = append(rows, lines)
	}
	widths := make([]int, columns)
	for _, row := range rows {
		for i, lines := range row {
			for _, line := range lines {
				widths[i] = max(widths[i], cells.StringWidth(line))
			}
		}
	}
	if width > 0 {
		squeeze(widths, width-len(gap)*(columns-1))
		for _, row := range rows {
			for i, lines := range row {
				row[i] = wrap(lines, widths[i])
			}
		}
	}
	var b strings.Builder
	if t.Title != "" {
		b.WriteString(t.Title + "\n")
	}
	for _, row := range rows {
		height := 1
		for _, lines := range row {
			height = max(height, len(lines))
		}
		for y := range height {
			var line strings.Builder
			for i, lines := range row {
				text := ""
				if y < len(lines) {
					text = lines[y]
				}
				pad := strings.Repeat(" ", max(0, widths[i]-cells.StringWidth(text)))
				if i > 0 {
					line.WriteString(gap)
				}
				if i < len(t.Columns) && t.Columns[i].Right {
					line.WriteString(pad + text)
				} else {
					line.WriteString(text + pad)
				}
			}
			b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
	return b.String()
}

// squeeze narrows the widest columns until the sum fits, or none can give more.
func squeeze(widths []int, room int) {
	for {
		sum, widest := 0, 0
		for i, w := range widths {
			sum += w
			if w > widths[widest] {
				widest = i
			}
		}
		if sum <= room || len(widths) == 0 || widths[widest] <= minWrap {
			return
		}
		widths[widest]--
	}
}

// wrap breaks lines at spaces, or anywhere in text without them.
func wrap(lines []string, width int) []string {
	var out []string
	for _, line := range lines {
		for cells.StringWidth(line) > width {
			cut := len(cells.Truncate(line, width, ""))
			if cut == 0 { // a character wider than the column
				break
			}
			if space := strings.LastIndexByte(line[:cut], ' '); line[cut] != ' ' && space > cut/2 {
				cut = space
			}
			out = append(out, strings.TrimRight(line[:cut], " "))
			line = strings.TrimLeft(line[cut:], " ")
		}
		out = append(out, line)
	}
	return out
}

// clean makes control characters visible: text of documents and of models must not
// drive the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0):
			return '�'
		}
		return r
	}, s)
}

// Table prints a table for people.
func (o *Out) Table(t Table) { o.Print(t.String(o.width(o.people()))) }
