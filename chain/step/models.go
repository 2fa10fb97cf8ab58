package step

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lian/event"
	"lian/hub"
)

// ModelsDir is where models live: below LIAN_HOME, each a folder or a .gguf file. There a name is enough for MODEL.
func ModelsDir() string { return hub.Home() }

// find is where MODEL lies: the path itself if it exists, the model of that name in LIAN_HOME, or what package hub finds of a hub's name
// or a web address. place is nil for a path.
func find(text string) (path string, place *hub.Place, err error) {
	if _, err := os.Stat(text); err == nil || text == "" || strings.HasPrefix(text, ".") || filepath.IsAbs(text) {
		return text, nil, nil
	}
	for _, name := range []string{text, text + ".gguf"} {
		if at := filepath.Join(ModelsDir(), name); filepath.IsLocal(name) {
			if _, err := os.Stat(at); err == nil {
				return atHome(text, at)
			}
		}
	}
	if place, err = hub.Find(text); err == nil {
		return place.Path, place, nil
	}
	if looksLikePath(text) {
		return text, nil, nil // that is not there, which those who open it say
	}
	return text, nil, err
}

// locate is find for those who need the path only, and the adapter that a place itself adds, "" if none.
func locate(text string) (path, adapter string, err error) {
	path, place, err := find(text)
	if place != nil {
		adapter = place.Adapter
	}
	return path, adapter, err
}

// looksLikePath says whether a text that names no model here is a path rather than a hub's name.
func looksLikePath(text string) bool {
	switch strings.ToLower(filepath.Ext(text)) {
	case ".gguf", ".safetensors", ".json", ".jsonl", ".jinja", ".shard", ".bin", ".pt", ".pth", ".yaml":
		return !strings.Contains(text, "://")
	}
	return !strings.Contains(text, ":") && (strings.Count(text, "/") > 1 || strings.ContainsRune(text, '\\'))
}

// atHome is a place in LIAN_HOME; of a folder of GGUF files the one file, if it is one.
func atHome(name, at string) (string, *hub.Place, error) {
	if place, err := hub.Find(name); err == nil && place.Source == "home" {
		return place.Path, place, nil
	}
	return at, nil, hub.Incomplete(at)
}

// ListedModel is a model that is there, or with --known one that could be pulled.
type ListedModel struct {
	Name       string `json:"name"`   // what to pass as MODEL
	Where      string `json:"where"`  // home, run, a cache (huggingface, modelscope, ollama), or hub: not here
	Family     string `json:"family"` // empty if it cannot be read
	Parameters int64  `json:"parameters"`
	Type       string `json:"type"` // of most of its bytes
	Bytes      int64  `json:"bytes"`
	Path       string `json:"path,omitempty"`
	Licence    string `json:"licence,omitempty"`
	Problem    string `json:"problem,omitempty"`
	Fit        *Fit   `json:"fit,omitempty"` // with --fits

	facts  *ModelFacts
	memory *MemoryFacts
}

// ListModels finds the models in LIAN_HOME, in the caches of other programs and in folders of runs.
func ListModels(ctx context.Context, runs []string) ([]ListedModel, error) {
	list := []ListedModel{}
	home, err := hub.AtHome()
	if err != nil {
		return nil, err
	}
	for _, p := range append(home, hub.Cached()...) {
		list = append(list, listed(ctx, p.Name, p.Source, p.Path))
	}
	for _, dir := range runs {
		found, err := modelsBelow(dir)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			list = append(list, listed(ctx, path, "run", path))
		}
	}
	return list, nil
}

// listed is one line of the list.
func listed(ctx context.Context, name, where, path string) ListedModel {
	m := ListedModel{Name: name, Where: where, Path: path}
	i, err := Inspect(ctx, path, InspectOptions{Context: 4096}, event.Discard)
	if i != nil {
		m.Bytes = i.Bytes
		if i.Model != nil {
			m.Family, m.Parameters, m.facts, m.memory = i.Model.Family, i.Model.Parameters, i.Model, i.Memory
		}
		if i.Adapter != nil {
			m.Family, m.Parameters = "adapter", i.Adapter.Parameters
		}
		if len(i.Types) > 0 {
			m.Type = i.Types[0].Type
		}
		if len(i.Problems) > 0 {
			m.Problem = i.Problems[0]
		}
	}
	if partly := hub.Incomplete(path); partly != nil {
		err = partly
	}
	if err != nil {
		m.Problem = err.Error()
	}
	return m
}

// KnownModels are the models that have short names.
func KnownModels() (list []ListedModel) {
	for _, k := range hub.KnownModels() {
		list = append(list, ListedModel{Name: k.Name, Where: "hub", Parameters: int64(k.Parameters * 1e9), Type: "bf16", Bytes: k.Bytes(), Licence: k.Licence})
	}
	return list
}

// modelsBelow finds model folders, adapters and GGUF files of runs; a model is not looked into further.
func modelsBelow(dir string) (found []string, err error) {
	const deepest = 4 // runs/NAME/STEP/model
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == dir:
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), ".") && path != dir:
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.IsDir():
			if strings.HasSuffix(path, ".gguf") {
				found = append(found, path)
			}
			return nil
		}
		for _, file := range []string{"config.json", "adapter_config.json"} {
			if _, err := os.Stat(filepath.Join(path, file)); err == nil {
				found = append(found, path)
				return fs.SkipDir
			}
		}
		if rest, err := filepath.Rel(dir, path); err == nil && strings.Count(filepath.ToSlash(rest), "/") >= deepest {
			return fs.SkipDir
		}
		return nil
	})
	return found, err
}
