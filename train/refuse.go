package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"lian/store/atomicfile"
	"lian/train/guard"
	"lian/train/state"
)

// Description is a sequence for people.
type Description struct {
	Name   string `json:"name,omitempty"`   // of the domain
	Source string `json:"source,omitempty"` // file, or what stands for one
	Text   string `json:"text,omitempty"`   // of its tokens
}

// KindRefused is told of a batch that is out of line.
const KindRefused = "train.refused" // payload RefusedEvent

// RefusedEvent is a batch that the guard found out of line, and what followed.
type RefusedEvent struct {
	Step          int        `json:"step"` // that was being taken
	Batch         int        `json:"batch"`
	guard.Verdict            // Reason says it in words
	Value         string     `json:"value"`           // a number, or NaN
	Where         string     `json:"where,omitempty"` // the first tensor that is not finite
	Answer        string     `json:"answer"`
	Skipped       []int      `json:"skipped,omitempty"` // batches passed over by this
	To            int        `json:"to"`                // steps done in the state that the run goes on from
	Documents     []Document `json:"documents"`         // at fault; where none stands out, all of the batch
	File          string     `json:"file,omitempty"`    // the batch's sequences
}

// Document is a document of a source.
type Document struct {
	Domain   int     `json:"domain"`
	Name     string  `json:"name,omitempty"` // of the domain
	Document int     `json:"document"`
	Source   string  `json:"source,omitempty"`
	Loss     float64 `json:"loss"` // mean nats a label in this batch
}

// Refused is a sequence of a refused batch, one line of batches/STEP.jsonl.
type Refused struct {
	Step     int      `json:"step"`
	Batch    int      `json:"batch"`
	Domain   int      `json:"domain"`
	Document int      `json:"document"`
	First    int      `json:"first"`  // token of the document
	Tokens   int      `json:"tokens"` //
	Labels   int      `json:"labels"`
	Loss     *float64 `json:"loss"`    // mean nats a label; null if it is no number
	Suspect  bool     `json:"suspect"` // nearer to what was refused than to what was expected
	Description
}

// BatchesFolder is the folder of refused batches, beside that of the states.
const BatchesFolder = "batches"

// refuse answers a batch that is out of line. accepted says that it is to be learnt from all the same.
func (t *Trainer) refuse(a attempt, v guard.Verdict) (accepted bool, err error) {
	o := t.Options.Guard
	e := RefusedEvent{Step: t.at.Step + 1, Batch: a.batch, Verdict: v, Value: fmt.Sprint(v.Value), Answer: o.Answer, To: t.at.Step}
	finite := !math.IsNaN(v.Value) && !math.IsInf(v.Value, 0)
	inWeights := false
	if !finite {
		if e.Where, inWeights, err = t.trace(a); err != nil {
			return false, err
		}
		v.Reason += ": " + e.Where
		e.Verdict.Reason = v.Reason
	}
	lines := t.describe(a, v)
	e.Documents = documentsOf(lines)
	if e.File, err = t.writeBatch(e.Step, lines); err != nil {
		return false, err
	}
	switch {
	case finite && o.Answer == guard.Tell:
		t.tell(KindRefused, e)
		return true, nil
	case !o.Active() || o.Answer == guard.Tell:
		t.tell(KindRefused, e)
		return false, fmt.Errorf("%s; lower lr (%v) or clip_norm (%v), or let the guard pass over the batch (guard.answer: skip or rollback)", v.Reason, t.Options.Schedule.LearningRate, t.Options.Optimizer.ClipNorm)
	case inWeights && o.Answer == guard.Skip:
		t.tell(KindRefused, e)
		return false, fmt.Errorf("%s; another batch does not help: go back to an older state (guard.answer: rollback)", v.Reason)
	}
	e.Skipped = []int{a.batch}
	if doubt := t.at.Guard.Doubtful(o); o.Answer == guard.Rollback && (doubt > 0 || inWeights) {
		if inWeights {
			doubt = max(doubt, 1)
		}
		for back := 1; back <= doubt; back++ {
			e.Skipped = append(e.Skipped, position{Step: t.at.Step - back, Skipped: t.at.Skipped}.batch())
		}
		slices.Sort(e.Skipped)
		if err := t.goBack(t.at.Step - doubt); err != nil {
			if inWeights || !errors.Is(err, errNoState) {
				return false, fmt.Errorf("%s: %w", v.Reason, err)
			}
			e.Skipped = []int{a.batch} // nothing to return to: what was refused has not moved anything
		}
	}
	if e.To != t.at.Step {
		t.at.Guard.Returns++
	}
	t.at.pass(e.Skipped)
	e.To = t.at.Step
	t.at.Guard.Refused++
	t.tell(KindRefused, e)
	if t.at.Guard.Refused >= o.Limit || t.at.Guard.Returns >= o.Limit {
		return false, fmt.Errorf("%d batches in a row were passed over and the run has gone back %d times (guard.limit: %d), the last because %s; look at the documents in %s: is the data or the learning rate (%v) at fault?",
			t.at.Guard.Refused, t.at.Guard.Returns, o.Limit, v.Reason, t.batchesFolder(), t.Options.Schedule.LearningRate)
	}
	return false, nil
}

