// Package ui is how verbs speak: results as tables for people or JSON lines for
// programs, one line of progress, texts in the user's language.
//
// It guarantees that standard output holds results only when JSON is asked for
// (everything else goes to standard error then), that a progress line never mixes
// with other text, that columns line up where Chinese and Latin text meet, and that
// nothing is cut from a result: cells that are too wide are wrapped. It refuses to
// decide anything: what a result means is the business of the package that made it.
package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"lian/message"
)

// Out is where a verb writes. It is safe for concurrent use, and it is an
// event.Sink that shows progress.
type Out struct {
	Lang  string // message.English or message.Chinese
	JSON  bool   // results as JSON lines on standard output
	Quiet bool   // no progress and no notes; results and errors only
	In    io.Reader

	mu     sync.Mutex
	stdout io.Writer
	stderr io.Writer
	line   progressLine
	block  block
	now    func() time.Time
	width  func(io.Writer) int // Width, except in tests
}

// New is an Out that writes results to stdout and progress to stderr.
func New(lang string, json bool, stdout, stderr io.Writer) *Out {
	return &Out{Lang: lang, JSON: json, In: os.Stdin, stdout: stdout, stderr: stderr, now: time.Now, width: Width}
}

// T is the message of a key in the user's language; see package message.
func (o *Out) T(key string, args ...any) string { return message.Text(o.Lang, key, args...) }

// Say prints the message of a key as a line for people: on standard output, or on
// standard error when JSON is asked for; not at all when quiet.
func (o *Out) Say(key string, args ...any) { o.Print(o.T(key, args...) + "\n") }

// Print prints text for people as Say does, as it is.
func (o *Out) Print(text string) {
	if o.Quiet {
		return
	}
	o.write(o.people(), text)
}

// Note prints the message of a key on standard error, unless quiet: what a user
// should see although it is not the result.
func (o *Out) Note(key string, args ...any) {
	if !o.Quiet {
		o.write(o.stderr, o.T(key, args...)+"\n")
	}
}

// people is the stream that text for people goes to.
func (o *Out) people() io.Writer {
	if o.JSON {
		return o.stderr
	}
	return o.stdout
}

// Stdout is standard output for verbs whose result is a stream of text, such as
// chat. The progress line is cleared before each write.
func (o *Out) Stdout() io.Writer { return clearing{o, o.stdout} }

// Stderr is standard error; the progress line is cleared before each write.
func (o *Out) Stderr() io.Writer { return clearing{o, o.stderr} }

// File is the file that standard output is, if it is one.
func (o *Out) File() (*os.File, bool) {
	f, ok := o.stdout.(*os.File)
	return f, ok
}

// Terminal says whether a person sees standard output as it comes.
func (o *Out) Terminal() bool { return o.width(o.stdout) > 0 }

// Describe is a value as Result shows it to people.
func (o *Out) Describe(v any) string { return o.text(v) }

type clearing struct {
	o *Out
	w io.Writer
}

func (c clearing) Write(p []byte) (int, error) {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	c.o.clear()
	return c.w.Write(p)
}

func (o *Out) write(w io.Writer, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	io.WriteString(w, text) // a closed pipe ends the process by itself
}

// Line writes one JSON line to standard output. It is for verbs that stream
// results while they work, and does nothing without JSON.
func (o *Out) Line(v any) error {
	if !o.JSON {
		return nil
	}
	return o.jsonLine(v)
}

func (o *Out) jsonLine(v any) error {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("result as JSON: %w", err)
	}
	o.write(o.stdout, b.String())
	return nil
}

// Texter is a result that knows how people want to read it, in a language. Without
// it, Result makes tables of a value's exported fields.
type Texter interface {
	Text(lang string) string
}

// Result prints the result of a verb: JSON lines (one for each element of a slice)
// or text for people. Errors are joined and returned, and nothing is printed if
// there is one, so that a verb can end with
//
//	return out.Result(step.Quantize(…))
func (o *Out) Result(v any, errs ...error) error {
	if err := errors.Join(errs...); err != nil {
		if len(errs) == 1 {
			return errs[0]
		}
		return err
	}
	o.Finish()
	if !o.JSON {
		o.write(o.stdout, o.text(v))
		return nil
	}
	if list := reflect.ValueOf(v); list.Kind() == reflect.Slice && list.Type().Elem().Kind() != reflect.Uint8 {
		for i := range list.Len() {
			if err := o.jsonLine(list.Index(i).Interface()); err != nil {
				return err
			}
		}
		return nil
	}
	return o.jsonLine(v)
}

// Width is the number of columns of the terminal behind a stream, or 0 when it is
// no terminal.
func Width(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 20 {
		return 80
	}
	return width
}
