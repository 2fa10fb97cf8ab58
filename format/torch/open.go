package torch

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/format/mapped"
	"lian/format/pickle"
)

// Room is what reading a file may take beyond the file's own size, in bytes.
const Room = 32 << 20

// Names that the hub's folders use.
const (
	hubFile  = "pytorch_model.bin"
	hubIndex = "pytorch_model.bin.index.json"
)

// Open opens a checkpoint, a *.bin.index.json with its shards, or a folder that
// holds pytorch_model.bin or that index.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		dir := path
		if path, err = InFolder(dir); err != nil {
			return nil, err
		}
	}
	f := &File{tensors: map[string]place{}}
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

// InFolder returns the file of a folder in which the weights are: the hub's index or
// file, else the only one of the usual endings that is a checkpoint and no trainer's
// leftover.
func InFolder(dir string) (string, error) {
	for _, name := range []string{hubIndex, hubFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name), nil
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		leftover := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "optimizer") || strings.HasPrefix(name, "scheduler") || strings.HasPrefix(name, "rng_state") || name == "training_args.bin"
		if slices.Contains([]string{".bin", ".pt", ".pth", ".ckpt"}, filepath.Ext(name)) && !leftover && isCheckpoint(filepath.Join(dir, name)) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 1:
		return filepath.Join(dir, found[0]), nil
	case 0:
		return "", fmt.Errorf("%s: holds neither %s nor %s, nor another checkpoint of PyTorch", dir, hubIndex, hubFile)
	}
	return "", fmt.Errorf("%s: holds several checkpoints (%s) and no %s that says which belong together; name the one that is meant", dir, strings.Join(found, ", "), hubIndex)
}

// isCheckpoint looks at the start of a file.
func isCheckpoint(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 32)
	n, _ := io.ReadFull(f, head)
	return isZip(head[:n]) || IsLegacy(head[:n])
}

// openIndex opens every shard that an index names and checks that they hold what
// it says.
func (f *File) openIndex(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(index.WeightMap) == 0 {
		return fmt.Errorf("%s: has no weight_map; not an index of checkpoints", path)
	}
	var files []string
	for _, file := range index.WeightMap {
		if file != filepath.Base(file) || file == "." || file == ".." {
			return fmt.Errorf("%s: shard %q is not a plain file name", path, file)
		}
		files = append(files, file)
	}
	slices.Sort(files)
	for _, file := range slices.Compact(files) {
		if err := f.add(filepath.Join(filepath.Dir(path), file)); err != nil {
			return err
		}
	}
	for name, file := range index.WeightMap {
		p, ok := f.tensors[name]
		if !ok {
			return fmt.Errorf("%s: says that tensor %s is in %s, no shard has it", path, name, file)
		}
		if filepath.Base(p.part.Path()) != file {
			return fmt.Errorf("%s: says that tensor %s is in %s, it is in %s", path, name, file, filepath.Base(p.part.Path()))
		}
	}
	return nil
}

// add opens one file.
func (f *File) add(path string) error {
	part, err := mapped.Open(path)
	if err != nil {
		return err
	}
	f.parts = append(f.parts, part) // closed by Close, also when what follows fails
	c, err := parse(part.Bytes())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, t := range c.tensors {
		if other, ok := f.tensors[t.info.Name]; ok {
			return fmt.Errorf("%s: tensor %s is also in %s", path, t.info.Name, other.part.Path())
		}
		f.tensors[t.info.Name] = place{info: t.info, part: part, view: t.view}
		f.names = append(f.names, t.info.Name)
	}
	f.metadata = append(f.metadata, c.metadata...)
	f.roots = append(f.roots, c.roots...)
	f.legacy = c.legacy
	return nil
}

// parse reads a whole file. Its errors do not name the file. What it allocates is
// charged to a budget of the file's size and Room.
func parse(file []byte) (*content, error) {
	budget := &pickle.Budget{Left: int64(len(file)) + Room/2} // half: estimates may be short, slices grow by copying
	var c *content
	var err error
	switch {
	case isZip(file):
		c, err = parseArchive(file, budget)
	case IsLegacy(file):
		c, err = parseLegacy(file, budget)
	case len(file) > 262 && string(file[257:262]) == "ustar":
		err = errors.New("is a tar archive, PyTorch's container before 0.1.10 of 2017; load and save it with a newer PyTorch")
	default:
		err = errors.New("starts neither as a zip archive nor with PyTorch's number: not a PyTorch checkpoint")
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.tensors, func(a, b named) int {
		return cmp.Or(cmp.Compare(a.view.from, b.view.from), cmp.Compare(a.view.offset*a.view.width, b.view.offset*b.view.width))
	})
	return c, nil
}
