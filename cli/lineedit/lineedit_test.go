//go:build linux || darwin || freebsd || netbsd || openbsd

package lineedit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/cli/screentest"
)

// session is a reader at a terminal.
type session struct {
	*screentest.Terminal
	reader     *Reader
	interrupts chan os.Signal
	results    chan result
}

type result struct {
	text string
	err  error
}

func open(t *testing.T, columns, lines int) *session {
	t.Helper()
	terminal := screentest.Open(t, columns, lines)
	r, err := Open(terminal.File, terminal.File)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &session{terminal, r, make(chan os.Signal, 1), make(chan result, 1)}
}

// read starts reading a text.
func (s *session) read(initial string) {
	go func() {
		text, err := s.reader.Read(context.Background(), "> ", initial, "hint", s.interrupts)
		s.results <- result{text, err}
	}()
	if initial == "" {
		s.Await("> hint$")
	}
}

func (s *session) ends(t *testing.T, text string, err error) {
	t.Helper()
	if r := <-s.results; r.text != text || !errors.Is(r.err, err) {
		t.Errorf("the text is %q (%v), want %q (%v)", r.text, r.err, text, err)
	}
}

func TestKeysEditTheText(t *testing.T) {
	for _, c := range []struct{ why, keys, want string }{
		{"what is typed", "hello\r", "hello"},
		{"backspace and delete", "abcd\x7f\x1b[D\x1b[D\x1b[3~\r", "ac"},
		{"the ends of the line", "bc\x01a\x05d\r", "abcd"},
		{"words", "one two three\x1bb\x1bbX\x1b[1;5CY\r", "one XtwoY three"},
		{"cut and put back", "one two\x17\x01\x19\r", "twoone "},
		{"the rest of the line", "one two\x01\x1bf\x0b\r", "one"},
		{"all before", "one two\x15x\r", "x"},
		{"swapped letters", "ab\x14\r", "ba"},
		{"Chinese letters are one step wide", "你好\x1b[D们\r", "你们好"},
		{"a picture of several characters is one letter", "a👩‍👩‍👧b\x1b[D\x7f\r", "ab"},
		{"an accent joins", "e\u0301x\x1b[D\x7f\r", "x"},
		{"Alt-Enter is a new line", "a\x1b\rb\r", "a\nb"},
		{"Ctrl-J is a new line", "a\nb\r", "a\nb"},
		{"a backslash at the end continues", "a\\\rb\r", "a\nb"},
		{"Shift-Enter of terminals that tell it", "a\x1b[13;2ub\r", "a\nb"},
		{"pasted lines ask nothing", "\x1b[200~a\r\nb\tc\x1b[201~d\r", "a\nb    cd"},
		{"pasted control characters are no keys", "\x1b[200~a\x01\x1b[Ab\x1b[201~\r", "a[Ab"},
		{"up and down move in the text", "abc\ndef\x1b[AX\x1b[BY\r", "abcX\ndefY"},
		{"unknown keys do nothing", "a\x1b[24~\x1b[200;5ub\x1bz\r", "ab"},
	} {
		s := open(t, 40, 10)
		s.read("")
		s.Type(c.keys)
		r := <-s.results
		if r.text != c.want || r.err != nil {
			t.Errorf("%s: %q gives %q (%v), want %q", c.why, c.keys, r.text, r.err, c.want)
		}
	}
}

func TestTheScreenShowsTheTextAndWhereTheCursorIs(t *testing.T) {
	s := open(t, 12, 6)
	s.read("")
	s.Type("床前明月光疑是")
	s.AwaitEnd("> 床前明月\n  光疑是")
	s.Type("\x1b[A")
	s.Type("x") // under the cursor's column, between two wide letters
	s.Await(`^> 床前明x月\n  光疑是$`)
	s.Type("\x05\x15")
	s.Await("^> hint$")
	s.Type("\x1b[200~1\n2\n3\n4\n5\n6\n7\x1b[201~")
	s.AwaitEnd("3\n  4\n  5\n  6\n  7") // a text with more rows than the screen shows those around the cursor
	s.Type("\r")
	s.ends(t, "1\n2\n3\n4\n5\n6\n7", nil)
	s.AwaitEnd("> 1\n  2\n  3\n  4\n  5\n  6\n  7\n") // in the end all of it was shown
}

func TestResizingKeepsTheText(t *testing.T) {
	s := open(t, 30, 10)
	s.read("")
	s.Type("the quick brown fox")
	s.AwaitEnd("fox")
	s.Resize(12, 10)
	s.Await("> the quick\n?  *brown fox$|> the quic\n  k brown f\n  ox$")
	s.Type("!\r")
	s.ends(t, "the quick brown fox!", nil)
}

