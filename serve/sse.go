package serve

import (
	"encoding/json"
	"net/http"
	"time"
)

// events writes server-sent events. The header is written with the first event, so that a reply that fails at once is
// still an error with a status.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	started bool
}

func newEvents(w http.ResponseWriter) *events {
	return &events{w: w, control: http.NewResponseController(w)}
}

func (e *events) begin() {
	if e.started {
		return
	}
	e.started = true
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies must not hold it back
	e.w.WriteHeader(http.StatusOK)
}

func (e *events) raw(text string) error {
	e.begin()
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}

// send writes one event with a JSON body.
func (e *events) send(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return e.raw("data: " + string(data) + "\n\n")
}

// fail reports an error: as a status before the first event, as an event after.
func (e *events) fail(err error) {
	failure := asAPIError(err)
	if !e.started {
		writeError(e.w, failure)
		return
	}
	e.raw("data: " + string(failure.body()) + "\n\n")
	e.raw("data: [DONE]\n\n")
}

func (e *events) done() error { return e.raw("data: [DONE]\n\n") }

// pump hands what the channel brings to handle, and in silence a comment that keeps the connection alive. It ends when the
// channel is closed or writing fails.
func pump[T any](e *events, from <-chan T, heartbeat time.Duration, handle func(T) error) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case v, more := <-from:
			if !more {
				return nil
			}
			if err := handle(v); err != nil {
				return err
			}
			beat.Reset(heartbeat)
		case <-beat.C:
			if err := e.raw(": alive\n\n"); err != nil {
				return err
			}
		}
	}
}
