package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"lian/config"
	"lian/event"
)

// The files of a run's folder; docs/format/run.md tells what is in them.
const (
	InfoFile   = "run.json"
	ConfigFile = "config.yaml"
	EventsFile = "events.jsonl"
	DoneFile   = "done.json"
	lockFile   = ".lock"
)

// Kinds of events that the store itself emits into a run.
const (
	KindRunBegun    = "run.begun"    // payload Info
	KindRunResumed  = "run.resumed"  // no payload
	KindRunReopened = "run.reopened" // a run that was done goes on with other settings
	KindRunDone     = "run.done"     // payload: the summary
	KindRunFailed   = "run.failed"   // payload Failure
)

// Version is the version of Lian that runs record; package cli sets it.
var Version = "development"

// Info is what is known of a run when it begins.
type Info struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"` // the verb or recipe that made it
	Created  time.Time `json:"created"`
	Version  string    `json:"version"`  // of Lian
	Go       string    `json:"go"`       // version
	Platform string    `json:"platform"` // system/architecture
	CPUs     int       `json:"cpus"`     // that the process may use
}

// Failure is why a run stopped.
type Failure struct {
	Error string `json:"error"`
}

// done is the content of DoneFile.
type done struct {
	Finished time.Time       `json:"finished"`
	Config   string          `json:"config"` // hash of ConfigFile
	Summary  json.RawMessage `json:"summary"`
}

// ErrExists is wrapped by NewRun's error when the name is taken.
var ErrExists = errors.New("a run of this name exists already")

// ErrLocked is wrapped by the error of a folder that another process works in.
var ErrLocked = errors.New("another process is working in this folder")

// Run is anything that takes time, as a folder. Close it to let others in.
type Run struct {
	Dir    string     // the folder
	Info   Info       // as in InfoFile
	Events event.Sink // appends to EventsFile

	events *event.Writer
	lock   *os.File
}

// NewRun makes the folder dir/name with the settings in it: a struct with config
// tags, YAML as []byte, or nil. It fails with ErrExists when there is such a run.
func NewRun(dir, name, kind string, settings any) (*Run, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(filepath.Join(path, InfoFile)); err == nil {
		return nil, fmt.Errorf("%s: %w; choose another name, or remove the folder", path, ErrExists)
	}
	return ContinueRun(dir, name, kind, settings)
}

// ContinueRun opens the run dir/name, or makes it when there is none. Settings that
// differ from those in the folder replace them and take away the done mark; what
// the run has already made stays.
func ContinueRun(dir, name, kind string, settings any) (*Run, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("make the run's folder: %w", err)
	}
	lock, err := acquire(path)
	if err != nil {
		return nil, err
	}
	r, err := begin(path, Info{
		Name: name, Kind: kind, Created: time.Now().UTC().Truncate(time.Millisecond), Version: Version,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0),
	}, marshal(settings))
	if err != nil {
		lock.Close()
		return nil, err
	}
	r.lock = lock
	return r, nil
}

