package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/config"
	"lian/event"
	"lian/store"
)

// ModelsDir is where models live: below LIAN_HOME, each a folder or a .gguf file. There a name is enough for MODEL.
func ModelsDir() string { return filepath.Join(store.Home(), "models") }

// locate is the path of MODEL: the path itself if it exists, or the model of that name in LIAN_HOME.
func locate(path string) string {
	if _, err := os.Stat(path); err == nil || path == "" || strings.HasPrefix(path, ".") || filepath.IsAbs(path) {
		return path
	}
	for _, name := range []string{path, path + ".gguf"} {
		if at := filepath.Join(ModelsDir(), name); filepath.IsLocal(name) {
			if _, err := os.Stat(at); err == nil {
				return at
			}
		}
	}
	return path
}

// ListedModel is a model that is there.
type ListedModel struct {
	Name       string `json:"name"`   // what to pass as MODEL
	Where      string `json:"where"`  // home, run
	Family     string `json:"family"` // empty if it cannot be read
	Parameters int64  `json:"parameters"`
	Type       string `json:"type"` // of most of its bytes
	Bytes      int64  `json:"bytes"`
	Path       string `json:"path"`
	Problem    string `json:"problem,omitempty"`
}

// ListModels finds the models in LIAN_HOME and in folders of runs.
func ListModels(ctx context.Context, runs []string) ([]ListedModel, error) {
	list := []ListedModel{}
	add := func(name, where, path string) {
		m := ListedModel{Name: name, Where: where, Path: path}
		i, err := Inspect(ctx, path, InspectOptions{Context: 4096}, event.Discard)
		if i != nil {
			m.Bytes = i.Bytes
			if i.Model != nil {
				m.Family, m.Parameters = i.Model.Family, i.Model.Parameters
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
		if err != nil {
			m.Problem = err.Error()
		}
		list = append(list, m)
	}
	entries, err := os.ReadDir(ModelsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			add(e.Name(), "home", filepath.Join(ModelsDir(), e.Name()))
		}
	}
	for _, dir := range runs {
		found, err := modelsBelow(dir)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			add(path, "run", path)
		}
	}
	return list, nil
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

// ModelAtHome is the path of a model in LIAN_HOME by its name. The error names the nearest that is there.
func ModelAtHome(name string) (string, error) {
	if !filepath.IsLocal(name) || filepath.Base(name) != name || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("%q: expected the name of a model in %s, not a path; what lies elsewhere is yours to remove", name, ModelsDir())
	}
	entries, err := os.ReadDir(ModelsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, candidate := range []string{name, name + ".gguf"} {
		if slices.Contains(names, candidate) {
			return filepath.Join(ModelsDir(), candidate), nil
		}
	}
	if near := config.Nearest(name, names); near != "" {
		return "", fmt.Errorf("%s: no model of this name in %s; did you mean %s?", name, ModelsDir(), near)
	}
	return "", fmt.Errorf("%s: no model of this name in %s; lian models list shows what there is", name, ModelsDir())
}

// RemoveModel deletes a model from LIAN_HOME and gives the bytes that this freed. The name goes first, so that a removal that is
// interrupted leaves nothing that looks like a model.
func RemoveModel(name string) (path string, bytes int64, err error) {
	if path, err = ModelAtHome(name); err != nil {
		return "", 0, err
	}
	if bytes, err = folderBytes(path); err != nil {
		return path, 0, err
	}
	gone := filepath.Join(ModelsDir(), ".removed-"+filepath.Base(path))
	if err := os.RemoveAll(gone); err != nil { // of a removal that was interrupted
		return path, 0, err
	}
	if err := os.Rename(path, gone); err != nil {
		return path, 0, err
	}
	return path, bytes, os.RemoveAll(gone)
}
