package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"lian/event"
)

// Status says where a run stands.
type Status string

// The states of a run. A run that is neither done nor being worked in has stopped:
// the same command goes on with it.
const (
	StatusDone    Status = "done"
	StatusRunning Status = "running"
	StatusStopped Status = "stopped"
)

// Entry is a run as the index and lists show it.
type Entry struct {
	Path     string          `json:"path"` // absolute
	Name     string          `json:"name"`
	Kind     string          `json:"kind"`
	Status   Status          `json:"status"`
	Created  time.Time       `json:"created"`
	Finished time.Time       `json:"finished,omitzero"`
	Version  string          `json:"version"`
	Config   string          `json:"config"` // hash of its ConfigFile
	Summary  json.RawMessage `json:"summary,omitempty"`
	Reason   string          `json:"reason,omitempty"` // why it stopped, when it said so
}

// ReadEntry reads the entry of the run in a folder.
func ReadEntry(path string) (Entry, error) {
	info, err := ReadInfo(path)
	if err != nil {
		return Entry{}, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Path: absolute, Name: info.Name, Kind: info.Kind, Created: info.Created, Version: info.Version, Status: StatusStopped}
	if e.Config, err = HashFile(filepath.Join(path, ConfigFile)); err != nil {
		return e, fmt.Errorf("the run's settings: %w", err)
	}
	var mark done
	err = ReadJSON(filepath.Join(path, DoneFile), &mark)
	switch {
	case err == nil:
		e.Status, e.Finished = StatusDone, mark.Finished
		if string(mark.Summary) != "null" {
			e.Summary = mark.Summary
		}
		return e, nil
	case !errors.Is(err, fs.ErrNotExist):
		return e, err
	}
	if busy(path) {
		e.Status = StatusRunning
		return e, nil
	}
	e.Reason = lastFailure(filepath.Join(path, EventsFile))
	return e, nil
}

// lastFailure is why a run stopped, if its last words were that.
func lastFailure(path string) string {
	events, err := event.Tail(path, 1)
	if err != nil || len(events) == 0 || events[0].Kind != KindRunFailed {
		return ""
	}
	var failure Failure
	if events[0].Decode(&failure) != nil {
		return ""
	}
	return failure.Error
}
