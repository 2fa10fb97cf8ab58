// Package foreign turns checkpoints that are not in the hub's layout into what they
// would be there: the tensors under the hub's names and in its row order, and a
// config.json. They are Meta's consolidated checkpoints, llama2.c's .pt and .bin
// models, and InternEvo's folders.
//
// It guarantees that a model opened so computes what its trainer's own code
// computes: rotary pairs that are neighbours there are moved to where the hub has
// them, packed matrices are taken apart, a normalised head is normalised. Nothing is
// read of weights before it is asked for. It refuses a tensor whose name it does not
// know and settings that would change the result, by name.
package foreign

import (
	"errors"
	"fmt"

	"lian/format"
	"lian/format/container"
	"lian/format/internevo"
	"lian/format/llama2c"
	"lian/format/torch"
)

// Model is a checkpoint in the hub's form.
type Model struct {
	format.Reader
	// Config is what config.json would say.
	Config map[string]any
	// Source is the checkpoint itself: *torch.State, *llama2c.File, *internevo.Folder or
	// *parallel.Reader.
	Source format.Reader
}

// Open opens a file or folder that container.Look calls kind, if it is a foreign one.
// Nil without an error means that it is none: its tensors have the hub's names, or
// another format's.
func Open(path string, kind container.Kind) (*Model, error) {
	switch kind {
	case container.Torch, container.TorchLegacy, container.Llama2C, container.InternEvoFolder, container.MetaFolder:
	default:
		return nil, nil
	}
	r, _, err := container.Weights(path)
	if err != nil {
		return nil, err
	}
	m, err := convert(path, r)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), r.Close())
	}
	if m == nil {
		return nil, r.Close()
	}
	m.Source = r
	return m, nil
}

func convert(path string, r format.Reader) (*Model, error) {
	switch r := r.(type) {
	case *llama2c.File:
		return fromLlama2C(r)
	case *internevo.Folder:
		return fromInternEvo(r)
	case *torch.State:
		if _, ok := r.Info("layers.0.attention.wq.weight"); !ok {
			return nil, nil
		}
		return fromMeta(r, path, r.Value)
	}
	return fromMeta(r, path, nil)
}
