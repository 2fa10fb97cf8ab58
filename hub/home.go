package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/config"
	"lian/store"
)

// AtHome are the models in LIAN_HOME: folders, OWNER/NAME as pulled, and GGUF files, also each of a folder that holds several.
func AtHome() (list []Place, err error) {
	entries, err := os.ReadDir(Home())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		owned := folders(filepath.Join(Home(), e.Name()))
		if holdsModel(filepath.Join(Home(), e.Name())) || len(owned) == 0 {
			list = append(list, modelsIn(e.Name())...)
			continue
		}
		for _, name := range owned {
			list = append(list, modelsIn(e.Name()+"/"+name)...)
		}
	}
	return list, nil
}

// modelsIn are the models of a file or folder below Home.
func modelsIn(name string) (list []Place) {
	path := filepath.Join(Home(), filepath.FromSlash(name))
	if info, err := os.Stat(path); err == nil && info.IsDir() && !holdsModel(path) {
		groups, err := ggufs(path)
		for _, g := range groups {
			p := Place{Source: "home", Name: name + "/" + g}
			if p.take(path, g) == nil && err == nil {
				list = append(list, p)
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	return []Place{{Path: path, Source: "home", Name: name}}
}

// Removable is what Remove would delete of a name, and its bytes. Nothing outside LIAN_HOME is.
func Removable(name string) (path string, bytes int64, err error) {
	if path, err = removable(name); err != nil {
		return "", 0, err
	}
	files, err := deletes(path)
	for _, f := range files {
		err = errors.Join(err, filepath.WalkDir(f, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				bytes += info.Size()
			}
			return err
		}))
	}
	return path, bytes, err
}

func removable(name string) (string, error) {
	plain := filepath.FromSlash(name)
	if !filepath.IsLocal(plain) || filepath.Clean(plain) == "." || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("%q: expected the name of a model in %s, not a path; what lies elsewhere is yours to remove", name, Home())
	}
	for _, candidate := range []string{plain, plain + ".gguf"} {
		at := filepath.Join(Home(), candidate)
		if info, err := os.Lstat(at); err == nil {
			if info.IsDir() && !holdsModel(at) && len(folders(at)) > 0 && !strings.Contains(name, "/") {
				return "", fmt.Errorf("%s: is an owner with several models: %s; name one", at, strings.Join(folders(at), ", "))
			}
			return at, nil
		}
	}
	p, err := Find(name)
	switch {
	case err == nil && p.Source == "home":
		return p.Path, nil
	case err == nil:
		return "", fmt.Errorf("%s: lies in the cache of %s (%s), which Lian only reads; remove it with that program", name, p.Source, p.Path)
	}
	var names []string
	all, err := AtHome()
	if err != nil {
		return "", err
	}
	for _, p := range all {
		names = append(names, p.Name)
	}
	if near := config.Nearest(name, names); near != "" {
		return "", fmt.Errorf("%s: no model of this name in %s; did you mean %s?", name, Home(), near)
	}
	return "", fmt.Errorf("%s: no model of this name in %s; lian models list shows what there is", name, Home())
}

// deletes are the files or the folder that a model is: all parts of a split one.
func deletes(path string) ([]string, error) {
	if !partOf.MatchString(path) {
		return []string{path}, nil
	}
	return filepath.Glob(globSafe(strings.TrimSuffix(groupOf(path), ".gguf")) + "-?????-of-?????.gguf")
}

// Remove deletes a model from LIAN_HOME and gives the bytes that this freed. The name goes first, so that a removal that is interrupted
// leaves nothing that looks like a model.
func Remove(name string) (path string, bytes int64, err error) {
	if path, bytes, err = Removable(name); err != nil {
		return "", 0, err
	}
	files, err := deletes(path)
	if err != nil {
		return path, 0, err
	}
	for _, f := range files {
		gone := filepath.Join(Home(), ".removed-"+filepath.Base(f))
		if err := os.RemoveAll(gone); err != nil { // of a removal that was interrupted
			return path, 0, err
		}
		if err := os.Rename(f, gone); err != nil {
			return path, 0, err
		}
		if err := os.RemoveAll(gone); err != nil {
			return path, 0, err
		}
	}
	return path, bytes, tidy(filepath.Dir(path), files)
}

// tidy takes removed files out of the mark of their folder, and removes folders that hold nothing any more.
func tidy(dir string, files []string) error {
	for dir != Home() && strings.HasPrefix(dir, Home()) {
		mark, err := ReadMark(dir, PulledFile)
		if err != nil {
			return err
		}
		if mark != nil {
			mark.Files = slices.DeleteFunc(mark.Files, func(f MarkedFile) bool {
				return slices.Contains(files, filepath.Join(dir, filepath.FromSlash(f.Path)))
			})
			if len(mark.Files) > 0 {
				return store.WriteJSON(filepath.Join(dir, PulledFile), mark)
			}
			if err := os.Remove(filepath.Join(dir, PulledFile)); err != nil {
				return err
			}
		}
		if os.Remove(dir) != nil { // not empty
			return nil
		}
		dir = filepath.Dir(dir)
	}
	return nil
}
