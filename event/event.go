// Package event is the one envelope for everything that happens: a training step,
// a request served, a tool called, a stage begun and ended.
//
// It guarantees that each event is one line of JSON in a file that is only ever
// appended to, that a line is handed to the operating system before Emit returns
// (so a killed process loses nothing it had emitted), and that a line torn by a
// crash is reported and cut off before the next one is written. It knows no
// payload: the packages that emit define theirs. It refuses no payload either:
// one that JSON cannot hold (a NaN loss) is kept as text, with the reason.
package event

import "time"

// Event is something that happened. Run and Step say where in the work it belongs
// and may be empty. Kind is lower case with dots, most general first
// ("train.step", "serve.request"). Events that were read back hold their Payload
// as json.RawMessage; Decode turns it into a type.
type Event struct {
	Time    time.Time `json:"time"`
	Run     string    `json:"run,omitempty"`
	Step    string    `json:"step,omitempty"`
	Kind    string    `json:"kind"`
	Payload any       `json:"payload,omitempty"`
}

// Sink takes events. It must be safe for concurrent use. Emit does not return an
// error, because the work must not depend on whether someone listens; a sink that
// can fail keeps its first error for whoever closes it.
type Sink interface {
	Emit(kind string, payload any)
}

// Func is a Sink made of a function, which must be safe for concurrent use.
type Func func(kind string, payload any)

// Emit calls the function.
func (f Func) Emit(kind string, payload any) { f(kind, payload) }

// Discard takes events and forgets them.
var Discard Sink = Func(func(string, any) {})

// Tee passes every event to each of the sinks, in order. Nil sinks are left out.
func Tee(sinks ...Sink) Sink {
	var kept []Sink
	for _, s := range sinks {
		if s != nil {
			kept = append(kept, s)
		}
	}
	switch len(kept) {
	case 0:
		return Discard
	case 1:
		return kept[0]
	}
	return Func(func(kind string, payload any) {
		for _, s := range kept {
			s.Emit(kind, payload)
		}
	})
}

// KindProgress is the kind of an event whose payload is a Progress.
const KindProgress = "progress"

// Progress is how far a piece of work is: the payload of KindProgress, and what
// any other payload may tell about itself through Progresser. Whoever shows it
// derives the rate and the time left, so that an emitter needs no clock.
type Progress struct {
	Stage   string   `json:"stage"`             // what is being done, a word or two
	Done    int64    `json:"done"`              // in Unit
	Total   int64    `json:"total,omitempty"`   // 0: not known
	Unit    string   `json:"unit,omitempty"`    // plural noun: "tokens", "documents"
	Figures []Figure `json:"figures,omitempty"` // shown beside it, in this order
}

// Figure is a named number to show beside progress, such as the loss.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// Progresser is a payload that can be shown as progress.
type Progresser interface {
	Progress() Progress
}

// Progress makes Progress its own Progresser.
func (p Progress) Progress() Progress { return p }
