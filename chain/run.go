package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"lian/config"
	"lian/event"
	"lian/store"
)

// Options say where and how a recipe runs.
type Options struct {
	Runs    string   // folder of runs; empty is "runs"
	Name    string   // of the run; empty is the recipe's
	Set     []string // "dial=value" and "step.setting=value"
	From    string   // run this step and what follows from it even when cached
	DryRun  bool     // only say what would run and why
	Command string   // the command that goes on after an interruption, for messages

	// Sink takes every event of the engine and of the steps, for showing. It may be nil.
	Sink event.Sink

	// Refresh is called with the run's status when a step begins or ends and every
	// Every in between, never twice at a time: it keeps the report card up to date.
	// Its error stops the run only at the end. It may be nil.
	Refresh func(Status) error
	Every   time.Duration // zero is 3 seconds
}

// Run checks a recipe, runs what is not done, and returns the status at the end,
// which is filled as far as it got when there is an error too.
func Run(ctx context.Context, recipe *Recipe, kinds Kinds, o Options) (Status, error) {
	if o.Runs == "" {
		o.Runs = "runs"
	}
	if o.Name == "" {
		o.Name = recipe.Name
	}
	if o.Every == 0 {
		o.Every = 3 * time.Second
	}
	if o.Sink == nil {
		o.Sink = event.Discard
	}
	if o.Command == "" {
		o.Command = "lian run " + recipe.File
	}
	for _, assignment := range o.Set {
		if err := recipe.Set(assignment); err != nil {
			return Status{}, err
		}
	}
	if err := recipe.Check(kinds); err != nil {
		return Status{}, err
	}
	if o.From != "" && !slices.Contains(recipe.stepNames(), o.From) {
		return Status{}, fmt.Errorf("--from %s: no such step; %s", o.From, hint(o.From, recipe.stepNames()))
	}
	e := &engine{recipe: recipe, kinds: kinds, o: o, dir: filepath.Join(o.Runs, o.Name), marks: map[string]*Mark{}, missing: map[string]bool{}}
	e.begin()
	if o.DryRun {
		return e.dryRun()
	}
	return e.run(ctx)
}

type engine struct {
	recipe  *Recipe
	kinds   Kinds
	o       Options
	dir     string
	outside *outside
	marks   map[string]*Mark // of the steps that are done
	missing map[string]bool  // steps that would run, in a dry run
	forced  map[string]bool  // by --from
	home    *store.Run       // nil in a dry run

	mu     sync.Mutex
	status Status

	refreshing sync.Mutex
	refreshErr error
}

func (e *engine) begin() {
	e.status = Status{
		Recipe: e.recipe.Name, About: e.recipe.About, Name: e.o.Name, Dir: e.dir,
		Command: e.o.Command, Started: time.Now().UTC(), Dials: map[string]string{},
	}
	for _, d := range e.recipe.Dials {
		e.status.Dials[d.Name] = d.Text()
	}
	for _, s := range e.recipe.Steps {
		e.status.Steps = append(e.status.Steps, StepStatus{
			Name: s.Name, Uses: s.Uses, About: e.kinds[s.Uses].About, State: Waiting, Dir: filepath.Join(e.dir, s.Name),
		})
	}
	e.forced = map[string]bool{}
	for i := range e.recipe.Steps {
		s := &e.recipe.Steps[i]
		if s.Name == e.o.From || (e.o.From != "" && slices.ContainsFunc(e.needs(s), func(n string) bool { return e.forced[n] })) {
			e.forced[s.Name] = true
		}
	}
}

// needs are the names of the steps that a step refers to, each once, in order.
func (e *engine) needs(s *Step) (names []string) {
	refs, _ := e.recipe.references(s) // Check has seen the errors
	for _, ref := range refs {
		if ref.step != "" && !slices.Contains(names, ref.step) {
			names = append(names, ref.step)
		}
	}
	return names
}

func (e *engine) run(ctx context.Context) (Status, error) {
	settings, err := e.settings()
	if err != nil {
		return e.status, err
	}
	e.home, err = store.ContinueRun(e.o.Runs, e.o.Name, "recipe "+e.recipe.Name, settings)
	if errors.Is(err, store.ErrLocked) {
		return e.status, fmt.Errorf("%w, or choose another name with --name", err)
	} else if err != nil {
		return e.status, fmt.Errorf("%w; choose a folder that can be written with --runs", err)
	}
	if err := e.prepare(); err != nil {
		return e.status, errors.Join(e.explain("", err), e.home.Close())
	}
	e.outside = openOutside(filepath.Join(e.dir, ".outside.json"))

	e.refresh() // the report card exists from the first second
	stop := e.keepFresh()
	err = e.steps(ctx)
	stop()

	e.mu.Lock()
	e.status.Finished = err == nil
	if err != nil {
		e.status.Error = err.Error()
	}
	e.mu.Unlock()
	e.refresh()
	if err = errors.Join(err, e.refreshErr); err == nil {
		err = e.home.Done(e.snapshot())
	} else {
		e.home.Fail(err)
	}
	e.o.Sink.Emit(KindFinished, e.snapshot())
	return e.snapshot(), errors.Join(err, e.home.Close())
}

