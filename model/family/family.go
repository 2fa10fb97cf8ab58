// Package family says what published models are: one file a family, which turns
// the authors' config.json into a Spec and names their tensors, on the hub and
// in GGUF. Loading, saving, converting, counting and adapter targets all read
// the same declaration.
//
// It guarantees that config.json fields which change the result are either
// understood or refused by name. It refuses architectures it does not know.
package family

import (
	"fmt"
	"slices"
	"strings"

	"lian/model"
	"lian/model/nn"
)

// Family is a declaration of one kind of model.
type Family struct {
	ModelType     string   // config.json's model_type
	Architectures []string // config.json's architectures
	GGUF          string   // general.architecture
	// Spec reads a config.json.
	Spec func(c *Config) (nn.Spec, error)
	// Config writes one: the fields of config.json for a Spec.
	Config func(s nn.Spec) map[string]any
	// FromGGUF reads GGUF metadata.
	FromGGUF func(m Metadata) (nn.Spec, error)
	// ToGGUF writes it: keys below the architecture's name.
	ToGGUF func(s nn.Spec) map[string]any
	// Names are the names of weights; {layer} stands for the layer's number.
	Names map[string]Name
	// InterleavedGGUF says that q and k rows are stored in interleaved rotary order there.
	InterleavedGGUF bool
}

// Name is a weight's name on the hub and in GGUF.
type Name struct{ Hub, GGUF string }

var families = []*Family{&llama}

// All are the families known.
func All() []*Family { return families }

// ByArchitecture finds the family of config.json's architectures.
func ByArchitecture(architectures []string) (*Family, error) {
	for _, f := range families {
		for _, a := range architectures {
			if slices.Contains(f.Architectures, a) {
				return f, nil
			}
		}
	}
	return nil, fmt.Errorf("architectures %v: not known; known are %v", architectures, known(func(f *Family) string { return f.Architectures[0] }))
}

// ByGGUF finds the family of a GGUF file's general.architecture.
func ByGGUF(architecture string) (*Family, error) {
	for _, f := range families {
		if f.GGUF == architecture {
			return f, nil
		}
	}
	return nil, fmt.Errorf("general.architecture %q: not known; known are %v", architecture, known(func(f *Family) string { return f.GGUF }))
}

// ByName finds a family by its model_type.
func ByName(modelType string) (*Family, error) {
	for _, f := range families {
		if f.ModelType == modelType {
			return f, nil
		}
	}
	return nil, fmt.Errorf("model_type %q: not known; known are %v", modelType, known(func(f *Family) string { return f.ModelType }))
}

func known(of func(*Family) string) (names []string) {
	for _, f := range families {
		names = append(names, of(f))
	}
	return names
}

// Bindings say how a model's files name its parameters, in the order of the parameters.
func (f *Family) Bindings(s nn.Spec) ([]model.Binding, error) {
	var out []model.Binding
	for _, w := range s.Weights() {
		layer, generic := "", w.Name
		if rest, ok := strings.CutPrefix(w.Name, "layers."); ok {
			layer, generic, _ = strings.Cut(rest, ".")
		}
		base, bias := strings.CutSuffix(generic, ".bias")
		name, ok := f.Names[base]
		if !ok {
			return nil, fmt.Errorf("family %s has no name for %s", f.ModelType, w.Name)
		}
		suffix := ".weight"
		if bias {
			suffix = ".bias"
		}
		fill := func(s string) string { return strings.ReplaceAll(s, "{layer}", layer) + suffix }
		b := model.Binding{Parameter: w.Name, Hub: fill(name.Hub), GGUF: fill(name.GGUF), Adaptable: w.Kind == nn.Matrix || w.Kind == nn.Residual}
		if f.InterleavedGGUF && !s.Attention.RoPE.Interleaved {
			switch base {
			case "attention.q":
				b.Pairs = s.Attention.Heads
			case "attention.k":
				b.Pairs = s.Attention.KVHeads
			}
		}
		out = append(out, b)
	}
	return out, nil
}
