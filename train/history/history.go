// Package history reads what a run's folder says of its training: the curve, the looks at held-out text, prompts and tasks, and what else
// happened.
//
// It guarantees that a run that was interrupted and resumed is read as if it had not been (what was repeated counts once), that a run that is still
// going can be read again and again at the cost of what is new, and that an event it does not know is kept as a note when it belongs to
// training. It computes no figure: package figure does.
package history

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lian/event"
	"lian/store"
	"lian/train/figure"
)

// Run is a run as it is read. A chain may train more than once: each of its steps that trains is a stage.
type Run struct {
	Dir    string
	Info   store.Info
	Stages []*Stage

	next  int64
	named map[string]*Stage
}

// Stage is one training.
type Stage struct {
	Name     string // step of the chain; empty where the run is one training
	Steps    []figure.Step
	HeldOut  []figure.HeldOut
	Prompts  []figure.Prompts
	Tasks    []figure.Tasks
	Notes    []Note
	Machine  figure.Machine
	Resumed  int       // times it went on
	Begun    time.Time // first step
	Latest   time.Time // last step
	Training float64   // seconds that steps took, without what lies between them
	seconds  []float64 // Training after each step
	times    []time.Time
}

// Note is an event of training that is no figure: a guard's word, an evaluation that failed, a checkpoint.
type Note struct {
	Time time.Time       `json:"time"`
	Kind string          `json:"kind"`
	Step int             `json:"step"` // 0 where it says none
	Text string          `json:"text"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Open reads the run in a folder.
func Open(dir string) (*Run, error) {
	info, err := store.ReadInfo(dir)
	if err != nil {
		return nil, err
	}
	r := &Run{Dir: dir, Info: info, named: map[string]*Stage{}}
	_, err = r.Update()
	return r, err
}

// Update reads what has been written since, and says whether there was anything.
func (r *Run) Update() (bool, error) {
	events, next, err := event.ReadFrom(filepath.Join(r.Dir, store.EventsFile), r.next)
	if err != nil {
		return false, err
	}
	changed := next != r.next
	r.next = next
	for _, e := range events {
		if err := r.add(e); err != nil {
			return changed, fmt.Errorf("%s: %w", filepath.Join(r.Dir, store.EventsFile), err)
		}
	}
	return changed, nil
}

// Main is the stage with the most steps; nil if nothing was trained.
func (r *Run) Main() *Stage {
	if len(r.Stages) == 0 {
		return nil
	}
	return slices.MaxFunc(r.Stages, func(a, b *Stage) int { return len(a.Steps) - len(b.Steps) })
}

// Label is what a stage is called beside those of other runs.
func (r *Run) Label(s *Stage) string {
	if s.Name == "" {
		return r.Info.Name
	}
	return r.Info.Name + "/" + s.Name
}

func (r *Run) stage(name string) *Stage {
	s := r.named[name]
	if s == nil {
		s = &Stage{Name: name}
		r.named[name] = s
		r.Stages = append(r.Stages, s)
	}
	return s
}

// routine are kinds of events that every training has many of and nobody needs to be told of.
var routine = map[string]bool{"train.saved": true, "train.best": true}

func (r *Run) add(e event.Event) error {
	if e.Kind == store.KindRunResumed {
		for _, s := range r.Stages {
			s.Resumed++
		}
	}
	if routine[e.Kind] || !strings.HasPrefix(e.Kind, "train.") && !strings.HasPrefix(e.Kind, "guard.") {
		return nil
	}
	if u := (event.Unencodable{}); e.Decode(&u) == nil && u.Text != "" && strings.HasPrefix(u.Reason, "json:") { // a payload with a NaN: told, not drawn
		r.stage(e.Step).Notes = append(r.stage(e.Step).Notes, Note{Time: e.Time, Kind: e.Kind, Text: u.Reason + ": " + u.Text})
		return nil
	}
	return r.stage(e.Step).add(e)
}

func (s *Stage) add(e event.Event) error {
	switch e.Kind {
	case figure.KindStep:
		var step figure.Step
		if err := e.Decode(&step); err != nil {
			return err
		}
		s.cut(step.Step - 1)
		took := step.Seconds
		if took == 0 && len(s.Steps) > 0 {
			took = max(0, e.Time.Sub(s.Latest).Seconds())
		}
		if len(s.Steps) == 0 {
			s.Begun = e.Time
		}
		s.Latest = e.Time
		s.Training += took
		s.Steps, s.seconds = append(s.Steps, step), append(s.seconds, s.Training)
		s.times = append(s.times, e.Time)
	case figure.KindHeldOut:
		return decode(e, &s.HeldOut, func(h figure.HeldOut) int { return h.Step })
	case figure.KindPrompts:
		return decode(e, &s.Prompts, func(p figure.Prompts) int { return p.Step })
	case figure.KindTasks:
		return decode(e, &s.Tasks, func(t figure.Tasks) int { return t.Step })
	case figure.KindMachine:
		return e.Decode(&s.Machine)
	default:
		s.Notes = append(s.Notes, NoteOf(e))
	}
	return nil
}

// NoteOf is an event of training that is no figure as people read it.
func NoteOf(e event.Event) Note {
	n := Note{Time: e.Time, Kind: e.Kind}
	n.Data, _ = e.Payload.(json.RawMessage)
	var known struct {
		Step                  int
		Error, Text, Reason   string
		Message, What, Action string
	}
	if e.Decode(&known) == nil { // fields that such events usually have
		n.Step = known.Step
		n.Text = strings.Join(slices.DeleteFunc([]string{known.Action, known.What, known.Reason, known.Text, known.Message, known.Error},
			func(t string) bool { return t == "" }), ": ")
	}
	if n.Text == "" {
		n.Text = string(n.Data)
	}
	return n
}

// Routine says that every training has many events of a kind, and that nobody needs to be told of one.
func Routine(kind string) bool { return routine[kind] }

// At is when step i of Steps was done.
func (s *Stage) At(i int) time.Time { return s.times[i] }

// cut forgets the steps after one, which a resumed run repeats.
func (s *Stage) cut(step int) {
	n := len(s.Steps)
	for n > 0 && s.Steps[n-1].Step > step {
		n--
	}
	s.Steps, s.seconds, s.times = s.Steps[:n], s.seconds[:n], s.times[:n]
	if n > 0 {
		s.Training = s.seconds[n-1]
	} else {
		s.Training = 0
	}
}

// decode appends a look, in the place of those at its step and after it.
func decode[T any](e event.Event, list *[]T, step func(T) int) error {
	var x T
	if err := e.Decode(&x); err != nil {
		return err
	}
	n := len(*list)
	for n > 0 && step((*list)[n-1]) >= step(x) {
		n--
	}
	*list = append((*list)[:n], x)
	return nil
}
