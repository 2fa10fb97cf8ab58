package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Place is where a model lies on this machine.
type Place struct {
	Path    string // folder or file
	Source  string // home, or the cache: huggingface, modelscope, ollama
	Name    string // what it is called there
	Adapter string // a GGUF adapter that belongs to it, "" if none
	// What Ollama keeps beside a model. Its template is in Go's template language.
	Manifest, Template, System string
	Licence                    []string
	Parameters                 map[string]any
	Unused                     []string // layers that Lian does not use, such as projectors of pictures
}

// cache is a store of another program, which is only read.
type cache interface {
	name() string
	dir() string
	find(r Reference) (*Place, error) // nil if it is not there
	list() []string
}

var caches = []cache{huggingFaceCache{}, modelScopeCache{}, ollamaCache{}}

// ErrNotHere is wrapped by Find's error for a model that is nowhere on this machine.
var ErrNotHere = errors.New("not on this machine")

// Find looks for a model by its name, short name or web address in LIAN_HOME and in the caches of other programs, without network. A
// model that is only partly here is an error that says how to go on.
func Find(text string) (*Place, error) {
	settings, err := ReadSettings()
	if err != nil {
		return nil, err
	}
	r, err := Parse(text, settings.names()...)
	if err != nil {
		return nil, err
	}
	if r.Web != "" {
		at := filepath.Join(Home(), webFolder(r.Web), webFile(r.Web))
		if _, err := os.Stat(at); err == nil {
			return &Place{Path: at, Source: "home", Name: text}, nil
		}
		return nil, missing(text, r)
	}
	if p, err := findLong(r, settings); p != nil || err != nil {
		return p, err
	}
	for _, kind := range []string{HuggingFace, ModelScope} {
		long, err := r.long(kind)
		if err != nil || long.Repo == r.Repo || r.Hub == "ollama" {
			continue
		}
		if p, err := findLong(long, settings); p != nil || err != nil {
			return p, err
		}
	}
	return nil, missing(text, r)
}

// findLong looks for OWNER/NAME, and for the plain names of LIAN_HOME.
func findLong(r Reference, s Settings) (*Place, error) {
	kind := r.Hub
	if entry := s.Hubs[r.Hub]; entry.Kind != "" {
		kind = entry.Kind
	}
	if kind != "ollama" {
		for _, name := range []string{r.folder(), r.folder() + ".gguf"} {
			p, err := folderPlace(filepath.Join(Home(), filepath.FromSlash(name)), "home", r)
			if p != nil || err != nil {
				return p, err
			}
		}
	}
	var words *Place // configuration and tokenizer, without weights
	for _, c := range caches {
		if kind != "" && kind != c.name() {
			continue
		}
		p, err := c.find(r)
		if err != nil || p != nil && hasWeights(p.Path) {
			return p, err
		}
		if words == nil {
			words = p
		}
	}
	return words, nil
}

// hasWeights says whether a place has more than what lies beside weights.
func hasWeights(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return err == nil
	}
	entries, err := os.ReadDir(path)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isWeights(e.Name()) })
}

// missing says how to get a model.
func missing(text string, r Reference) error {
	how := "lian models pull " + text
	if _, err := r.long(HuggingFace); err != nil && r.Hub == "" && r.Web == "" {
		return fmt.Errorf("%s: there is no such file or folder, and no model of this name: %w; lian models list shows what is, and a hub's model is OWNER/NAME", text, ErrNotHere)
	}
	if r.Hub == "ollama" {
		how = fmt.Sprintf("ollama pull %s:%s", r.Repo, first(r.Variant, "latest"))
	}
	return fmt.Errorf("model %s: %w; to download it: %s", text, ErrNotHere, how)
}

// folderPlace is a folder or file with a model: all of it, or the file that the reference asks for; nil if there is no such folder.
func folderPlace(path, source string, r Reference) (*Place, error) {
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, nil
		}
		return nil, err
	}
	p := &Place{Path: path, Source: source, Name: r.local()}
	if !info.IsDir() {
		return p, nil
	}
	if r.File != "" {
		p.Path = filepath.Join(path, filepath.FromSlash(r.File))
		if _, err := os.Stat(p.Path); err != nil {
			return nil, nil
		}
		return p, nil
	}
	groups, err := ggufs(path)
	if err != nil {
		return nil, err
	}
	if r.Variant != "" {
		var found []string
		for _, g := range groups {
			if named(g, r.Variant) {
				found = append(found, g)
			}
		}
		switch len(found) {
		case 0:
			return nil, nil
		case 1:
			return p, p.take(path, found[0])
		}
		return nil, fmt.Errorf("%s: %s could be %s; pass the file's path", path, r.Variant, strings.Join(found, ", "))
	}
	if !holdsModel(path) && len(groups) > 0 {
		if len(groups) > 1 {
			return nil, fmt.Errorf("%s: holds %d models: %s; name one as %s:VARIANT, or pass the file's path", path, len(groups), strings.Join(groups, ", "), r.local())
		}
		return p, p.take(path, groups[0])
	}
	if source != "home" && !holdsModel(path) { // a cache that has only a README of it
		return nil, nil
	}
	return p, Incomplete(path)
}

// take makes the place one GGUF file of a folder: the first part of a split one.
func (p *Place) take(dir, group string) error {
	p.Path = filepath.Join(dir, filepath.FromSlash(group))
	if _, err := os.Stat(p.Path); err == nil {
		return nil
	}
	parts, err := filepath.Glob(strings.TrimSuffix(p.Path, ".gguf") + "-00001-of-*.gguf")
	if err != nil || len(parts) != 1 {
		return fmt.Errorf("%s: expected one file …-00001-of-….gguf, found %d", p.Path, len(parts))
	}
	p.Path = parts[0]
	return nil
}

// ggufs are the GGUF models in a folder and one level below it, parts of split ones as one.
func ggufs(dir string) ([]string, error) {
	var files []File
	for _, pattern := range []string{"*.gguf", "*/*.gguf"} {
		found, err := filepath.Glob(filepath.Join(globSafe(dir), pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if rest, err := filepath.Rel(dir, path); err == nil {
				files = append(files, File{Path: filepath.ToSlash(rest)})
			}
		}
	}
	list := variants(files)
	slices.Sort(list)
	return list, nil
}

// OneGGUF is the GGUF model in a folder, "" if there is none; of several none is meant.
func OneGGUF(dir string) (string, error) {
	groups, err := ggufs(dir)
	switch {
	case err != nil || len(groups) == 0:
		return "", err
	case len(groups) > 1:
		return "", fmt.Errorf("%s: holds %d models: %s; pass the file's path", dir, len(groups), strings.Join(groups, ", "))
	}
	var p Place
	err = p.take(dir, groups[0])
	return p.Path, err
}

// globSafe is a folder's path with what Glob would read as a pattern escaped.
func globSafe(path string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// holdsModel says whether a folder is one that a model or adapter can be opened from.
func holdsModel(dir string) bool {
	for _, name := range []string{"config.json", "adapter_config.json", "params.json", "model_config.pt", "tokenizer.json", PullingFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// Cached are the models in the caches of other programs, by the names that Find takes.
func Cached() (list []Place) {
	for _, c := range caches {
		names := c.list()
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if r, err := Parse(name); err == nil {
				if p, err := c.find(r); p != nil && err == nil {
					p.Name = name
					list = append(list, *p)
				}
			}
		}
	}
	return list
}
