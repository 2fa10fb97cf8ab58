package quant

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"lian/dtype"
)

//go:embed mixes.yaml
var mixesText []byte

// Mix is a choice of types under one name; mixes.yaml says what its fields mean.
type Mix struct {
	Name         string
	Also         string
	FileType     uint32 `yaml:"file_type"` // llama.cpp's number of it
	Main         Type
	Head         Type
	Embedding    Type
	Alone        bool
	Rules        []rule
	NeedsImatrix []Type `yaml:"needs_imatrix"`
}

// Type is an element type in a table.
type Type struct{ dtype.Type }

// UnmarshalText reads a type's name.
func (t *Type) UnmarshalText(text []byte) (err error) {
	t.Type, err = dtype.Parse(string(text))
	return err
}

type rule struct {
	Part            string
	Layers          string
	GQA             int
	Experts         int
	ExpertsFrom     int `yaml:"experts_from"`
	Stacked         bool
	Falcon, Imatrix *bool
	Type            Type
}

type table struct {
	Common       []rule
	Large        map[string]int
	Kept         []string
	KeptWhole    []string `yaml:"kept_whole"`
	Fallback     map[string]Type
	NeedsImatrix []Type `yaml:"needs_imatrix"`
	Mixes        []Mix
}

var mixes = func() (t table) {
	if err := yaml.Unmarshal(mixesText, &t); err != nil {
		panic(fmt.Sprintf("mixes.yaml: %v", err)) // every test of this package finds it
	}
	return t
}()

// MixNames are the names that Parse takes, in the table's order.
func MixNames() (names []string) {
	for _, m := range mixes.Mixes {
		names = append(names, m.Name)
	}
	return names
}

// Parse returns the mix of that name, in any case; q4_k is short for q4_k_m, as q3_k and q5_k are.
func Parse(name string) (Mix, error) {
	for _, m := range mixes.Mixes {
		if strings.EqualFold(m.Name, name) || m.Also != "" && strings.EqualFold(m.Also, name) {
			return m, nil
		}
	}
	return Mix{}, fmt.Errorf("%q: no such quantisation; known are %s", name, strings.Join(MixNames(), " "))
}

// PackedTypes are the block types that models are stored in, as the table names them.
func PackedTypes() (types []dtype.Type) {
	for _, m := range mixes.Mixes {
		if !slices.Contains(types, m.Main.Type) && m.Main.Quantized() {
			types = append(types, m.Main.Type)
		}
	}
	return types
}

// part sorts a tensor by what it does, as llama.cpp does by pieces of its GGUF name.
func part(name string) string {
	switch {
	case name == "output.weight":
		return "head"
	case name == "token_embd.weight", name == "per_layer_token_embd.weight":
		return "embedding"
	case strings.Contains(name, "attn_qkv.weight"), strings.Contains(name, "attn_kv_b.weight"), strings.Contains(name, "attn_v.weight"):
		return "attn_v"
	}
	for _, p := range []string{"attn_k.weight", "attn_q.weight", "attn_output.weight", "ffn_up", "ffn_gate", "ffn_down"} {
		if strings.Contains(name, p) {
			return strings.TrimSuffix(p, ".weight")
		}
	}
	return ""
}

// kept says whether a tensor keeps the type it has: vectors (also a matrix of one row), norms, routers, small convolutions.
func kept(name string, shape []int) bool {
	dimensions := len(shape)
	for dimensions > 0 && shape[len(shape)-dimensions] == 1 { // as ggml counts them
		dimensions--
	}
	return dimensions < 2 || !strings.HasSuffix(name, "weight") || slices.Contains(mixes.KeptWhole, name) ||
		slices.ContainsFunc(mixes.Kept, func(part string) bool { return strings.Contains(name, part) })
}

// isMore says whether a layer is among the first or last eighth, or every third of the others.
func isMore(layer, layers int) bool {
	return layer < layers/8 || layer >= 7*layers/8 || (layer-layers/8)%3 == 2
}

// speaksOf says whether a rule is about layer of layers.
func (r *rule) speaksOf(layer, layers int) bool {
	switch r.Layers {
	case "":
		return true
	case "more":
		return isMore(layer, layers)
	case "eighth":
		return layer < layers/8
	case "sixteenth":
		return layer < layers/16
	case "middle":
		return layer >= layers/8 && layer < 7*layers/8
	}
	n, err := strconv.Atoi(r.Layers)
	return err == nil && layer < n
}

// Fit returns t where rows of cols values are whole blocks of it; otherwise the type that stands in, at last F16, with the reason.
func Fit(t dtype.Type, cols int) (fit dtype.Type, reason string) {
	if cols%t.BlockSize() == 0 {
		return t, ""
	}
	fit = dtype.F16
	if f, ok := mixes.Fallback[t.String()]; ok && cols%f.BlockSize() == 0 {
		fit = f.Type
	}
	return fit, fmt.Sprintf("rows of %d values are not whole blocks of %d (%v)", cols, t.BlockSize(), t)
}

var layerNumber = regexp.MustCompile(`^blk\.(\d+)\.`)

// layerOf is the layer in a tensor's GGUF name, −1 if it has none.
func layerOf(name string) int {
	m := layerNumber.FindStringSubmatch(name)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}

// LayerOf parts a tensor's GGUF name into its layer (−1: none) and the rest.
func LayerOf(name string) (layer int, rest string) {
	layer = layerOf(name)
	return layer, layerNumber.ReplaceAllString(name, "")
}

// Order sorts tensors as llama-quantize does: what is of no layer first, then by layer, each by name.
func Order(a, b string) int {
	if la, lb := layerOf(a), layerOf(b); la != lb {
		return la - lb
	}
	return strings.Compare(a, b)
}
