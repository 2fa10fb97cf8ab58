package tfevents

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// version is what the first event of a file says.
const version = "brain.Event:2"

// Writer appends events to a new file. It is not safe for concurrent use.
type Writer struct {
	file *os.File
	err  error
}

// Create makes a new file in a folder, which is made too, with the name that TensorBoard looks for. Files are never gone on with: what
// follows is another file, of which TensorBoard makes one curve.
func Create(dir string, now time.Time, suffix string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		path := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.%s.%d", now.Unix(), suffix, n))
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if os.IsExist(err) && n < 1000 {
			continue
		}
		if err != nil {
			return nil, err
		}
		w := &Writer{file: file}
		return w, w.Write(Event{Time: now, Version: version})
	}
}

// Write adds an event and hands it to the system at once, so that TensorBoard sees it and a killed process loses nothing. The first error is kept.
func (w *Writer) Write(e Event) error {
	if w.err == nil {
		_, w.err = w.file.Write(appendRecord(nil, encode(e)))
	}
	return w.err
}

// Close ends the file and returns the first error.
func (w *Writer) Close() error {
	if err := w.file.Close(); w.err == nil {
		w.err = err
	}
	return w.err
}

// Read reads all events. Of a file that ends within a record it returns what came before, and an error that wraps ErrCut.
func Read(r io.Reader) (out []Event, err error) {
	in := bufio.NewReader(r)
	for n := 0; ; n++ {
		data, err := readRecord(in)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("record %d: %w", n, err)
		}
		e, err := decode(data)
		if err != nil {
			return out, fmt.Errorf("record %d: %w", n, err)
		}
		out = append(out, e)
	}
}
