// Package screentest is a terminal for tests: it shows what a program writes as a screen would, and waits for what a person would see.
//
// It guarantees that a sequence it does not know is a failure and not ignored, so that programs stay with what every terminal has.
package screentest

import (
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"
)

// Terminal is a pseudo-terminal and its screen. File is the program's end.
type Terminal struct {
	File *os.File

	t      testing.TB
	master *os.File
	mu     sync.Mutex
	screen
	rest    string // an incomplete sequence
	unknown string
	ended   bool
}

// Open makes a terminal of so many columns and lines.
func Open(t testing.TB, columns, lines int) *Terminal {
	master, file, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	x := &Terminal{File: file, t: t, master: master, screen: screen{columns: columns, lines: lines}}
	x.Resize(columns, lines)
	t.Cleanup(func() {
		file.Close()
		master.Close()
	})
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			x.mu.Lock()
			x.write(string(buffer[:n]))
			x.ended = err != nil
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return x
}

// Resize gives the terminal another size; text is not broken anew.
func (x *Terminal) Resize(columns, lines int) {
	x.mu.Lock()
	x.columns, x.lines = columns, lines
	x.mu.Unlock()
	if err := pty.Setsize(x.master, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)}); err != nil {
		x.t.Fatal(err)
	}
}

// Type writes keys.
func (x *Terminal) Type(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.master, keys); err != nil {
		x.t.Fatal(err)
	}
}

// Shown is the screen's text, the rows that have scrolled off included.
func (x *Terminal) Shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.unknown != "" {
		x.t.Fatalf("the terminal was sent %q, which not every terminal knows", x.unknown)
	}
	return x.String()
}

// Cursor is where it stands, from 0, rows that have scrolled off included.
func (x *Terminal) Cursor() (row, column int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.row, x.column
}

// Await waits until the screen matches an expression.
func (x *Terminal) Await(pattern string) {
	x.t.Helper()
	x.await(pattern, func() bool { return regexp.MustCompile(pattern).MatchString(x.Shown()) })
}

// AwaitEnd waits until the screen ends with a text, and the cursor is behind it.
func (x *Terminal) AwaitEnd(text string) {
	x.t.Helper()
	x.await(text+" at the end", func() bool {
		shown := x.Shown()
		row, column := x.Cursor()
		rows := strings.Split(shown, "\n")
		last := rows[len(rows)-1]
		return strings.HasSuffix(shown, text) && row == len(rows)-1 && column >= runewidth.StringWidth(last)
	})
}

func (x *Terminal) await(what string, seen func() bool) {
	x.t.Helper()
	for range 2000 {
		if seen() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	row, column := x.Cursor()
	x.t.Fatalf("waited for %s; the screen shows (cursor at %d, %d)\n%s", what, row, column, x.Shown())
}

// screen is cells, and a cursor.
type screen struct {
	columns, lines int
	rows           [][]string // of cells; the second cell of a wide character is empty
	row, column    int
}

// String is the rows without blanks at their ends.
func (s *screen) String() string {
	var out []string
	for _, row := range s.rows {
		out = append(out, strings.TrimRight(strings.Join(row, ""), " "))
	}
	for len(out) > s.row+1 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return strings.Join(out, "\n")
}

var sequence = regexp.MustCompile(`^\x1b\[([?0-9;]*)([A-Za-z])`)

func (x *Terminal) write(text string) {
	text = x.rest + text
	x.rest = ""
	for text != "" {
		if text[0] == 0x1b {
			m := sequence.FindStringSubmatch(text)
			if m == nil {
				if len(text) > 16 {
					x.unknown = text[:16]
				}
				x.rest = text
				return
			}
			if !x.control(m[1], m[2]) {
				x.unknown = m[0]
			}
			text = text[len(m[0]):]
			continue
		}
		if !utf8.FullRuneInString(text) {
			x.rest = text
			return
		}
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		x.letter(r)
	}
}

// top is the first row that is on the screen.
func (s *screen) top() int { return max(len(s.rows)-s.lines, 0) }

// cell makes the cursor's place.
func (s *screen) cell() []string {
	for len(s.rows) <= s.row {
		s.rows = append(s.rows, nil)
	}
	for len(s.rows[s.row]) < s.column {
		s.rows[s.row] = append(s.rows[s.row], " ")
	}
	return s.rows[s.row]
}

func (s *screen) letter(r rune) {
	switch r {
	case '\r':
		s.column = 0
		return
	case '\n':
		s.row++
		s.cell()
		return
	case '\a':
		return
	case '\t':
		s.column = min(s.column/8*8+8, s.columns-1)
		return
	}
	w := (&runewidth.Condition{}).RuneWidth(r)
	if w == 0 { // joins the letter before
		if row := s.cell(); s.column > 0 {
			row[s.column-1] += string(r)
		}
		return
	}
	if s.column+w > s.columns {
		s.row, s.column = s.row+1, 0
	}
	row := s.cell()
	for len(row) < s.column+w {
		row = append(row, " ")
	}
	row[s.column] = string(r)
	if w == 2 {
		row[s.column+1] = ""
	}
	s.rows[s.row] = row
	s.column += w
}

// control obeys a sequence; false: it is unknown.
func (s *screen) control(parameters, final string) bool {
	n, err := strconv.Atoi(parameters)
	if err != nil {
		n = 1
	}
	row := s.cell()
	switch {
	case final == "m":
	case (final == "h" || final == "l") && (parameters == "?2004" || parameters == "?25"):
	case final == "A":
		s.row = max(s.row-n, s.top())
	case final == "B":
		s.row = min(s.row+n, len(s.rows)-1)
	case final == "C":
		s.column = min(s.column+n, s.columns-1)
	case final == "D":
		s.column = max(s.column-n, 0)
	case final == "K" && parameters == "":
		s.rows[s.row] = row[:min(s.column, len(row))]
	case final == "J" && parameters == "":
		s.rows[s.row] = row[:min(s.column, len(row))]
		s.rows = s.rows[:s.row+1]
	case final == "J" && parameters == "2":
		for i := s.top(); i < len(s.rows); i++ {
			s.rows[i] = nil
		}
	case final == "H" && parameters == "":
		s.row, s.column = s.top(), 0
	default:
		return false
	}
	return true
}
