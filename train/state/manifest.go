package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Manifest is what a state's folder holds.
type Manifest struct {
	Format int    `json:"format"` // of this page: 1
	Step   int    `json:"step"`   // steps done
	Files  []File `json:"files"`  // all but the manifest and the done mark, by name
}

// File is one file of a state.
type File struct {
	Name   string `json:"name"` // with slashes, from the state's folder
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

const manifestFormat = 1

// describe hashes and syncs every file of a folder.
func describe(dir string, step int) (Manifest, error) {
	m := Manifest{Format: manifestFormat, Step: step}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f := File{Name: filepath.ToSlash(name)}
		if f.SHA256, f.Bytes, err = hash(path, true); err != nil {
			return err
		}
		m.Files = append(m.Files, f)
		return nil
	})
	slices.SortFunc(m.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return m, err
}

// hash is a file's SHA-256 and length; the file is brought to the disk first if asked.
func hash(path string, sync bool) (sum string, bytes int64, err error) {
	flag := os.O_RDONLY
	if sync {
		flag = os.O_RDWR // Windows syncs only what may be written
	}
	file, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	if sync {
		if err := file.Sync(); err != nil {
			return "", 0, err
		}
	}
	h := sha256.New()
	if bytes, err = io.Copy(h, file); err != nil {
		return "", 0, fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), bytes, nil
}

// Verify says whether a state is whole: marked as done, and every file as the manifest has it.
func Verify(path string) (Manifest, error) {
	var m Manifest
	if _, err := os.Stat(filepath.Join(path, DoneFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("%s is missing: the program ended before the state was whole", filepath.Join(path, DoneFile))
		}
		return m, err
	}
	return m, verifyFiles(path, &m)
}

func verifyFiles(path string, m *Manifest) error {
	file := filepath.Join(path, ManifestFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, m); err != nil {
		return fmt.Errorf("%s: not the expected JSON: %w", file, err)
	}
	if m.Format != manifestFormat {
		return fmt.Errorf("%s: format is %d, this version of Lian reads %d", file, m.Format, manifestFormat)
	}
	if want := filepath.Base(Path("", m.Step)); want != filepath.Base(path) {
		return fmt.Errorf("%s: step is %d, in the folder %s", file, m.Step, filepath.Base(path))
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return fmt.Errorf("%s: name %q leads out of the folder", file, f.Name)
		}
		at := filepath.Join(path, filepath.FromSlash(f.Name))
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		if info.Size() != f.Bytes {
			return fmt.Errorf("%s has %d bytes, expected %d from %s", at, info.Size(), f.Bytes, ManifestFile)
		}
		sum, _, err := hash(at, false)
		if err != nil {
			return err
		}
		if sum != f.SHA256 {
			return fmt.Errorf("%s: SHA-256 is %s, expected %s from %s; its bytes have changed", at, sum, f.SHA256, ManifestFile)
		}
	}
	return nil
}
