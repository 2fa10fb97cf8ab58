// Package state keeps the states of a run: one folder for each, by step.
//
// It guarantees that a folder with a done mark was written whole, synced and read back, that what is damaged later is found by its
// SHA-256 before anybody reads it, and that a state is only removed when a newer whole one is there. It knows no tensor: whoever
// writes fills a folder with files. docs/format/training-state.md tells what a trainer puts there.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// The files that every state has.
const (
	ManifestFile = "manifest.json"
	DoneFile     = "done"
)

// Path is the folder of a state.
func Path(folder string, step int) string { return filepath.Join(folder, fmt.Sprintf("%08d", step)) }

// List is the steps of which there is a folder, whole or not, ascending.
func List(folder string) (steps []int, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && e.IsDir() && filepath.Base(Path(folder, n)) == e.Name() {
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// Passed is a state that is not used, and why.
type Passed struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Newest is the newest whole state of at most a step, its files verified, and those newer that were passed over; path is "" if there is none.
func Newest(folder string, atMost int) (path string, passed []Passed, err error) {
	steps, err := List(folder)
	if err != nil {
		return "", nil, err
	}
	for _, step := range slices.Backward(steps) {
		if step > atMost {
			continue
		}
		at := Path(folder, step)
		if _, err := Verify(at); err != nil {
			passed = append(passed, Passed{at, err.Error()})
			continue
		}
		return at, passed, nil
	}
	return "", passed, nil
}

// SetAside takes damaged states out of the way of those to come: what was never whole is removed, what was is renamed to
// STEP.damaged, for people to look at.
func SetAside(passed []Passed) (err error) {
	for _, p := range passed {
		if _, e := os.Stat(filepath.Join(p.Path, DoneFile)); e != nil {
			err = errors.Join(err, os.RemoveAll(p.Path))
			continue
		}
		aside := p.Path + ".damaged"
		err = errors.Join(err, os.RemoveAll(aside), os.Rename(p.Path, aside))
	}
	return err
}
