package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lian/store"
)

// outside hashes files and folders that a step reads from outside the run. It
// remembers what it hashed in a file, so that the second run of a recipe only looks
// at sizes and times.
type outside struct {
	file  string // where it is remembered
	known map[string]hashed
	dirty bool
}

type hashed struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	SHA256   string    `json:"sha256"`
}

func openOutside(file string) *outside {
	o := &outside{file: file, known: map[string]hashed{}}
	if text, err := os.ReadFile(file); err == nil {
		if json.Unmarshal(text, &o.known) != nil {
			o.known = map[string]hashed{} // only a memory: it can be made again
		}
	}
	return o
}

func (o *outside) save() error {
	if !o.dirty {
		return nil
	}
	o.dirty = false
	return store.WriteJSON(o.file, o.known)
}

// hash is the identity of a file's bytes or of a folder's names and bytes. A file
// that cannot be read takes part with its name and the reason, so that a step that
// can live with it runs, and runs again when it becomes readable.
func (o *outside) hash(root string) (string, error) {
	info, err := os.Stat(root)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return o.one(root, info), nil
	}
	h := sha256.New()
	err = filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		relative, relErr := filepath.Rel(root, at)
		if relErr != nil {
			return relErr
		}
		relative = filepath.ToSlash(relative)
		switch {
		case err != nil:
			if at == root {
				return err
			}
			fmt.Fprintf(h, "%q unreadable\n", relative)
			return nil
		case entry.IsDir():
			if at != root && strings.HasPrefix(entry.Name(), ".git") {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := os.Stat(at) // through a link
		if err != nil || !info.Mode().IsRegular() {
			fmt.Fprintf(h, "%q other\n", relative)
			return nil
		}
		fmt.Fprintf(h, "%q %s\n", relative, o.one(at, info))
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func (o *outside) one(path string, info fs.FileInfo) string {
	key := path
	if absolute, err := filepath.Abs(path); err == nil {
		key = absolute
	}
	if k, ok := o.known[key]; ok && k.Size == info.Size() && k.Modified.Equal(info.ModTime()) {
		return k.SHA256
	}
	sum, err := store.HashFile(path)
	if err != nil {
		return "unreadable"
	}
	// A file written within the last seconds may change again with the same size and
	// time; it is not remembered.
	if time.Since(info.ModTime()) > 3*time.Second {
		o.known[key] = hashed{Size: info.Size(), Modified: info.ModTime(), SHA256: sum}
		o.dirty = true
	}
	return sum
}
