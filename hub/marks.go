package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"lian/store"
)

// Files in the folder of a model that Lian downloaded; docs/format/pulled.md tells what is in them.
const (
	PulledFile  = "pulled.json"   // what is here, whole and checked
	PullingFile = ".pulling.json" // a download that is not finished
	partSuffix  = ".part"         // of a file that is being downloaded, as .NAME.part
	doneSuffix  = ".part.done"    // which pieces of it are here
)

// Mark says where the files of a folder come from and how they were checked.
type Mark struct {
	Hub      string       `json:"hub"`
	Endpoint string       `json:"endpoint"`
	Repo     string       `json:"repo"`
	Revision string       `json:"revision,omitempty"` // as asked for
	Commit   string       `json:"commit,omitempty"`
	Licence  string       `json:"licence,omitempty"`
	Finished time.Time    `json:"finished,omitzero"`
	Files    []MarkedFile `json:"files"`
}

// MarkedFile is a file that is here.
type MarkedFile struct {
	File
	Checked string `json:"checked,omitempty"` // sha256, git or size; empty while it is not here
}

// ReadMark reads the mark of a folder, nil if it has none.
func ReadMark(dir, name string) (*Mark, error) {
	var m Mark
	err := store.ReadJSON(filepath.Join(dir, name), &m)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// of is what the mark says of a file, nil if nothing.
func (m *Mark) of(path string) *MarkedFile {
	if m == nil {
		return nil
	}
	for i := range m.Files {
		if m.Files[i].Path == path {
			return &m.Files[i]
		}
	}
	return nil
}

// set puts a file into the mark, in the place of an older one of this name.
func (m *Mark) set(f MarkedFile) {
	if old := m.of(f.Path); old != nil {
		*old = f
		return
	}
	m.Files = append(m.Files, f)
}

// Incomplete is the error of a folder whose download is not finished.
func Incomplete(dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil
	}
	m, err := ReadMark(dir, PullingFile)
	if m == nil || err != nil {
		return err
	}
	missing := 0
	for _, f := range m.Files {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
			missing++
		}
	}
	if missing == 0 {
		return nil
	}
	r := Reference{Hub: m.Hub, Repo: m.Repo, Revision: m.Revision}
	return fmt.Errorf("%s: the download is not finished: %d of %d files are missing; go on with: lian models pull %s", dir, missing, len(m.Files), r)
}
