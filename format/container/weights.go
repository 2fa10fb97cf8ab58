package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"lian/format"
	"lian/format/gguf"
	"lian/format/internevo"
	"lian/format/llama2c"
	"lian/format/parallel"
	"lian/format/safetensors"
	"lian/format/torch"
)

// Weights opens the tensors of a file or folder, whatever holds them. Of a PyTorch
// checkpoint it is the model inside (see torch.State), of InternEvo's and Meta's
// folders the whole tensors of all ranks. The reader's own type says more:
// *safetensors.File, *gguf.File, *torch.State, *llama2c.File, *internevo.Folder,
// *parallel.Reader.
func Weights(path string) (format.Reader, Kind, error) {
	kind, err := Look(path)
	if err != nil {
		return nil, "", err
	}
	r, err := weights(path, kind)
	if err != nil {
		return nil, kind, err
	}
	return r, kind, nil
}

func weights(path string, kind Kind) (format.Reader, error) {
	switch kind {
	case Safetensors, SafetensorsIndex, SafetensorsFolder:
		return safetensors.Open(path)
	case GGUF, GGUFBigEndian: // the reader has a word for the latter
		return gguf.Open(path)
	case Torch, TorchLegacy, TorchIndex, TorchFolder:
		return state(path)
	case Llama2C:
		return llama2c.Open(path)
	case InternEvoFolder:
		return internevo.Open(path)
	case MetaFolder:
		return meta(path)
	case Pickle:
		return nil, fmt.Errorf("%s: a Python pickle, but no checkpoint that torch.save wrote; save the weights with torch.save or as safetensors", path)
	}
	return nil, fmt.Errorf("%s: %s, which holds no weights", path, kind)
}

// state opens the model inside a PyTorch checkpoint.
func state(path string) (format.Reader, error) {
	f, err := torch.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := f.State()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

var consolidated = regexp.MustCompile(`^consolidated\.(\d\d)\.pth$`)

// meta opens the ranks of Meta's own checkpoints. Source: llama's model.py
// (fairscale's ParallelEmbedding, ColumnParallelLinear, RowParallelLinear).
func meta(dir string) (format.Reader, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var ranks []format.Reader
	fail := func(err error) (format.Reader, error) {
		for _, r := range ranks {
			err = errors.Join(err, r.Close())
		}
		return nil, err
	}
	for _, e := range entries { // in the order of their names
		m := consolidated.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		if want := fmt.Sprintf("%02d", len(ranks)); m[1] != want {
			return fail(fmt.Errorf("%s: consolidated.%s.pth is missing", dir, want))
		}
		rank, err := state(filepath.Join(dir, e.Name()))
		if err != nil {
			return fail(err)
		}
		ranks = append(ranks, rank)
	}
	if len(ranks) == 0 {
		return nil, fmt.Errorf("%s: holds no consolidated.00.pth", dir)
	}
	width := 0
	if info, ok := ranks[0].Info("norm.weight"); ok && len(info.Shape) == 1 {
		width = info.Shape[0]
	}
	r, err := parallel.Join(ranks, func(name string, parts []format.Info) (parallel.Rule, error) { return metaRule(name, parts, width) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return r, nil
}

// metaRule says how Meta's ranks hold a tensor. Llama 1 and 2 cut the embedding along
// its columns, Llama 3 along the vocabulary.
func metaRule(name string, parts []format.Info, width int) (parallel.Rule, error) {
	ends := func(suffixes ...string) bool {
		for _, s := range suffixes {
			if strings.HasSuffix(name, s) {
				return true
			}
		}
		return false
	}
	shape := parts[0].Shape
	switch {
	case ends(".wq.weight", ".wk.weight", ".wv.weight", ".w1.weight", ".w3.weight") || name == "output.weight":
		return parallel.Rule{Axis: 0}, nil
	case ends(".wo.weight", ".w2.weight"):
		return parallel.Rule{Axis: 1}, nil
	case ends("norm.weight") || name == "rope.freqs":
		return parallel.Rule{Whole: true}, nil
	case name == "tok_embeddings.weight" && len(shape) == 2 && shape[1] == width:
		return parallel.Rule{Axis: 0}, nil
	case name == "tok_embeddings.weight" && len(shape) == 2 && shape[1]*len(parts) == width:
		return parallel.Rule{Axis: 1}, nil
	}
	return parallel.Rule{}, fmt.Errorf("not a name of Llama's, so that how its %d parts of shape %v belong together is not known", len(parts), shape)
}
