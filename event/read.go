package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Read returns all events of a file, oldest first. When the last line is
// incomplete, an event of KindTorn stands for it; that is no error, because a
// writer may be at work or have been killed there.
func Read(path string) ([]Event, error) {
	events, next, err := ReadFrom(path, 0)
	if err != nil {
		return events, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > next {
		torn, err := json.Marshal(Torn{Bytes: info.Size() - next})
		if err != nil {
			return events, err
		}
		events = append(events, Event{Time: info.ModTime().UTC(), Kind: KindTorn, Payload: json.RawMessage(torn)})
	}
	return events, nil
}

// ReadFrom returns the events that begin at or after a byte offset, and the
// offset at which to go on when the file has grown: for following a run that is
// still going. An incomplete last line is left for the next call.
func ReadFrom(path string, offset int64) (events []Event, next int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, offset, fmt.Errorf("read events: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, offset, fmt.Errorf("read events: %w", err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, offset, fmt.Errorf("read events: %w", err)
	}
	for {
		line, rest, found := bytes.Cut(text, []byte("\n"))
		if !found {
			return events, offset, nil
		}
		if len(bytes.TrimSpace(line)) > 0 {
			e, err := Parse(line)
			if err != nil {
				return events, offset, fmt.Errorf("%s: event at byte %d: %w", path, offset, err)
			}
			events = append(events, e)
		}
		offset += int64(len(line)) + 1
		text = rest
	}
}

// Parse reads one line. The payload is kept as json.RawMessage.
func Parse(line []byte) (Event, error) {
	var raw struct {
		Time    time.Time       `json:"time"`
		Run     string          `json:"run"`
		Step    string          `json:"step"`
		Kind    string          `json:"kind"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return Event{}, fmt.Errorf("not an event: %w", err)
	}
	if raw.Kind == "" {
		return Event{}, fmt.Errorf("not an event: no kind")
	}
	e := Event{Time: raw.Time, Run: raw.Run, Step: raw.Step, Kind: raw.Kind}
	if len(raw.Payload) > 0 {
		e.Payload = raw.Payload
	}
	return e, nil
}

// Decode turns the payload of an event that was read back into a type: v is a
// pointer to it.
func (e Event) Decode(v any) error {
	raw, ok := e.Payload.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(e.Payload); err != nil {
			return fmt.Errorf("payload of %s: %w", e.Kind, err)
		}
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("payload of %s: %w", e.Kind, err)
	}
	return nil
}

// Tail returns the last n whole events of a file, oldest first, without reading
// the rest of it.
func Tail(path string, n int) ([]Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	for window := int64(64 << 10); ; window *= 4 {
		from := max(0, size-window)
		text := make([]byte, size-from)
		if _, err := file.ReadAt(text, from); err != nil && err != io.EOF {
			return nil, fmt.Errorf("read events: %w", err)
		}
		lines := bytes.Split(text, []byte("\n"))
		lines = lines[:len(lines)-1] // what follows the last line feed is torn or empty
		if from > 0 && len(lines) > 0 {
			lines = lines[1:] // begins somewhere within a line
		}
		if from > 0 && len(lines) < n {
			continue
		}
		lines = lines[max(0, len(lines)-n):]
		var events []Event
		for _, line := range lines {
			e, err := Parse(line)
			if err != nil {
				return events, fmt.Errorf("%s: %w", path, err)
			}
			events = append(events, e)
		}
		return events, nil
	}
}