var errNoState = errors.New("there is no older state to go back to; save more often (save_every, save_minutes)")

// goBack loads the newest whole state of at most so many steps and takes the later ones away: they are of a past that is given up.
func (t *Trainer) goBack(step int) error {
	if t.Folder == "" {
		return errNoState
	}
	if err := t.saving.wait(); err != nil {
		return err
	}
	path, _, err := state.Newest(t.Folder, step)
	if err != nil {
		return err
	}
	if path == "" {
		return errNoState
	}
	steps, err := state.List(t.Folder)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(steps) {
		if at := state.Path(t.Folder, s); s > step && at != path {
			if err := state.Remove(at); err != nil {
				return err
			}
		}
	}
	returns := t.at.Guard.Returns
	if _, err = t.read(path); err != nil {
		return err
	}
	t.at.Guard.Returns = returns
	t.savedStep, t.looked.Last = t.at.Step, min(t.looked.Last, t.at.Step)
	return nil
}

// describe lists a batch's sequences.
func (t *Trainer) describe(a attempt, v guard.Verdict) (lines []Refused) {
	fault := a.fault(v)
	for i, q := range a.sequences {
		r := Refused{Step: t.at.Step + 1, Batch: a.batch, Domain: q.Origin.Domain, Document: q.Origin.Document, First: q.Origin.First, Tokens: len(q.IDs), Labels: q.Labels()}
		if loss := a.losses[i] / (float64(r.Labels) * float64(q.weight())); r.Labels > 0 && !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			r.Loss, r.Suspect = &loss, fault[documentOf(q)]
		} else if r.Labels > 0 {
			r.Suspect = true
		}
		if t.Describe != nil {
			r.Description = t.Describe(q)
		}
		lines = append(lines, r)
	}
	return lines
}

type document struct{ domain, number int }

func documentOf(q Sequence) document { return document{q.Origin.Domain, q.Origin.Document} }

// fault are the documents whose loss in the batch is nearer to that of the worst of them than to what was expected. The worst is one with a
// few labels at least: short pieces vary.
func (a attempt) fault(v guard.Verdict) map[document]bool {
	type sum struct{ loss, weight, labels float64 }
	of := map[document]sum{}
	for i, q := range a.sequences {
		s, n := of[documentOf(q)], float64(q.Labels())
		of[documentOf(q)] = sum{s.loss + a.losses[i], s.weight + n*float64(q.weight()), s.labels + n}
	}
	out := map[document]bool{}
	if v.What != "loss" || math.IsNaN(a.loss) || math.IsInf(a.loss, 0) {
		return out
	}
	side := 1.0
	if a.loss < v.Expected {
		side = -1
	}
	for _, least := range []float64{16, 1} {
		worst := 0.0
		for _, s := range of {
			if s.labels >= least {
				worst = max(worst, side*(s.loss/s.weight-v.Expected))
			}
		}
		if worst <= 0 {
			continue
		}
		for d, s := range of {
			out[d] = s.labels > 0 && side*(s.loss/s.weight-v.Expected) > worst/2
		}
		break
	}
	return out
}

// documentsOf are the documents of the lines in doubt, or of all where none is.
func documentsOf(lines []Refused) (out []Document) {
	any := slices.ContainsFunc(lines, func(r Refused) bool { return r.Suspect })
	for _, r := range lines {
		if any && !r.Suspect || slices.ContainsFunc(out, func(d Document) bool { return d.Domain == r.Domain && d.Document == r.Document }) {
			continue
		}
		d := Document{Domain: r.Domain, Name: r.Name, Document: r.Document, Source: r.Source}
		if r.Loss != nil {
			d.Loss = *r.Loss
		}
		out = append(out, d)
	}
	return out
}

func (t *Trainer) batchesFolder() string {
	if t.Folder == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(t.Folder), BatchesFolder)
}

// writeBatch keeps a refused batch; the lines of several batches refused at one step are in one file, those of one batch once.
func (t *Trainer) writeBatch(step int, lines []Refused) (string, error) {
	if t.Folder == "" {
		return "", nil
	}
	if err := os.MkdirAll(t.batchesFolder(), 0o777); err != nil {
		return "", err
	}
	path := filepath.Join(t.batchesFolder(), fmt.Sprintf("%d.jsonl", step))
	before, err := ReadRefused(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	before = slices.DeleteFunc(before, func(r Refused) bool { return r.Batch == lines[0].Batch })
	var text []byte
	for _, r := range append(before, lines...) {
		line, err := json.Marshal(r)
		if err != nil {
			return "", err
		}
		text = append(append(text, line...), '\n')
	}
	return path, atomicfile.WriteFile(path, text)
}

// ReadRefused reads a file of refused batches.
func ReadRefused(path string) (out []Refused, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var r Refused
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		out = append(out, r)
	}
	return out, nil
}
