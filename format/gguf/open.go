package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"lian/format/mapped"
)

// The keys of a model that is kept in several files. Source: llama.cpp
// tools/gguf-split. They are about files, so an open model does not show them.
const (
	splitNumber  = "split.no" // from 0
	splitCount   = "split.count"
	splitTensors = "split.tensors.count" // of all files
)

var splitKeys = []string{splitNumber, splitCount, splitTensors}

// maxSplits bounds the files of one model: split.count has 16 bits.
const maxSplits = 65535

// Open opens a GGUF file. Of a model that is split ("name-00001-of-00003.gguf")
// it opens every file, whichever is named; the metadata is the first one's.
func Open(path string) (*File, error) {
	f := &File{tensors: map[string]place{}}
	if err := f.open(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *File) open(path string) error {
	c, err := f.add(path)
	if err != nil {
		return err
	}
	paths, err := splits(path, c)
	if err != nil {
		return err
	}
	if len(paths) > 1 {
		if err := f.openSplits(paths, path); err != nil {
			return err
		}
	}
	total, ok := f.Int(splitTensors)
	if ok && total != int64(len(f.names)) {
		return fmt.Errorf("%s: %d files hold %d tensors, %s says %d; some are missing or of another model", path, len(paths), len(f.names), splitTensors, total)
	}
	for _, key := range splitKeys {
		delete(f.values, key)
	}
	f.keys = slices.DeleteFunc(f.keys, func(key string) bool { return slices.Contains(splitKeys, key) })
	return nil
}

// openSplits opens a model of several files, of which named was opened already.
func (f *File) openSplits(paths []string, named string) error {
	if err := f.Close(); err != nil {
		return err
	}
	*f = File{tensors: map[string]place{}}
	for i, path := range paths {
		c, err := f.add(path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: is one of %d files of a model, and %s is missing: %w", named, len(paths), path, err)
		}
		if err != nil {
			return err
		}
		number, _ := whole(c.values[splitNumber])
		count, ok := whole(c.values[splitCount])
		if !ok || number != int64(i) || count != int64(len(paths)) {
			return fmt.Errorf("%s: says it is file %v (%s, from 0) of %v (%s), its name says %d of %d", path, c.values[splitNumber], splitNumber, c.values[splitCount], splitCount, i, len(paths))
		}
	}
	return nil
}

// add maps one file and takes in its tensors; the first one's metadata too.
func (f *File) add(path string) (*content, error) {
	part, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	f.parts = append(f.parts, part) // closed by Close, also when what follows fails
	c, err := parse(part.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(f.parts) == 1 {
		f.version, f.alignment, f.keys, f.values = c.version, c.alignment, c.keys, c.values
	}
	for _, p := range c.tensors {
		if other, ok := f.tensors[p.info.Name]; ok {
			return nil, fmt.Errorf("%s: tensor %s is also in %s", path, p.info.Name, other.part.Path())
		}
		p.part = part
		f.tensors[p.info.Name] = p
		f.names = append(f.names, p.info.Name)
	}
	return c, nil
}

// splits returns the names of all files of a model that is split, in order, or
// the one name of a model that is not.
func splits(path string, c *content) ([]string, error) {
	said, ok := c.values[splitCount]
	if !ok {
		return []string{path}, nil
	}
	count, ok := whole(said)
	number, numbered := whole(c.values[splitNumber])
	switch {
	case ok && count >= 0 && count <= 1 && (!numbered || number == 0): // merged again by llama.cpp: 0
		return []string{path}, nil
	case !ok || !numbered || count > maxSplits || number < 0 || number >= count:
		return nil, fmt.Errorf("%s: says it is file %v (%s, from 0) of %v (%s)", path, c.values[splitNumber], splitNumber, said, splitCount)
	}
	paths := splitPaths("", int(count))
	stem, ok := strings.CutSuffix(path, paths[number])
	if !ok {
		return nil, fmt.Errorf("%s: is file %d of %d; without a name that ends in %s the others cannot be found", path, number+1, count, paths[number])
	}
	return splitPaths(stem, int(count)), nil
}

// splitPaths names the files of a model that is split.
func splitPaths(stem string, count int) []string {
	paths := make([]string, count)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s-%05d-of-%05d.gguf", stem, i+1, count)
	}
	return paths
}
