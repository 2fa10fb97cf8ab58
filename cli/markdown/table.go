package markdown

import (
	"regexp"
	"strings"

	"lian/cli/ui"
)

var (
	tableRule = regexp.MustCompile(`^\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$`)
	lineBreak = regexp.MustCompile(`(?i)<br ?/?>`)
)

// endTable shows the lines that begin with a bar: a table if the second is its rule, text otherwise.
func (w *Writer) endTable() {
	rows := w.rows
	w.rows = nil
	if len(rows) == 0 {
		return
	}
	if len(rows) < 2 || !tableRule.MatchString(rows[1]) {
		for _, row := range rows {
			w.startLine("", "", 0)
			w.inline(row, true)
			w.endLine()
		}
		return
	}
	var t ui.Table
	for _, rule := range split(rows[1]) {
		t.Columns = append(t.Columns, ui.Column{Right: strings.HasSuffix(rule, ":") && !strings.HasPrefix(rule, ":")})
	}
	for i, row := range rows {
		if i == 1 {
			continue
		}
		cells := split(row)
		for c := range cells {
			cells[c] = plain(cells[c])
			if i == 0 {
				cells[c] += "\n" + strings.Repeat("─", max(width(cells[c]), 3))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	for line := range strings.Lines(t.String(max(w.flow.columns()-1, 0))) {
		w.startLine("", "", 0)
		w.flow.raw(strings.TrimRight(line, "\n"), 0)
		w.endLine()
	}
}

// split is the cells of a row.
func split(row string) (cells []string) {
	row = strings.TrimSpace(row)
	row = strings.TrimPrefix(row, "|")
	if !strings.HasSuffix(row, `\|`) {
		row = strings.TrimSuffix(row, "|")
	}
	from := 0
	for i := range row {
		if row[i] == '|' && (i == 0 || row[i-1] != '\\') {
			cells, from = append(cells, strings.TrimSpace(row[from:i])), i+1
		}
	}
	return append(cells, strings.TrimSpace(row[from:]))
}

// plain is a cell without marks.
func plain(cell string) string {
	w := New(nil, func() int { return 0 })
	w.flow.plain = true
	var lines []string
	for _, line := range lineBreak.Split(cell, -1) {
		w.inline(line, true)
		w.flow.endWord()
		lines = append(lines, strings.TrimSpace(w.flow.ready.String()))
		w.flow.ready.Reset()
	}
	return strings.Join(lines, "\n")
}

// width is the widest line of a cell.
func width(cell string) (widest int) {
	for line := range strings.Lines(cell) {
		widest = max(widest, cells.StringWidth(strings.TrimRight(line, "\n")))
	}
	return widest
}
