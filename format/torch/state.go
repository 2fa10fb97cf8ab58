package torch

import (
	"fmt"
	"slices"
	"strings"

	"lian/format"
)

// stateKeys are the names under which checkpoints keep the model beside the
// optimizer and the rest, the likeliest first: Lightning and mmengine (XTuner),
// many trainers, nanoGPT and llama2.c, DeepSpeed.
var stateKeys = []string{"state_dict", "model_state_dict", "model", "module", "weights"}

// wrappers are what torch.compile and data parallelism put before every name.
var wrappers = []string{"_orig_mod.", "module."}

// State is the model inside a checkpoint, under the names that the model itself
// gives its tensors. Where it is the whole file, its prefix is empty.
type State struct {
	file   *File
	Prefix string // what all its tensors' names in the file begin with
	names  []string
}

var _ format.Reader = (*State)(nil)

// State finds the model: the dict of a usual name inside the outermost one, else the
// file itself where tensors lie in its outermost dict, else the only entry that
// holds tensors.
func (f *File) State() (*State, error) {
	s := &State{file: f}
	var holders []string
	direct := false
	for _, r := range f.roots {
		direct = direct || r.direct
		if r.tensors > 0 && !r.direct {
			holders = append(holders, r.key)
		}
	}
	at := slices.IndexFunc(stateKeys, func(key string) bool { return slices.Contains(holders, key) })
	switch {
	case at >= 0:
		s.Prefix = stateKeys[at] + "."
	case direct || len(holders) == 0:
	case len(holders) == 1:
		s.Prefix = holders[0] + "."
	default:
		return nil, fmt.Errorf("%s: tensors lie under %s; which of them is the model cannot be told (%s are known names)", f.where(), strings.Join(holders, ", "), strings.Join(stateKeys, ", "))
	}
	for _, name := range f.names {
		if strings.HasPrefix(name, s.Prefix) {
			s.names = append(s.names, name)
		}
	}
	for again := true; again && len(s.names) > 0; {
		again = false
		for _, w := range wrappers {
			if !slices.ContainsFunc(s.names, func(name string) bool { return !strings.HasPrefix(name, s.Prefix+w) }) {
				s.Prefix += w
				again = true
			}
		}
	}
	for i, name := range s.names {
		s.names[i] = strings.TrimPrefix(name, s.Prefix)
	}
	return s, nil
}

// Names lists the model's tensors in the order of their bytes.
func (s *State) Names() []string { return s.names }

// Info describes one tensor.
func (s *State) Info(name string) (Info, bool) {
	info, ok := s.file.Info(s.Prefix + name)
	info.Name = name
	return info, ok
}

// Data returns a tensor's bytes, as File.Data does.
func (s *State) Data(name string) ([]byte, error) { return s.file.Data(s.Prefix + name) }

// Close closes the file.
func (s *State) Close() error { return s.file.Close() }

// File is the checkpoint that the model lies in.
func (s *State) File() *File { return s.file }

// Value returns one piece of the whole file's metadata.
func (s *State) Value(key string) (any, bool) { return s.file.Value(key) }
