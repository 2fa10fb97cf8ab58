package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// KindTorn is the kind of the event that stands where a line was torn by a crash;
// its payload is Torn.
const KindTorn = "event.torn"

// Torn says how much of an event file could not be read because the process that
// wrote it died within a line.
type Torn struct {
	Bytes int64 `json:"bytes"`
}

// Writer appends events to a file. It is a Sink and safe for concurrent use.
type Writer struct {
	log  *log
	run  string
	step string
}

// log is the open file, shared by the writers of all steps.
type log struct {
	mu     sync.Mutex
	file   *os.File
	closed bool
	err    error // the first one
}

// NewWriter opens path for appending, creates it when it does not exist, and
// labels what it writes with run and step. A line that a crash left incomplete is
// cut off, and an event of KindTorn takes its place.
func NewWriter(path, run, step string) (*Writer, error) {
	torn, err := cutTornLine(path)
	if err != nil {
		return nil, fmt.Errorf("find the last whole event: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open event file: %w", err)
	}
	w := &Writer{log: &log{file: file}, run: run, step: step}
	if torn > 0 {
		w.Emit(KindTorn, Torn{Bytes: torn})
	}
	return w, nil
}

// cutTornLine creates the file or removes what follows its last line feed, and
// returns the length of what it removed. Windows does not truncate a file that is
// open for appending, hence the separate opening.
func cutTornLine(path string) (_ int64, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buffer := make([]byte, 64<<10)
	end := size // position after the last line feed seen so far, going backwards
	for end > 0 {
		from := max(0, end-int64(len(buffer)))
		chunk := buffer[:end-from]
		if _, err := file.ReadAt(chunk, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(chunk, '\n'); i >= 0 {
			end = from + int64(i) + 1
			break
		}
		end = from
	}
	if end == size {
		return 0, nil
	}
	return size - end, file.Truncate(end)
}

// Step is a Sink that writes to the same file under another step's name.
func (w *Writer) Step(name string) *Writer {
	return &Writer{log: w.log, run: w.run, step: name}
}

// Emit appends one event with the present time. The first failure is kept for Err
// and Close; what follows it is still tried, because a disk may have room again.
func (w *Writer) Emit(kind string, payload any) {
	line := encode(Event{Time: time.Now().UTC(), Run: w.run, Step: w.step, Kind: kind, Payload: payload})
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.keep(errors.New("event emitted after the file was closed: " + kind))
		return
	}
	n, err := l.file.Write(line)
	if err != nil {
		l.keep(fmt.Errorf("append event: %w", err))
		if n > 0 { // do not let a half line swallow the next event
			_, err := cutTornLine(l.file.Name())
			l.keep(err)
		}
	}
}

func (l *log) keep(err error) {
	if l.err == nil {
		l.err = err
	}
}

// Err is the first error since the file was opened, or nil.
func (w *Writer) Err() error {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	return w.log.err
}

// Sync waits until what was emitted is on the disk itself, so that it survives a
// loss of power too, and returns the first error since the file was opened.
func (w *Writer) Sync() error {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if !w.log.closed {
		if err := w.log.file.Sync(); err != nil {
			w.log.keep(fmt.Errorf("sync events: %w", err))
		}
	}
	return w.log.err
}

// Close closes the file for the writers of all steps and returns the first error
// since it was opened. Closing twice is allowed.
func (w *Writer) Close() error {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if !w.log.closed {
		w.log.closed = true
		if err := w.log.file.Close(); err != nil {
			w.log.keep(err)
		}
	}
	return w.log.err
}

// Unencodable takes the place of a payload that JSON cannot hold.
type Unencodable struct {
	Text   string `json:"text"`
	Reason string `json:"reason"`
}

// encode is the event's line, with its line feed.
func encode(e Event) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		b.Reset()
		e.Payload = Unencodable{Text: fmt.Sprintf("%+v", e.Payload), Reason: err.Error()}
		if err := encoder.Encode(e); err != nil { // only a time outside years 0 to 9999 is left
			return fmt.Appendf(nil, "{\"kind\":%q}\n", e.Kind)
		}
	}
	return b.Bytes()
}
