package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/format/mapped"
)

// The names that weights have in a model folder; where it holds both, the one
// file counts, as in transformers.
const (
	SingleFile = "model.safetensors"
	IndexFile  = "model.safetensors.index.json"
)

// Open opens a .safetensors file, a *.safetensors.index.json with its shards, or
// a folder that holds one of the two.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if path, err = find(path); err != nil {
			return nil, err
		}
	}
	f := &File{tensors: map[string]place{}, metadata: map[string]string{}}
	if strings.HasSuffix(path, ".json") {
		err = f.openIndex(path)
	} else {
		err = f.add(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// find returns the index or the one file of weights in a folder.
func find(dir string) (string, error) {
	for _, name := range []string{SingleFile, IndexFile} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var files, indexes []string
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, ".safetensors"):
			files = append(files, name)
		case strings.HasSuffix(name, ".safetensors.index.json"):
			indexes = append(indexes, name)
		}
	}
	switch {
	case len(indexes) == 1:
		return filepath.Join(dir, indexes[0]), nil
	case len(indexes) == 0 && len(files) == 1:
		return filepath.Join(dir, files[0]), nil
	case len(files) == 0:
		return "", fmt.Errorf("%s: holds no .safetensors file", dir)
	}
	return "", fmt.Errorf("%s: holds several safetensors files (%s) and no model.safetensors or one index; name the one that is meant", dir, strings.Join(append(indexes, files...), ", "))
}

// openIndex opens every shard that an index names and checks that they hold
// what it says.
func (f *File) openIndex(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	weights, err := weightMap(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var shards []string
	for name, shard := range weights {
		// A shard lies beside its index: a path could lead anywhere on the machine.
		if shard != filepath.Base(shard) || !filepath.IsLocal(shard) || strings.ContainsAny(shard, `/\`) {
			return fmt.Errorf("%s: tensor %s is said to be in %q, which is not a plain file name", path, name, shard)
		}
		shards = append(shards, shard)
	}
	slices.Sort(shards)
	for _, shard := range slices.Compact(shards) {
		if err := f.add(filepath.Join(filepath.Dir(path), shard)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, name := range f.names {
		if _, ok := weights[name]; !ok {
			return fmt.Errorf("%s: tensor %s is in %s, and the index does not know it; the shards are of another model", path, name, f.tensors[name].part.Path())
		}
	}
	for name, shard := range weights {
		p, ok := f.tensors[name]
		if !ok {
			return fmt.Errorf("%s: tensor %s is said to be in %s, which does not have it; the shards are of another model or one is missing", path, name, shard)
		}
		if found := filepath.Base(p.part.Path()); found != shard {
			return fmt.Errorf("%s: tensor %s is said to be in %s, but is in %s", path, name, shard, found)
		}
	}
	return nil
}

// weightMap is which shard each tensor is in.
func weightMap(raw []byte) (map[string]string, error) {
	var index struct {
		WeightMap json.RawMessage `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, err
	}
	if len(index.WeightMap) == 0 {
		return nil, errors.New("has no weight_map; not an index of safetensors shards")
	}
	weights, err := texts(&scanner{text: string(index.WeightMap)})
	if err != nil {
		return nil, fmt.Errorf("weight_map: %w", err)
	}
	if len(weights) == 0 {
		return nil, errors.New("its weight_map names no tensor")
	}
	return weights, nil
}

// add maps one file and takes in its tensors.
func (f *File) add(path string) error {
	part, err := mapped.Open(path)
	if err != nil {
		return err
	}
	f.parts = append(f.parts, part) // closed by Close, also when what follows fails
	entries, metadata, err := parse(part.Bytes())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, e := range entries {
		if other, ok := f.tensors[e.info.Name]; ok {
			return fmt.Errorf("%s: tensor %s is also in %s", path, e.info.Name, other.part.Path())
		}
		f.tensors[e.info.Name] = place{e.info, part, e.from, e.to}
		f.names = append(f.names, e.info.Name)
	}
	for key, value := range metadata {
		if _, ok := f.metadata[key]; !ok {
			f.metadata[key] = value
		}
	}
	return nil
}
