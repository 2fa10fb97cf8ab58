package tokenfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// Domain is a named part of a data set: its files to learn from and those held out.
type Domain struct {
	Name           string
	Train, HeldOut []File
}

// Discover says what domains a path has. A file is one. A folder is one for the files that lie in it, and one for each folder in it
// that has files, as in InternEvo's train_folder/{en,cn,code}. Files whose name, or whose folder's, has the word val, valid,
// validation, heldout, dev or test are held out. An error wraps ErrUnknown where there is nothing.
func Discover(path string) ([]Domain, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() || isMDS(path) {
		f, err := Look(path)
		if err != nil {
			return nil, err
		}
		return []Domain{{Name: domainName(path), Train: []File{f}}}, nil
	}
	domains := map[string]*Domain{}
	err = filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		folder := d.IsDir()
		if at == path || strings.HasPrefix(d.Name(), ".") || folder && !isMDS(at) || !folder && !candidate(d.Name()) {
			if folder && at != path && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		f, err := Look(at)
		if err != nil && errors.Is(err, ErrUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(path, at)
		if err != nil {
			return err
		}
		if folder { // an MDS folder is itself what tells domains apart
			rest = filepath.Join(rest, "index.json")
		}
		name, held := place(filepath.ToSlash(rest), domainName(path))
		if domains[name] == nil {
			domains[name] = &Domain{Name: name}
		}
		into := &domains[name].Train
		if held {
			into = &domains[name].HeldOut
		}
		*into = append(*into, f)
		if folder {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []Domain
	for _, d := range domains {
		if len(d.Train) == 0 {
			return nil, fmt.Errorf("%s: domain %s has only held-out files (%s); rename what is to be learnt from", path, d.Name, d.HeldOut[0].Path)
		}
		out = append(out, *d)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrUnknown)
	}
	slices.SortFunc(out, func(a, b Domain) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// candidate reports whether a name is worth a look; .idx and .meta belong to a .bin.
func candidate(name string) bool {
	for _, ending := range []string{".shard", ".bin", ".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".jsonl.zstd"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

var heldOutWords = []string{"val", "valid", "validation", "heldout", "held", "dev", "test", "eval"}

var trainWords = []string{"train", "training", "data", "shards", "tokens"}

// place tells a file's domain, the first folder on its way that is not a word for a split, and whether it is held out.
func place(path, whole string) (domain string, held bool) {
	parts := strings.Split(path, "/")
	domain = whole
	found := false
	for i, part := range parts {
		words := strings.FieldsFunc(strings.ToLower(part), func(r rune) bool { return !unicode.IsLetter(r) })
		isSplit := false
		for _, w := range words {
			if slices.Contains(heldOutWords, w) {
				held, isSplit = true, true
			}
			isSplit = isSplit || slices.Contains(trainWords, w)
		}
		if i < len(parts)-1 && !isSplit && !found {
			domain, found = part, true
		}
	}
	return domain, held
}

func domainName(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	name := filepath.Base(path)
	for _, ending := range []string{".gz", ".zst", ".zstd", ".jsonl", ".parquet", ".bin", ".idx", ".shard"} {
		name = strings.TrimSuffix(name, ending)
	}
	return name
}
