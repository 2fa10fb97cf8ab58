package hub

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"lian/config"
)

//go:embed names.yaml
var namesTable []byte

// Known is a model that a short name stands for.
type Known struct {
	Name       string  `yaml:"name" json:"name"`
	Repo       string  `yaml:"repo" json:"repo"`                       // on Hugging Face
	ModelScope string  `yaml:"modelscope" json:"modelscope,omitempty"` // its repository there, if it is known
	Parameters float64 `yaml:"parameters" json:"parameters"`           // in billions, as its authors round them
	Context    int     `yaml:"context" json:"context"`                 // tokens
	Licence    string  `yaml:"licence" json:"licence"`
	Gated      bool    `yaml:"gated" json:"gated,omitempty"` // terms are to be accepted first
}

// Bytes is about what the weights take at 16 bits each.
func (k Known) Bytes() int64 { return int64(k.Parameters * 2e9) }

// KnownModels are those that have short names.
var KnownModels = sync.OnceValue(func() []Known {
	var t struct {
		Models []Known `yaml:"models"`
	}
	if err := config.Decode(namesTable, "names.yaml", &t); err != nil {
		panic(err) // our own file; a test reads it
	}
	return t.Models
})

// long is the reference with the repository that a short name stands for.
func (r Reference) long(kind string) (Reference, error) {
	if strings.Contains(r.Repo, "/") {
		return r, nil
	}
	var names []string
	for _, k := range KnownModels() {
		names = append(names, k.Name)
		if !strings.EqualFold(k.Name, r.Repo) {
			continue
		}
		switch {
		case kind == HuggingFace:
			r.Repo = k.Repo
		case kind == ModelScope && k.ModelScope != "":
			r.Repo = k.ModelScope
		default:
			return r, fmt.Errorf("%s: the short name stands for %s on Hugging Face; for %s write OWNER/NAME", r.Repo, k.Repo, kind)
		}
		return r, nil
	}
	if kind == HuggingFace && r.Hub != "" {
		return r, nil // hf:gpt2, a repository from before owners
	}
	if near := config.Nearest(r.Repo, names); near != "" {
		return r, fmt.Errorf("%s: no such short name; did you mean %s? Other models are OWNER/NAME", r.Repo, near)
	}
	return r, fmt.Errorf("%s: no such short name; lian models list --known shows them, other models are OWNER/NAME", r.Repo)
}

// folder is where a model lies below Home, with slashes.
func (r Reference) folder() string {
	name := r.Repo
	usual := defaults[first(known[r.Hub], HuggingFace)].revision
	if r.Revision != "" && r.Revision != usual {
		name += "@" + strings.ReplaceAll(r.Revision, "/", "-")
	}
	return name
}

// local is what to write as MODEL for what was pulled.
func (r Reference) local() string {
	name := r.folder()
	switch {
	case r.Variant != "":
		return name + ":" + r.Variant
	case r.File != "":
		return name + "/" + path.Clean(r.File)
	}
	return name
}
