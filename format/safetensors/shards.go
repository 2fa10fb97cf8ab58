package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lian/store/atomicfile"
)

// ShardBytes is how much Hugging Face's tools put into one file where nobody
// says otherwise.
const ShardBytes = 5_000_000_000

// WriteFolder writes a model's weights into a folder, as model.safetensors or,
// where they have more than most bytes (0: ShardBytes), as shards with an index.
// Tensors fill the shards in the order given and are never cut. No file gets its
// name before all are complete, the index last. It returns the files' names.
//
// A folder that holds weights in the other layout is refused: readers would take
// those.
func WriteFolder(dir string, tensors []Tensor, metadata map[string]string, most int64) ([]string, error) {
	paths, err := writeFolder(dir, tensors, metadata, most)
	if err != nil {
		return nil, fmt.Errorf("writing weights into %s: %w", dir, err)
	}
	return paths, nil
}

func writeFolder(dir string, tensors []Tensor, metadata map[string]string, most int64) ([]string, error) {
	if most == 0 {
		most = ShardBytes
	}
	groups, total, err := shards(tensors, most)
	if err != nil {
		return nil, err
	}
	other := IndexFile
	if len(groups) > 1 {
		other = SingleFile
	}
	if _, err := os.Lstat(filepath.Join(dir, other)); !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is a %s already; remove it first", other)
	}
	names := []string{SingleFile}
	if len(groups) > 1 {
		names = names[:0]
		for i := range groups {
			names = append(names, fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(groups)))
		}
	}
	weights := map[string]string{}
	var files []*atomicfile.File
	for i, group := range groups {
		file, err := create(filepath.Join(dir, names[i]), group, metadata)
		if err != nil {
			return nil, err
		}
		defer file.Abort()
		files = append(files, file)
		for _, t := range group {
			if weights[t.Name] != "" {
				return nil, fmt.Errorf("tensor %s: the name is taken", t.Name)
			}
			weights[t.Name] = names[i]
		}
	}
	if len(groups) > 1 {
		file, err := index(filepath.Join(dir, IndexFile), weights, total)
		if err != nil {
			return nil, err
		}
		defer file.Abort()
		files = append(files, file)
	}
	var paths []string
	for _, file := range files {
		if err := file.Commit(); err != nil {
			return nil, err
		}
		paths = append(paths, file.Name())
	}
	return paths, nil
}

// shards parts tensors into files of at most so many bytes of data.
func shards(tensors []Tensor, most int64) (groups [][]Tensor, total int64, err error) {
	if most < 0 {
		return nil, 0, fmt.Errorf("shards of %d bytes", most)
	}
	groups = [][]Tensor{nil}
	held := int64(0)
	for _, t := range tensors {
		size, err := t.Size()
		if err != nil {
			return nil, 0, err
		}
		last := len(groups) - 1
		if held+int64(size) > most && len(groups[last]) > 0 {
			groups, held, last = append(groups, nil), 0, last+1
		}
		groups[last] = append(groups[last], t)
		held, total = held+int64(size), total+int64(size)
	}
	if len(groups) > 99999 {
		return nil, 0, fmt.Errorf("shards of %d bytes would be %d files; their names have room for 99999", most, len(groups))
	}
	return groups, total, nil
}

// index begins the file that says where each tensor is.
func index(path string, weights map[string]string, total int64) (*atomicfile.File, error) {
	text, err := json.MarshalIndent(map[string]any{"metadata": map[string]any{"total_size": total}, "weight_map": weights}, "", "  ")
	if err != nil {
		return nil, err
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(append(text, '\n')); err != nil {
		file.Abort()
		return nil, err
	}
	return file, nil
}
