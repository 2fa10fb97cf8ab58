package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"lian/store"
)

// Names within a step's folder that the engine writes. They are no outputs.
const (
	startFile  = "start.json"
	configFile = "config.yaml"
	CardFile   = "card.json" // the step's part of the report card
	DoneFile   = "done.json"
)

// Mark is the content of done.json: the proof that a step is done.
type Mark struct {
	Format     int                        `json:"format"` // 1
	Step       string                     `json:"step"`
	Kind       string                     `json:"kind"`
	Version    string                     `json:"version"`
	Hash       string                     `json:"hash"`   // of everything that decides the result
	Result     string                     `json:"result"` // of the outputs
	Files      []File                     `json:"files"`
	Values     map[string]json.RawMessage `json:"values,omitempty"`
	Started    time.Time                  `json:"started"`
	Wall       float64                    `json:"wall_seconds"` // of all attempts but killed ones
	CPU        float64                    `json:"cpu_seconds"`  // likewise
	PeakMemory int64                      `json:"peak_memory_bytes"`
	Attempts   int                        `json:"attempts"` // more than 1: it was interrupted and went on
}

// File is one output of a step.
type File struct {
	Path     string    `json:"path"` // within the step's folder, with forward slashes
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	SHA256   string    `json:"sha256"`
	Volatile bool      `json:"volatile,omitempty"` // no part of the result hash
}

// ReadMark reads the mark of a step's folder. The error is fs.ErrNotExist when the
// step is not done.
func ReadMark(dir string) (*Mark, error) {
	text, err := os.ReadFile(filepath.Join(dir, DoneFile))
	if err != nil {
		return nil, err
	}
	var m Mark
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, DoneFile), err)
	}
	if m.Format != 1 {
		return nil, fmt.Errorf("%s: format is %d, expected 1", filepath.Join(dir, DoneFile), m.Format)
	}
	return &m, nil
}

// outputs lists and hashes what a step left in its folder, sorted by path.
func outputs(dir string, volatile []string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.Base(at)
		if at != dir && strings.HasPrefix(name, ".") { // temporary files
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		relative, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		switch relative {
		case startFile, configFile, CardFile, DoneFile:
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		sum, err := store.HashFile(at)
		if err != nil {
			return err
		}
		f := File{Path: relative, Size: info.Size(), Modified: info.ModTime().UTC(), SHA256: sum}
		for _, pattern := range volatile {
			if ok, err := path.Match(pattern, relative); err != nil {
				return fmt.Errorf("volatile pattern %q: %w", pattern, err)
			} else if ok {
				f.Volatile = true
			}
		}
		files = append(files, f)
		return nil
	})
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files, err
}

// resultHash is the identity of what a step made.
func resultHash(files []File) string {
	h := sha256.New()
	for _, f := range files {
		if !f.Volatile {
			fmt.Fprintf(h, "%d %s %s\n", len(f.Path), f.Path, f.SHA256)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// harmed says which output is not what the mark says, or "". Size and modification
// time are looked at; only where the time differs is the content read.
func (m *Mark) harmed(dir string) string {
	for _, f := range m.Files {
		at := filepath.Join(dir, filepath.FromSlash(f.Path))
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return f.Path + " is gone"
		case err != nil:
			return err.Error()
		case info.Size() != f.Size:
			return fmt.Sprintf("%s has %d bytes, it had %d", f.Path, info.Size(), f.Size)
		case info.ModTime().Equal(f.Modified):
			continue
		}
		if sum, err := store.HashFile(at); err != nil {
			return err.Error()
		} else if sum != f.SHA256 {
			return f.Path + " was changed"
		}
	}
	return ""
}

// start is the content of start.json: what an unfinished folder belongs to.
type start struct {
	Hash     string    `json:"hash"`
	Started  time.Time `json:"started"`
	Attempts int       `json:"attempts"`
	Wall     float64   `json:"wall_seconds"` // of the attempts that ended in order; a killed one is not counted
	CPU      float64   `json:"cpu_seconds"`
}

func readStart(dir string) (start, bool) {
	var s start
	text, err := os.ReadFile(filepath.Join(dir, startFile))
	if err != nil || json.Unmarshal(text, &s) != nil {
		return start{}, false
	}
	return s, true
}