// begin writes what a new run's folder lacks; InfoFile comes last, so that a folder
// that has it has everything.
func begin(path string, info Info, settings []byte) (*Run, error) {
	r := &Run{Dir: path, Info: info}
	old, err := os.ReadFile(filepath.Join(path, ConfigFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	changed := err != nil || !bytes.Equal(old, settings)
	existing, err := ReadInfo(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case isNew:
	case err != nil:
		return nil, err
	case existing.Kind != info.Kind:
		return nil, fmt.Errorf("%s is a run of %q, not of %q; choose another name", path, existing.Kind, info.Kind)
	default:
		r.Info = existing
	}
	wasDone := r.IsDone()
	if changed && wasDone { // first the mark, so that no moment shows new settings as done
		if err := os.Remove(filepath.Join(path, DoneFile)); err != nil {
			return nil, err
		}
	}
	if changed {
		if err := WriteFile(filepath.Join(path, ConfigFile), settings); err != nil {
			return nil, err
		}
	}
	if err := r.openEvents(); err != nil {
		return nil, err
	}
	switch {
	case isNew:
		if err := WriteJSON(filepath.Join(path, InfoFile), r.Info); err != nil {
			return nil, errors.Join(err, r.events.Close())
		}
		r.Events.Emit(KindRunBegun, r.Info)
	case changed && wasDone:
		r.Events.Emit(KindRunReopened, nil)
	case !wasDone:
		r.Events.Emit(KindRunResumed, nil)
	}
	return r, nil
}

// OpenRun opens the run in a folder to go on with it, with the settings it has.
func OpenRun(path string) (*Run, error) {
	info, err := ReadInfo(path)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(path)
	if err != nil {
		return nil, err
	}
	r := &Run{Dir: path, Info: info, lock: lock}
	if err := r.openEvents(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if !r.IsDone() {
		r.Events.Emit(KindRunResumed, nil)
	}
	return r, nil
}

func (r *Run) openEvents() (err error) {
	r.events, err = event.NewWriter(filepath.Join(r.Dir, EventsFile), r.Info.Name, "")
	r.Events = r.events
	return err
}

// Step is a sink whose events carry a step's name.
func (r *Run) Step(name string) event.Sink { return r.events.Step(name) }

// Path is the path of a file of the run.
func (r *Run) Path(elem ...string) string {
	return filepath.Join(append([]string{r.Dir}, elem...)...)
}

// Done marks the run as done, with a summary that the index keeps (a struct or a
// map; nil for none). Everything the run has to show must be on the disk before.
func (r *Run) Done(summary any) error {
	text, err := json.Marshal(summary)
	if err != nil {
		return fmt.Errorf("summary of %s: %w", r.Dir, err)
	}
	hash, err := HashFile(r.Path(ConfigFile))
	if err != nil {
		return err
	}
	r.Events.Emit(KindRunDone, json.RawMessage(text))
	if err := r.events.Sync(); err != nil {
		return err
	}
	return WriteJSON(r.Path(DoneFile), done{Finished: time.Now().UTC().Truncate(time.Millisecond), Config: hash, Summary: text})
}

// Fail records why the run stopped; it can be continued.
func (r *Run) Fail(err error) { r.Events.Emit(KindRunFailed, Failure{Error: err.Error()}) }

// IsDone says whether the run has been marked as done.
func (r *Run) IsDone() bool {
	_, err := os.Stat(r.Path(DoneFile))
	return err == nil
}

// Close lets other processes in. It returns the first error of writing events.
func (r *Run) Close() error { return errors.Join(r.events.Close(), r.lock.Close()) }

// ReadInfo reads what a run's folder says of it, without opening the run.
func ReadInfo(path string) (Info, error) {
	var info Info
	err := ReadJSON(filepath.Join(path, InfoFile), &info)
	if errors.Is(err, fs.ErrNotExist) {
		return info, fmt.Errorf("%s is not a run: it has no %s: %w", path, InfoFile, fs.ErrNotExist)
	}
	if err == nil && info.Name == "" {
		err = fmt.Errorf("%s: no name; the file is not a run's", filepath.Join(path, InfoFile))
	}
	return info, err
}

// marshal is the content of ConfigFile.
func marshal(settings any) []byte {
	switch s := settings.(type) {
	case nil:
		return []byte("{}\n")
	case []byte:
		return s
	}
	return config.Marshal(settings)
}

// checkName refuses names that would leave the folder of runs or that some system
// cannot hold.
func checkName(name string) error {
	switch {
	case name == "" || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.TrimSpace(name) != name:
	case strings.ContainsAny(name, `/\:*?"<>|`) || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
	case len(name) > 200:
	default:
		return nil
	}
	return fmt.Errorf("%q cannot be a run's name: use letters, digits, - and _ (at most 200 bytes, no / or other path characters, no dot at an end)", name)
}
