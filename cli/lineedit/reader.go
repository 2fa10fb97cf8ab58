// Package lineedit reads what a person writes at a terminal: text of one or many lines, with a history.
//
// It guarantees the keys that shells have (Emacs bindings, arrows, Alt-Enter or Ctrl-J for a new line, pasted text as it is), a cursor
// that stands where it seems to in Chinese text and pictures, rows that are drawn over one another without being cleared first, and a
// terminal that is left as it was found. What is typed while nobody reads waits, unseen. It refuses terminals that cannot move
// the cursor: Usable tells.
package lineedit

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// ErrInterrupted is returned for Ctrl-C where nothing was written. io.EOF is returned for Ctrl-D there, and when the terminal is gone.
var ErrInterrupted = errors.New("interrupted")

// Reader reads texts from a terminal.
type Reader struct {
	// Complete, if not nil, gives what could stand instead of a text that the cursor is at the end of.
	Complete func(text string) []string
	// More says whether Enter begins another line, as the text is not complete yet; nil is never.
	More    func(text string) bool
	History *History

	in, out *os.File
	mode    *mode
	typed   <-chan []byte
	pending string // typed, not read yet
	plain   bool   // no styles
}

// Usable says whether texts can be edited here: both are terminals, and not dumb ones.
func Usable(in, out *os.File) bool {
	kind := os.Getenv("TERM")
	return canEdit && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())) && kind != "dumb" && kind != ""
}

// Open takes the terminal over: letters come as they are typed and are not shown by themselves. Close gives it back.
func Open(in, out *os.File) (*Reader, error) {
	m, err := takeOver(in)
	if err != nil {
		return nil, err
	}
	letters := make(chan []byte, 256)
	r := &Reader{in: in, out: out, mode: m, typed: letters, History: &History{}, plain: os.Getenv("NO_COLOR") != ""}
	go func() {
		defer close(letters)
		for {
			buffer := make([]byte, 4096)
			n, err := in.Read(buffer)
			if n > 0 {
				letters <- buffer[:n]
			}
			if err != nil || n == 0 {
				return
			}
		}
	}()
	return r, nil
}

// Close gives the terminal back as it was.
func (r *Reader) Close() error { return r.mode.restore() }

// patience is how long an ESC may stand alone before it is a key and not the beginning of one.
const patience = 50 * time.Millisecond

// Read reads a text. prompt stands before its first row, initial is there to be edited, hint is shown while there is none.
// interrupts are Ctrl-C's signals.
func (r *Reader) Read(ctx context.Context, prompt, initial, hint string, interrupts <-chan os.Signal) (string, error) {
	if err := r.mode.again(); err != nil { // a shell may have had the terminal in between
		return "", err
	}
	resized, stop := watchSize()
	defer stop()
	e := &editing{Reader: r, prompt: prompt, further: strings.Repeat(" ", cells.StringWidth(prompt)), hint: hint}
	e.text.set(clean(initial))
	r.History.begin()
	r.write("\x1b[?2004h") // pasted text is told from typed
	defer r.write("\x1b[?2004l")
	e.draw()
	for {
		for r.pending != "" {
			k, n := next(r.pending)
			if n == 0 {
				break
			}
			r.pending = r.pending[n:]
			if text, err, done := e.press(k); done {
				return text, err
			}
		}
		e.draw()
		var late <-chan time.Time
		if r.pending == "\x1b" {
			late = time.After(patience)
		}
		select {
		case <-ctx.Done():
			e.leave()
			return "", ctx.Err()
		case <-interrupts:
			if text, err, done := e.press(key{name: interrupt}); done {
				return text, err
			}
		case again := <-resized:
			if again { // the shell had the terminal in between
				r.mode.again()
				r.write("\x1b[?2004h")
				e.screen = screen{}
			}
			e.screen.resized(r.columns())
		case <-late:
			r.pending = ""
		case letters, ok := <-r.typed:
			if !ok {
				e.leave()
				return "", io.EOF
			}
			r.pending += string(letters)
		}
	}
}

func (r *Reader) write(s string) { io.WriteString(r.out, s) }

func (r *Reader) columns() int {
	columns, _ := r.size()
	return columns
}

// size is that of the terminal; one that does not tell is of the usual size.
func (r *Reader) size() (columns, lines int) {
	columns, lines, err := term.GetSize(int(r.out.Fd()))
	if err != nil || columns < 1 || lines < 1 {
		return 80, 24
	}
	return max(columns, 8), lines
}
