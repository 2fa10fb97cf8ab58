package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"lian/machine"
	"lian/store/atomicfile"
)

// NoSpace is why a state was not written: the disk is too full.
type NoSpace struct {
	Path         string
	Needed, Free int64 // bytes
}

func (e *NoSpace) Error() string {
	return fmt.Sprintf("%s: needs %d bytes (%.1f MB), %d (%.1f MB) are free; make room, or save to another disk", e.Path, e.Needed, float64(e.Needed)/1e6, e.Free, float64(e.Free)/1e6)
}

// Write makes the state of a step. fill writes its files, about so many bytes, into a folder of another name; they are synced, hashed and
// read back by check, the folder gets its name, what lies there is read once more against the manifest, and the done mark comes
// last. A state of the same step that is there already is replaced only then. What fails leaves no trace but in the error.
func Write(folder string, step int, bytes int64, fill, check func(dir string) error) error {
	final := Path(folder, step)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	if free := machine.FreeDisk(folder); free > 0 && free < bytes {
		return &NoSpace{final, bytes, free}
	}
	temp := filepath.Join(folder, fmt.Sprintf(".%s%s%016x", filepath.Base(final), tempMark, rand.Uint64()))
	if err := os.Mkdir(temp, 0o777); err != nil {
		return err
	}
	err := write(temp, final, step, fill, check)
	if err != nil {
		err = full(err, final, bytes, folder)
		err = errors.Join(err, os.RemoveAll(temp))
	}
	return err
}

const tempMark = ".tmp-"

// full says how much room there is where that is why a write failed.
func full(err error, path string, needed int64, folder string) error {
	if isFull(err) {
		return fmt.Errorf("%w (%v)", &NoSpace{path, needed, machine.FreeDisk(folder)}, err)
	}
	return err
}

func write(temp, final string, step int, fill, check func(dir string) error) error {
	if err := fill(temp); err != nil {
		return err
	}
	m, err := describe(temp, step)
	if err != nil {
		return err
	}
	if check != nil {
		if err := check(temp); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(temp, ManifestFile), append(text, '\n')); err != nil {
		return err
	}
	if err := Remove(final); err != nil { // without a done mark, or of a run that went back
		return err
	}
	if err := os.Rename(temp, final); err != nil {
		return err
	}
	if err := verifyFiles(final, &m); err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(final, DoneFile), []byte("done\n"))
}

// Sweep removes what a killed program left half written.
func Sweep(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), tempMark) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(folder, e.Name())))
		}
	}
	return err
}

// Remove takes a state away: first its done mark, so that no moment shows half of it as whole.
func Remove(path string) error {
	if err := os.Remove(filepath.Join(path, DoneFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(path)
}
