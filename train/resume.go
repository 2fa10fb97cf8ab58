package train

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"lian/format/safetensors"
	"lian/model"
)

// A checkpoint is one safetensors file, state-STEP.safetensors: the weights that move ("weight/NAME") and the optimizer's
// state ("optimizer/NAME"), with the run's options and counters as metadata. One file, renamed into place, is either there
// whole or not at all; the one before is removed after that. docs/format/training-state.md has the layout.

const statePrefix = "state-"

func (t *Trainer) stateFile(step int) string {
	return filepath.Join(t.Folder, fmt.Sprintf("%s%08d.safetensors", statePrefix, step))
}

// state is everything a checkpoint holds, by name.
func (t *Trainer) state() *model.Parameters {
	var all model.Parameters
	for _, w := range t.Weights.All() {
		all.Add("weight/"+w.Name, w.Tensor)
	}
	for _, w := range t.optimizer.State().All() {
		all.Add("optimizer/"+w.Name, w.Tensor)
	}
	return &all
}

// save writes the state after a number of steps and removes older ones.
func (t *Trainer) save() error {
	step := t.at.Step
	if t.Folder == "" {
		return nil
	}
	if err := os.MkdirAll(t.Folder, 0o755); err != nil {
		return err
	}
	var tensors []safetensors.Tensor
	for _, x := range t.state().All() {
		tensors = append(tensors, safetensors.Tensor{Name: x.Name, Type: x.Tensor.Type, Shape: x.Tensor.Shape, Make: func() ([]byte, error) {
			data := make([]byte, x.Tensor.Bytes())
			return data, t.stream.Read(x.Tensor, data)
		}})
	}
	options, err := json.Marshal(t.Options)
	if err != nil {
		return err
	}
	position, err := json.Marshal(t.at)
	if err != nil {
		return err
	}
	older, err := t.states()
	if err != nil {
		return err
	}
	file := t.stateFile(step)
	metadata := map[string]string{"position": string(position), "options": string(options)}
	if err := safetensors.Write(file, tensors, metadata); err != nil {
		return fmt.Errorf("checkpoint at step %d: %w", step, err)
	}
	for _, old := range older {
		if old != file {
			os.Remove(old)
		}
	}
	return nil
}

// states are the checkpoints in Folder, oldest first.
func (t *Trainer) states() ([]string, error) {
	return filepath.Glob(filepath.Join(t.Folder, statePrefix+"*.safetensors"))
}

// resume reads the newest checkpoint, if there is one.
func (t *Trainer) resume() error {
	if t.Folder == "" {
		return nil
	}
	states, err := t.states()
	if err != nil || len(states) == 0 {
		return err
	}
	file := states[len(states)-1]
	f, err := safetensors.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	meta := f.Metadata()
	if err := json.Unmarshal([]byte(meta["position"]), &t.at); err != nil || t.at.Step < 0 {
		return fmt.Errorf("%s: metadata position is %q, expected step, tokens and skipped; remove the file to start again", file, meta["position"])
	}
	options, err := json.Marshal(t.Options)
	if err != nil {
		return err
	}
	if meta["options"] != string(options) {
		return fmt.Errorf("%s: made with other settings (%s) than now (%s); train into another folder or remove it", file, meta["options"], options)
	}
	for _, x := range t.state().All() {
		info, ok := f.Info(x.Name)
		if !ok || fmt.Sprint(info.Shape) != fmt.Sprint(x.Tensor.Shape) || info.Type != x.Tensor.Type {
			return fmt.Errorf("%s: tensor %s is %v, expected %v; it is of another model", file, x.Name, info, x.Tensor)
		}
		data, err := f.Data(x.Name)
		if err != nil {
			return err
		}
		t.stream.Write(x.Tensor, data)
	}
	return t.stream.Err()
}
