package ui

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// block is several lines that are redrawn in place, on a terminal: what a progress line is too short for.
type block struct {
	widths []int // of the lines that are on the terminal at this moment
}

// Block draws lines in place of those of the call before. They are cut to the terminal's width; without a terminal, or when quiet, nothing is drawn. Other text
// goes above; the next call draws the block again below it. A frame is one write of the rows that there were and are, so that it does not flicker.
func (o *Out) Block(lines []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	width := o.width(o.stderr)
	if width == 0 || o.Quiet {
		return
	}
	if o.line.drawn { // a line of progress of what came before stays above
		o.end()
	}
	var b strings.Builder
	b.WriteString(o.block.home(width))
	o.block.widths = o.block.widths[:0]
	for i, line := range lines {
		line = cells.Truncate(clean(line), width-1, "…")
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(line + "\x1b[K")
		o.block.widths = append(o.block.widths, cells.StringWidth(line))
	}
	b.WriteString("\x1b[J")
	io.WriteString(o.stderr, b.String())
}

// home brings the cursor to where the block begins. A terminal that has become narrower since has broken its lines.
func (k *block) home(width int) string {
	rows := 0
	for _, w := range k.widths {
		rows += max(1, (w+width-1)/width)
	}
	if rows > 1 {
		return fmt.Sprintf("\r\x1b[%dA", rows-1)
	}
	return "\r"
}

// EndBlock leaves the block as it is and goes on below it.
func (o *Out) EndBlock() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.block.widths) > 0 {
		io.WriteString(o.stderr, "\n")
		o.block.widths = nil
	}
}

// clearBlock makes room for other text.
func (o *Out) clearBlock() {
	if len(o.block.widths) > 0 {
		io.WriteString(o.stderr, o.block.home(max(o.width(o.stderr), 1))+"\x1b[J")
		o.block.widths = nil
	}
}

// Size is the columns and lines of the terminal that progress is shown on; 0 where it is none.
func (o *Out) Size() (columns, lines int) {
	columns = o.width(o.stderr)
	file, ok := o.stderr.(*os.File)
	if columns == 0 || !ok {
		return columns, 24
	}
	if _, lines, err := term.GetSize(int(file.Fd())); err == nil && lines > 0 {
		return columns, lines
	}
	return columns, 24
}

// Cut shortens text to so many columns.
func Cut(text string, columns int) string { return cells.Truncate(clean(text), max(columns, 0), "…") }

// Columns is how many columns text takes on a terminal.
func Columns(text string) int { return cells.StringWidth(text) }
