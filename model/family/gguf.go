package family

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lian/format"
	"lian/format/gguf"
	"lian/model/nn"
)

// GGUF says how a family's models lie in GGUF: what the architecture is called
// there, how its metadata are fields of config.json, and where tensors are kept
// otherwise than the authors keep them. Reading goes from metadata to a
// config.json that the authors' code would take too, and from there to a Spec, so
// that there is one reader of Specs; writing goes from the Spec to metadata.
//
// Source for all of them: llama.cpp's conversion from Hugging Face and gguf-py's
// constants.py and tensor_mapping.py.
type GGUF struct {
	Architecture string
	Keys         Keys
	// Fields of config.json that every such file means.
	Fields map[string]any
	// Names are where tensors lie, where that is not the usual place (ggufNames); NamesOf where it depends on the model.
	Names   Names
	NamesOf func(s *nn.Spec) Names
	// Older are places of parameters in files of former times, for tensors that a file does not have at the others.
	Older Names
	// Interleaved: rows of q and k are stored in the order of interleaved rotary pairs.
	Interleaved bool
	// WriteOnly: the architecture's files are opened as another family's. Reads says which of several families a file is of.
	WriteOnly bool
	Reads     func(f GGUFFile) bool
	// Extra are tensors that are computed from the Spec and stored all the same.
	Extra func(s *nn.Spec) ([]Computed, error)
}

// Computed is a vector that a file holds though it follows from the configuration.
type Computed struct {
	Name   string
	Values []float32
}

// inGGUF are the declarations by the family's name.
var inGGUF = map[string]*GGUF{}

// stored makes known how a family lies in GGUF.
func stored(family string, g GGUF) *GGUF {
	inGGUF[family] = &g
	return &g
}

// GGUF is how the family's models lie in GGUF, nil if they do not.
func (f *Family) GGUF() *GGUF { return inGGUF[f.Name()] }

// GGUFFile is what is read of a GGUF file to know what it holds.
type GGUFFile interface {
	Keys() []string
	Value(key string) (any, bool)
	String(key string) (string, bool)
	Length(key string) (int, bool)
	Info(tensor string) (format.Info, bool)
	Float32s(tensor string) ([]float32, error)
}

// FromGGUF finds the family of a GGUF file and the config.json that its metadata
// mean; path names the file in errors. The fields that nobody needs (Config.Unread)
// are keys of metadata.
func FromGGUF(path string, file GGUFFile) (*Family, *Config, error) {
	architecture, ok := file.String("general.architecture")
	if !ok {
		return nil, nil, fmt.Errorf("%s: metadata general.architecture is missing, or no text", path)
	}
	var names []string
	for _, f := range All() {
		g := f.GGUF()
		if g == nil {
			continue
		}
		names = append(names, g.Architecture)
		if g.Architecture == architecture && !g.WriteOnly && (g.Reads == nil || g.Reads(file)) {
			c, err := f.fromGGUF(path, g, file)
			return f, c, err
		}
	}
	slices.Sort(names)
	return nil, nil, fmt.Errorf("%s: general.architecture is %q, which Lian does not know; known are %s", path, architecture, strings.Join(slices.Compact(names), ", "))
}

func (f *Family) fromGGUF(path string, g *GGUF, file GGUFFile) (*Config, error) {
	fields := map[string]any{"model_type": f.Name(), "architectures": []any{f.Architectures[0]}}
	maps.Copy(fields, g.Fields)
	r := &reading{file: file, prefix: g.Architecture + ".", fields: fields, known: map[string]bool{}}
	for _, k := range slices.Concat(always, g.Keys) {
		k.read(r)
	}
	if r.err != nil {
		return nil, fmt.Errorf("%s: %w", path, r.err)
	}
	// Through JSON, so that values are what a file would give.
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c, err := ParseConfig(path, text)
	if err != nil {
		return nil, err
	}
	c.metadata = true
	for _, key := range file.Keys() {
		if rest, ok := strings.CutPrefix(key, r.prefix); ok && !r.known[rest] && !slices.Contains(strings.Fields(harmlessFields), rest) {
			c.unknown = append(c.unknown, key)
		}
	}
	return c, nil
}

// ToGGUF is the metadata of a model, with its architecture's name before each key. config are the fields of its config.json, nil
// if it has none: the size of a feed-forward that no layer has is said there only.
func (f *Family) ToGGUF(s *nn.Spec, config map[string]any) ([]gguf.KeyValue, error) {
	g := f.GGUF()
	if g == nil {
		return nil, fmt.Errorf("GGUF has no name for models of family %s that Lian knows", f.Name())
	}
	out := []gguf.KeyValue{{Key: "general.architecture", Value: g.Architecture}}
	for _, k := range g.Keys {
		if k.write != nil {
			k.write(s, func(key string, value any) {
				if size, err := strconv.ParseUint(fmt.Sprint(config["intermediate_size"]), 10, 32); err == nil && key == "feed_forward_length" && mixture(s).Hidden > 0 {
					value = uint32(size)
				}
				out = append(out, gguf.KeyValue{Key: g.Architecture + "." + key, Value: value})
			})
		}
	}
	return out, nil
}