// settings is the content of the run's config.yaml.
func (e *engine) settings() ([]byte, error) {
	dials := &yaml.Node{Kind: yaml.MappingNode}
	for _, d := range e.recipe.Dials {
		dials.Content = append(dials.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: d.Name}, d.value)
	}
	return yaml.Marshal(struct {
		Recipe string     `yaml:"recipe"`
		Name   string     `yaml:"name"`
		Set    []string   `yaml:"set"`
		Dials  *yaml.Node `yaml:"dials"`
	}{e.recipe.File, e.o.Name, e.o.Set, dials})
}

// prepare clears away what earlier runs could not, and what --from asks to make anew.
func (e *engine) prepare() error {
	leftovers, err := filepath.Glob(filepath.Join(e.dir, ".old-*"))
	if err != nil {
		return err
	}
	for _, old := range leftovers {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	// Forced steps lose their marks now: a kill later must not bring them back.
	for name := range e.forced {
		for _, file := range []string{DoneFile, startFile} {
			if err := os.Remove(filepath.Join(e.dir, name, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func (e *engine) steps(ctx context.Context) error {
	for i := range e.recipe.Steps {
		step := &e.recipe.Steps[i]
		if err := ctx.Err(); err != nil {
			return e.explain(step.Name, err)
		}
		if err := e.step(ctx, step); err != nil {
			e.set(step.Name, func(s *StepStatus) { s.State, s.Reason = Failed, err.Error() })
			return e.explain(step.Name, err)
		}
		if err := e.outside.save(); err != nil {
			return e.explain(step.Name, err)
		}
	}
	return nil
}

// step runs one step, unless it is done.
func (e *engine) step(ctx context.Context, step *Step) error {
	hash, err := e.hash(step)
	if err != nil {
		return err
	}
	dir := filepath.Join(e.dir, step.Name)
	mark, why := e.cached(step, dir, hash)
	if mark != nil {
		e.marks[step.Name] = mark
		e.set(step.Name, func(s *StepStatus) { s.State, s.Reason = Cached, why; s.fill(mark) })
		return nil
	}
	return e.execute(ctx, step, dir, hash, why)
}

// cached gives the mark of a step that need not run, or why it must.
func (e *engine) cached(step *Step, dir, hash string) (*Mark, string) {
	if e.forced[step.Name] {
		return nil, "asked for by --from " + e.o.From
	}
	mark, err := ReadMark(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if s, ok := readStart(dir); ok && s.Hash == hash {
			return nil, "was interrupted"
		} else if ok {
			return nil, "was interrupted, and its settings or inputs changed since"
		}
		return nil, "has not run yet"
	}
	if err != nil {
		return nil, err.Error()
	}
	if mark.Hash != hash {
		if mark.Version != e.kinds[step.Uses].Version {
			return nil, "this version of the program does it differently"
		}
		return nil, "its settings or inputs changed"
	}
	if harm := mark.harmed(dir); harm != "" {
		return nil, "an output is not what it was: " + harm
	}
	return mark, "nothing changed"
}

// execute prepares the folder, runs the kind and writes the done mark.
func (e *engine) execute(ctx context.Context, step *Step, dir, hash, why string) error {
	kind := e.kinds[step.Uses]
	settings, err := e.recipe.configure(step, kind, e.real)
	if err != nil {
		return err
	}
	before, resumed, err := e.folder(dir, kind, hash)
	if err != nil {
		return err
	}
	begun := start{Hash: hash, Started: time.Now().UTC(), Attempts: before.Attempts + 1, Wall: before.Wall, CPU: before.CPU}
	if resumed {
		begun.Started = before.Started
	}
	if err := store.WriteJSON(filepath.Join(dir, startFile), begun); err != nil {
		return err
	}
	if err := store.WriteFile(filepath.Join(dir, configFile), config.Marshal(settings)); err != nil {
		return err
	}
	c := &Context{
		Recipe: e.recipe.Name, Step: step.Name, Config: settings, Dir: dir, RunDir: e.dir,
		Inputs: map[string]string{}, Resumed: resumed, values: map[string]json.RawMessage{},
		Events: event.Tee(sparse(e.home.Step(step.Name), time.Second), e.o.Sink),
	}
	for _, name := range e.needs(step) {
		c.Inputs[name] = filepath.Join(e.dir, name)
	}
	e.set(step.Name, func(s *StepStatus) {
		s.State, s.Reason, s.Hash, s.Started, s.Attempts = Running, why, hash, time.Now().UTC(), begun.Attempts
	})
	debug.FreeOSMemory() // so that the peak is this step's own
	resetPeakMemory()
	clock, cpu := time.Now(), cpuSeconds()
	spent := func() (wall, processor float64) {
		return before.Wall + time.Since(clock).Seconds(), before.CPU + cpuSeconds() - cpu
	}
	runErr := safely(func() error { return kind.Run(ctx, c) })
	if runErr == nil {
		runErr = ctx.Err() // a kind that returned early without saying so is not done
	}
	if runErr != nil {
		begun.Wall, begun.CPU = spent()
		return errors.Join(runErr, store.WriteJSON(filepath.Join(dir, startFile), begun))
	}
	files, err := outputs(dir, kind.Volatile)
	if err != nil {
		return err
	}
	mark := &Mark{
		Format: 1, Step: step.Name, Kind: kind.Name, Version: kind.Version, Hash: hash, Result: resultHash(files),
		Files: files, Values: c.values, Started: begun.Started, PeakMemory: peakMemory(), Attempts: begun.Attempts,
	}
	mark.Wall, mark.CPU = spent()
	if err := store.WriteJSON(filepath.Join(dir, DoneFile), mark); err != nil {
		return err
	}
	e.marks[step.Name] = mark
	e.set(step.Name, func(s *StepStatus) { s.State = Done; s.fill(mark) })
	return nil
}

// folder makes the step's folder ready: empty, or as an interrupted attempt of the
// same hash left it when the kind can go on from there.
func (e *engine) folder(dir string, kind Kind, hash string) (before start, resumed bool, err error) {
	if s, ok := readStart(dir); ok && s.Hash == hash && kind.Resumes {
		if _, err := os.Stat(filepath.Join(dir, DoneFile)); errors.Is(err, fs.ErrNotExist) {
			return s, true, removeTemporary(dir)
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		// First out of the way, then gone: a kill in between leaves nothing under the
		// step's name that looks like a result.
		old := filepath.Join(e.dir, fmt.Sprintf(".old-%s-%d", filepath.Base(dir), time.Now().UnixNano()))
		if err := os.Rename(dir, old); err != nil {
			return start{}, false, err
		}
		if err := os.RemoveAll(old); err != nil {
			return start{}, false, err
		}
	}
	return start{}, false, os.Mkdir(dir, 0o777)
}

// removeTemporary deletes what atomicfile could not rename before a kill.
func removeTemporary(dir string) error {
	return filepath.WalkDir(dir, func(at string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasPrefix(entry.Name(), ".") && strings.Contains(entry.Name(), ".tmp-") {
			return os.Remove(at)
		}
		return err
	})
}

// safely turns a panic of a step into an error, so that the run's state is saved.
func safely(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: %v\n%s", p, debug.Stack())
		}
	}()
	return run()
}

func (s *StepStatus) fill(m *Mark) {
	s.Hash, s.Started, s.Wall, s.CPU, s.PeakMemory, s.Attempts = m.Hash, m.Started, m.Wall, m.CPU, m.PeakMemory, m.Attempts
	s.Bytes = 0
	for _, f := range m.Files {
		s.Bytes += f.Size
	}
}

// interrupted is context.Canceled with a message for people.
type interrupted string

func (i interrupted) Error() string { return string(i) }
func (i interrupted) Unwrap() error { return context.Canceled }

// explain names the step and what to do.
func (e *engine) explain(step string, err error) error {
	at := ""
	if step != "" {
		at = "step " + step + ": "
	}
	switch {
	case errors.Is(err, context.Canceled):
		return interrupted(at + "interrupted; what is done is kept; go on with: " + e.o.Command)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s%w; the disk that holds %s is full: make room, then go on with: %s", at, err, e.dir, e.o.Command)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s%w; allow writing to %s and go on with: %s", at, err, e.dir, e.o.Command)
	}
	return fmt.Errorf("%s%w\nwhen that is mended, go on with: %s", at, err, e.o.Command)
}