func TestLeaving(t *testing.T) {
	s := open(t, 40, 10)
	s.read("")
	s.Type("\x04")
	s.ends(t, "", io.EOF)

	s.read("")
	s.interrupts <- os.Interrupt
	s.ends(t, "", ErrInterrupted)

	s.read("")
	s.Type("half a text")
	s.AwaitEnd("half a text")
	s.interrupts <- os.Interrupt // takes the text away, and leaves nothing
	s.Await("> half a text\n> hint$")
	s.Type("a\x04\r") // Ctrl-D at the end of a text is no end
	s.ends(t, "a", nil)
}

func TestWhatIsTypedEarlyWaits(t *testing.T) {
	s := open(t, 40, 10)
	s.Type("early\r")
	go func() {
		text, err := s.reader.Read(context.Background(), "> ", "", "", nil)
		s.results <- result{text, err}
	}()
	s.ends(t, "early", nil)
	s.Await("^> early\n$")
}

func TestHistoryOutlivesTheProgramForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "home", "history.jsonl")
	for i, step := range []struct{ keys, want string }{
		{"first\r", "first"},
		{"second\nof two lines\r", "second\nof two lines"},
		{"first\r", "first"},
		{"\x1b[A\x1b[A\x1b[A\r", "second\nof two lines"}, // within the text of two lines, up is a line
		{"f\x1b[A\r", "first"},
		{"new\x1b[A\x1b[A\x1b[B!\r", "new!"},
	} {
		s := open(t, 40, 10)
		history, err := OpenHistory(path)
		if err != nil {
			t.Fatal(err)
		}
		s.reader.History = history
		s.read("")
		s.Type(step.keys)
		if r := <-s.results; r.text != step.want {
			t.Errorf("step %d: %q gives %q, want %q", i, step.keys, r.text, step.want)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the history may be read by others: %v", info.Mode())
	}
	if err := os.WriteFile(path, []byte("\"good\"\nbroken\n\"also good\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err := OpenHistory(path); err != nil || strings.Join(h.Entries(), " ") != "good also good" {
		t.Errorf("a broken line: %v, %v", h.Entries(), err)
	}
}

func TestTabCompletes(t *testing.T) {
	s := open(t, 60, 10)
	s.reader.Complete = func(text string) (list []string) {
		for _, c := range []string{"/reset", "/regenerate", "/quit"} {
			if strings.HasPrefix(c, text) {
				list = append(list, c)
			}
		}
		return list
	}
	s.read("")
	s.Type("/q\t")
	s.AwaitEnd("> /quit")
	s.Type("\x15/r\t\t")
	s.Await("> /re\n/reset  /regenerate\n> /re$")
	s.Type("g\t\r")
	s.ends(t, "/regenerate", nil)
}

func TestTheTerminalIsLeftAsItWasFound(t *testing.T) {
	terminal := screentest.Open(t, 40, 10)
	before, err := takeOver(terminal.File)
	if err != nil {
		t.Fatal(err)
	}
	before.restore()
	r, err := Open(terminal.File, terminal.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := takeOver(terminal.File)
	if err != nil {
		t.Fatal(err)
	}
	after.restore()
	if before.found != after.found {
		t.Errorf("the terminal was %+v and is %+v", before.found, after.found)
	}
}

// FuzzKeys: whatever comes from a terminal ends in keys, and what is shown of it has no control character.
func FuzzKeys(f *testing.F) {
	for _, keys := range []string{"hello\r", "\x1b[A\x1b[1;5C\x1bb", "\x1b[200~a\x1b[201~", "\x1b", "\x1b[", "你\xe4\xbd", "\x1b\xff"} {
		f.Add(keys)
	}
	f.Fuzz(func(t *testing.T, keys string) {
		var x text
		for keys != "" {
			k, n := next(keys)
			if n < 0 || n > len(keys) {
				t.Fatalf("%q: a key of %d bytes", keys, n)
			}
			if n == 0 {
				break
			}
			keys = keys[n:]
			x.edit(k)
			if x.cursor < 0 || x.cursor > len(x.letters) {
				t.Fatalf("the cursor is at %d of %d", x.cursor, len(x.letters))
			}
			l := arrange(&x, "> ", "  ", 20)
			if l.cursor.row < 0 || l.cursor.row >= len(l.rows) {
				t.Fatalf("%q: the cursor is in row %d of %d", x.String(), l.cursor.row, len(l.rows))
			}
		}
		if s := x.String(); s != clean(s) {
			t.Fatalf("the text has control characters: %q", s)
		}
	})
}
