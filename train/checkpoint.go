package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"lian/compute"
	"lian/model"
	"lian/store/atomicfile"
	"lian/train/guard"
	"lian/train/state"
)

// The files of a state beside the weights; docs/format/training-state.md tells what is in them.
const (
	positionFile   = "position.json"
	rememberedFile = "optimizer.safetensors"
)

// saved is the content of positionFile.
type saved struct {
	position
	Settings []Setting `json:"settings"`
	Kernels  string    `json:"kernels,omitempty"` // level at which the bytes were made
}

// Events of checkpoints.
const (
	KindSaved      = "train.saved"       // payload SavedEvent
	KindSaveFailed = "train.save_failed" // payload SaveFailedEvent
	KindResumed    = "train.resumed"     // payload ResumedEvent
)

// SavedEvent is a state that is whole on the disk.
type SavedEvent struct {
	Step    int     `json:"step"`
	Path    string  `json:"path"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // of which training stood still Copied
	Copied  float64 `json:"copied_seconds"`
}

// SaveFailedEvent is a state that could not be written; the ones before are untouched.
type SaveFailedEvent struct {
	Step   int    `json:"step"`
	Error  string `json:"error"`
	Needed int64  `json:"needed_bytes,omitempty"`
	Free   int64  `json:"free_bytes,omitempty"`
	Last   string `json:"last,omitempty"` // the newest whole state
}

// ResumedEvent is a run that goes on from a state.
type ResumedEvent struct {
	Step   int            `json:"step"`
	Path   string         `json:"path"`
	Passed []state.Passed `json:"passed,omitempty"` // newer states that are damaged
	Told   []string       `json:"told,omitempty"`   // differences that do not stop it
}

// remembered is everything with tensors that the loop remembers beside the weights.
func (t *Trainer) remembered() *model.Parameters {
	var all model.Parameters
	for _, x := range t.optimizer.State().All() {
		all.Add("optimizer/"+x.Name, x.Tensor)
	}
	return &all
}

// copyOf is a copy of tensors in memory of their own, so that training may go on while they are written.
func copyOf(s compute.Stream, p *model.Parameters) (*model.Parameters, error) {
	out := &model.Parameters{}
	for _, x := range p.All() {
		data := make([]byte, x.Tensor.Bytes())
		if err := s.Read(x.Tensor, data); err != nil {
			return nil, err
		}
		out.Add(x.Name, &compute.Tensor{Type: x.Tensor.Type, Shape: x.Tensor.Shape, Buffer: s.Backend().Import(data, nil)})
	}
	return out, nil
}

func bytesOf(lists ...*model.Parameters) (n int64) {
	for _, p := range lists {
		for _, x := range p.All() {
			n += int64(x.Tensor.Bytes())
		}
	}
	return n
}

// CheckpointBytes is what a state takes on the disk, and in memory beside the run while it is written, which is as much again as the weights
// and what the optimizer remembers take; 0 in memory if SaveInline writes from the run itself. It is known once the run has begun.
func (t *Trainer) CheckpointBytes() (disk, memory int64) {
	disk = bytesOf(t.Weights, t.remembered())
	if !t.Options.SaveInline {
		memory = disk
	}
	return disk, memory
}

// save begins to write the state, or writes it; the state before must be on the disk by then. The error is that of the one before, unless
// it was only to be told.
func (t *Trainer) save() error {
	if t.Folder == "" {
		return nil
	}
	if err := t.saving.wait(); err != nil {
		return err
	}
	if t.savedStep == t.at.Step && t.saving.failed == nil {
		return nil
	}
	step := t.at.Step
	began := time.Now()
	weights, rest := t.Weights, t.remembered()
	position, err := json.MarshalIndent(saved{t.at, t.settings(), t.Kernels}, "", "  ")
	if err != nil {
		return err
	}
	if !t.Options.SaveInline || t.optimizer.Publishes() { // what is trained is then in what the optimizer remembers
		if err := t.published(func() (err error) { weights, err = copyOf(t.stream, t.Weights); return err }); err != nil {
			return err
		}
	}
	if !t.Options.SaveInline {
		if rest, err = copyOf(t.stream, rest); err != nil {
			return err
		}
	}
	t.savedStep, t.savedAt = step, began
	copied := time.Now().Sub(began).Seconds()
	size := bytesOf(weights, rest)
	write := func() error {
		err := t.write(step, weights, rest, position, size)
		if err == nil {
			t.tell(KindSaved, SavedEvent{step, state.Path(t.Folder, step), size, time.Now().Sub(began).Seconds(), copied})
			return nil
		}
		err = fmt.Errorf("state of step %d: %w", step, err)
		e := SaveFailedEvent{Step: step, Error: err.Error()}
		var full *state.NoSpace
		if errors.As(err, &full) {
			e.Needed, e.Free = full.Needed, full.Free
		}
		e.Last, _, _ = state.Newest(t.Folder, math.MaxInt)
		t.tell(KindSaveFailed, e)
		t.saving.failed = err
		if t.Options.SaveFailure == SaveFailureStop {
			return err
		}
		return nil
	}
	t.saving.failed = nil
	if t.Options.SaveInline {
		return write()
	}
	t.saving.begin(write)
	return nil
}

// saveLast writes the state and waits until it is on the disk; what fails is an error, whatever the option says, for there is no later one.
func (t *Trainer) saveLast() error {
	if err := t.save(); err != nil {
		return err
	}
	if err := t.saving.wait(); err != nil {
		return err
	}
	return t.saving.failed
}

// write makes the state's folder, reads it back and removes what is not needed any more.
func (t *Trainer) write(step int, weights, rest *model.Parameters, position []byte, size int64) error {
	retention, keep := t.retention(), t.keptBest()
	prune := func(with ...int) error {
		steps, err := state.List(t.Folder)
		for _, s := range retention.Superfluous(append(steps, with...), keep...) {
			if s != step {
				err = errors.Join(err, state.Remove(state.Path(t.Folder, s)))
			}
		}
		return err
	}
	form, s := t.form(), t.Backend.NewStream()
	const overhead = 1 << 20 // configuration, tokenizer
	fill := func(dir string) error {
		if err := form.Save(dir, weights); err != nil {
			return err
		}
		if err := writeTensors(filepath.Join(dir, rememberedFile), s, rest); err != nil {
			return err
		}
		return atomicfile.WriteFile(filepath.Join(dir, positionFile), append(position, '\n'))
	}
	check := func(dir string) error {
		room := make([]byte, 2*largest(weights)) // for two tensors at a time; averages and what optimizers remember are no larger
		return t.stored(dir, weights, rest, func(got, want *compute.Tensor) error {
			n, m := got.Bytes(), want.Bytes()
			if n+m > len(room) {
				room = make([]byte, n+m)
			}
			a, b := room[:n], room[n:n+m]
			if err := errors.Join(s.Read(got, a), s.Read(want, b)); err != nil {
				return err
			}
			if !bytes.Equal(a, b) {
				return errors.New("read back, its bytes are not those written; the disk or the memory is at fault")
			}
			return nil
		})
	}
	err := state.Write(t.Folder, step, size+overhead, fill, check)
	var full *state.NoSpace
	if errors.As(err, &full) { // what the new state makes superfluous goes first, if a whole one stays
		before, _ := state.List(t.Folder)
		if e := prune(step); e != nil {
			return errors.Join(err, e)
		}
		if after, _ := state.List(t.Folder); len(after) < len(before) {
			err = state.Write(t.Folder, step, size+overhead, fill, check)
		}
	}
	if err != nil {
		return err
	}
	return prune()
}

// stored calls f with each tensor of a state on the disk and the one in memory.
func (t *Trainer) stored(dir string, weights, rest *model.Parameters, f func(got, want *compute.Tensor) error) error {
	got, closer, err := t.form().Load(dir)
	if err != nil {
		return err
	}
	err = errors.Join(pairs(dir, got, weights, f), closer.Close())
	if err != nil {
		return err
	}
	file := filepath.Join(dir, rememberedFile)
	if got, closer, err = readTensors(file, t.Backend); err != nil {
		return err
	}
	return errors.Join(pairs(file, got, rest, f), closer.Close())
}

func (t *Trainer) form() Form {
	if t.Form != nil {
		return t.Form
	}
	return plainForm{t.Backend}
}

func (t *Trainer) retention() state.Retention {
	r := state.Retention{Last: t.Options.KeepLast, Every: t.Options.KeepEvery}
	if t.Options.Guard.Answer == guard.Rollback {
		r.Back = guard.LookBack
	}
	return r
}

func (t *Trainer) settings() []Setting {
	if t.Settings != nil {
		return t.Settings
	}
	return Settings(t.Options)
}

// read loads a state into the run.
func (t *Trainer) read(path string) (saved, error) {
	var s saved
	file := filepath.Join(path, positionFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Step < 0 {
		return s, fmt.Errorf("%s: not the expected JSON (%v, step %d); remove the folder to go on from an older state", file, err, s.Step)
	}
	if err := t.accept(path, &s); err != nil {
		return s, err
	}
	err = t.stored(path, t.Weights, t.remembered(), func(got, want *compute.Tensor) error {
		data := make([]byte, got.Bytes())
		if err := t.stream.Read(got, data); err != nil {
			return err
		}
		t.stream.Write(want, data)
		return nil
	})
	if err == nil {
		err = t.stream.Err()
	}
	t.at = s.position
	return s, err
}

// saving is the one state that may be on its way to the disk.
type saving struct {
	done   chan error
	took   time.Duration // by the slowest
	failed error         // of the last one, also where it was only told; read after wait
}

func (s *saving) begin(write func() error) {
	s.done = make(chan error, 1)
	go func() {
		began := time.Now()
		err := write()
		s.took = max(s.took, time.Since(began))
		s.done <- err
	}()
}

// wait is until the state is on the disk, or has failed.
func (s *saving) wait() error {
	if s.done == nil {
		return nil
	}
	err := <-s.done
	s.done = nil
	return err
}
