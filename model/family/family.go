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
	"strconv"
	"strings"

	"lian/model/nn"
)

// Family is a declaration of one kind of model.
type Family struct {
	ModelTypes    []string // config.json's model_type; the first names the family
	Architectures []string // config.json's architectures
	// Spec reads a config.json; what is wrong with it is in c.Err.
	Spec func(c *Config) nn.Spec
	// Config writes one: the fields of config.json for a Spec, less model_type and architectures, which register adds.
	Config func(s *nn.Spec) Fields
	// Names are where the authors' files hold the parameters.
	Names Names
	// NamesOf are Names that depend on the Spec, in place of those of Names; nil for none.
	NamesOf func(s *nn.Spec) Names
	// Prefix of names that some of the authors' files leave out.
	Prefix string
	// MoreLayers is how names of tensors of a layer begin, of a family whose files may hold layers past the last: those predict further
	// tokens, which Lian does not do.
	MoreLayers string
	// Ignored are endings of tensors that files carry though they are computed, not learnt.
	Ignored []string
}

// families are filled by the files of this package, one each.
var families []*Family

// register makes a family known.
func register(f Family) *Family {
	if config := f.Config; config != nil {
		f.Config = func(s *nn.Spec) Fields {
			base := Fields{"model_type": f.ModelTypes[0], "architectures": f.Architectures[:1], "pad_token_id": nil}
			return fractions(base.with(config(s))).(Fields)
		}
	}
	families = append(families, &f)
	return &f
}

// All are the families known, by name.
func All() []*Family {
	return slices.SortedFunc(slices.Values(families), func(a, b *Family) int { return strings.Compare(a.Name(), b.Name()) })
}

// Name is the family's name.
func (f *Family) Name() string { return f.ModelTypes[0] }

// Read turns a config.json into a Spec.
func (f *Family) Read(c *Config) (nn.Spec, error) {
	s := f.Spec(c)
	if s.Family == "" {
		s.Family = f.Name()
	}
	if c.layered {
		c.Fail("rope_parameters are by type of layer, which a %s model does not have", f.Name())
	}
	if c.Err() != nil {
		return s, c.Err()
	}
	if err := s.Check(); err != nil {
		return s, fmt.Errorf("%s: %w", c.file, err)
	}
	return s, nil
}

// Ignores says whether a model of this Spec does not need a tensor of this name: it is computed, not learnt, or of a layer past the
// last.
func (f *Family) Ignores(s *nn.Spec, name string) bool {
	if before, _, ok := strings.Cut(f.MoreLayers, "{layer}"); ok {
		rest, ok := strings.CutPrefix(name, before)
		if !ok {
			rest, ok = strings.CutPrefix(name, "blk.") // in GGUF
		}
		if ok {
			number, _, _ := strings.Cut(rest, ".")
			if l, err := strconv.Atoi(number); err == nil && l >= s.Layers {
				return true
			}
		}
	}
	return slices.ContainsFunc(append(f.Ignored, "rotary_emb.inv_freq", "rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"), func(end string) bool { return strings.HasSuffix(name, end) })
}

// ByArchitecture finds the family of config.json's architectures.
func ByArchitecture(architectures []string) (*Family, error) {
	for _, f := range families {
		for _, a := range architectures {
			if slices.Contains(f.Architectures, a) {
				return f, nil
			}
		}
	}
	return nil, fmt.Errorf("architectures %v: not known; known are %v", architectures, known(func(f *Family) []string { return f.Architectures }))
}

// ByName finds a family by its model_type.
func ByName(modelType string) (*Family, error) {
	for _, f := range families {
		if slices.Contains(f.ModelTypes, modelType) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("model_type %q: not known; known are %v", modelType, known(func(f *Family) []string { return f.ModelTypes }))
}

func known(of func(*Family) []string) (names []string) {
	for _, f := range families {
		names = append(names, of(f)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
