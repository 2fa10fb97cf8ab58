package chain

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"lian/event"
	"lian/store"
)

// Context is what a step runs with.
type Context struct {
	Recipe string // name of the recipe
	Step   string // name of the step
	Config any    // what Kind.New made, filled and checked
	Dir    string // the step's folder: outputs go here, complete or not at all
	RunDir string // the run's folder

	// Inputs are the folders of the steps that this one refers to, by name.
	Inputs map[string]string

	// Resumed says that the folder holds what an interrupted attempt left.
	Resumed bool

	// Events takes what happens; it ends up in the run's events.jsonl with the step's name.
	Events event.Sink

	mu     sync.Mutex
	values map[string]json.RawMessage
}

// Progress tells how far the step is. It may be called often.
func (c *Context) Progress(p event.Progress) { c.Events.Emit(event.KindProgress, p) }

// Note tells whoever runs the recipe something that they should know now, and not only
// from the report card: one line in English.
func (c *Context) Note(text string) { c.Events.Emit(KindNote, Note{text}) }

// Path is a name within the step's folder.
func (c *Context) Path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

// SetValue gives a value that later steps refer to as ${steps.NAME.values.KEY}: a
// boolean, number, text, or a list of those.
func (c *Context) SetValue(key string, value any) error {
	raw, err := json.Marshal(value)
	if err == nil {
		_, err = valueNode(raw)
	}
	if err != nil {
		return fmt.Errorf("step %s: value %s: %w", c.Step, key, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[key] = raw
	return nil
}

// WriteCard saves the step's part of the report card: any value whose JSON is a
// part of report.Card. It may be called again and again while the step runs.
func (c *Context) WriteCard(part any) error {
	if err := store.WriteJSON(c.Path(CardFile), part); err != nil {
		return fmt.Errorf("step %s: report card: %w", c.Step, err)
	}
	return nil
}

// sparse passes everything on, but progress at most once per interval: for a file
// that is synced line by line.
func sparse(sink event.Sink, interval time.Duration) event.Sink {
	var mu sync.Mutex
	var last time.Time
	return event.Func(func(kind string, payload any) {
		if kind == event.KindProgress {
			mu.Lock()
			soon := time.Since(last) < interval
			if !soon {
				last = time.Now()
			}
			mu.Unlock()
			if soon {
				return
			}
		}
		sink.Emit(kind, payload)
	})
}
