package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lian/model"
	"lian/train/state"
)

// heard keeps the events of a run.
type heard struct {
	mu     sync.Mutex
	events []string
	saves  int
}

func (h *heard) Emit(kind string, payload any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, fmt.Sprintf("%s %+v", kind, payload))
	if kind == KindSaved {
		h.saves++
	}
}

func (h *heard) has(t *testing.T, parts ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		found := true
		for _, p := range parts {
			found = found && strings.Contains(e, p)
		}
		if found {
			return
		}
	}
	t.Errorf("no event with %q among %q", parts, h.events)
}

// ranTo is a folder with the states of a run that was stopped after so many steps.
func ranTo(t *testing.T, step int, change func(*Trainer)) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "state")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tr := trainer(t, 1, folder, false)
	if change != nil {
		change(tr)
	}
	tr.OnStep = func(p Progress) {
		if p.Step == step {
			cancel()
		}
	}
	if err := tr.Run(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), state.Path(folder, step)) {
		t.Fatalf("stopped at %d: %v", step, err)
	}
	return folder
}

func finish(t *testing.T, folder string, change func(*Trainer)) (*Trainer, *heard) {
	t.Helper()
	h := &heard{}
	tr := trainer(t, 2, folder, false)
	tr.Events = h
	if change != nil {
		change(tr)
	}
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return tr, h
}

func TestADamagedStateIsPassedOverWithItsReason(t *testing.T) {
	want, _ := finish(t, "", nil)
	folder := ranTo(t, 18, nil)
	if err := os.Truncate(filepath.Join(state.Path(folder, 18), rememberedFile), 100); err != nil {
		t.Fatal(err)
	}
	tr, h := finish(t, folder, nil)
	h.has(t, KindResumed, "Step:14", rememberedFile+" has 100 bytes")
	if file(t, tr) != file(t, want) {
		t.Error("from the older state the run ends otherwise")
	}
	steps, _ := state.List(folder)
	if _, err := os.Stat(state.Path(folder, 18) + ".damaged"); err != nil || fmt.Sprint(steps) != "[28 30]" {
		t.Errorf("the states are of steps %v, expected the last two and the damaged one beside them (%v)", steps, err)
	}
}

func TestWhatDoesNotDecideOverBytesMayChange(t *testing.T) {
	want, _ := finish(t, "", nil)
	folder := ranTo(t, 9, nil)
	tr, h := finish(t, folder, func(tr *Trainer) {
		tr.Options.SaveEvery, tr.Options.KeepLast, tr.Options.KeepEvery, tr.Options.EvalEvery, tr.Options.SaveInline = 5, 1, 10, 3, true
		tr.Kernels = "another level"
	})
	h.has(t, KindResumed, "another level")
	if file(t, tr) != file(t, want) {
		t.Error("with another cadence of saving the run ends otherwise")
	}
	if steps, _ := state.List(folder); fmt.Sprint(steps) != "[10 20 30]" {
		t.Errorf("the states are of steps %v, expected multiples of ten and the last", steps)
	}
}

func TestAnotherRunIsRefusedByFieldName(t *testing.T) {
	folder := ranTo(t, 9, nil)
	for _, c := range []struct {
		change func(*Trainer)
		parts  []string
	}{
		{func(tr *Trainer) { tr.Options.Schedule.LearningRate = .02 }, []string{"lr was 0.01, is 0.02 now"}},
		{func(tr *Trainer) { tr.Options.MicroTokens = 32 }, []string{"micro_tokens was 16, is 32 now"}},
		{func(tr *Trainer) { tr.Options.Steps = 60 }, []string{"steps was 30, is 60 now", "schedule depends", "begin another run"}},
		{func(tr *Trainer) { tr.Settings = append(Settings(tr.Options), Setting{"data.tokens", "7"}) }, []string{"data.tokens is 7 now"}},
	} {
		tr := trainer(t, 1, folder, false)
		c.change(tr)
		err := tr.Run(context.Background())
		for _, p := range c.parts {
			if err == nil || !strings.Contains(err.Error(), p) {
				t.Errorf("the error is %v, expected %q in it", err, p)
			}
		}
	}
}

// TestStepsMayBeAddedWhereTheRateDoesNotKnowThem: the longer run's bytes are those of one that was long from the start.
func TestStepsMayBeAddedWhereTheRateDoesNotKnowThem(t *testing.T) {
	constant := func(steps int) func(*Trainer) {
		return func(tr *Trainer) {
			tr.Options.Steps, tr.Options.Schedule.Warmup, tr.Options.Schedule.FinalRate = steps, 0, 1
		}
	}
	want, _ := finish(t, "", constant(34))
	folder := filepath.Join(t.TempDir(), "state")
	finish(t, folder, constant(30))
	longer, _ := finish(t, folder, constant(34))
	if file(t, longer) != file(t, want) {
		t.Error("30 steps and 4 more are not 34")
	}
}

func TestAStopFileIsFollowed(t *testing.T) {
	want, _ := finish(t, "", nil)
	folder := filepath.Join(t.TempDir(), "state")
	stop := filepath.Join(t.TempDir(), "stop")
	write := func(s string) {
		if err := os.WriteFile(stop, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(tr *Trainer) { tr.StopFile, tr.Options.SaveEvery, tr.Options.KeepLast = stop, 0, 9 }
	for _, c := range []struct {
		content, reason string
		states          string
	}{
		{"5\n", "step 5 of 30", "[5]"}, {"3", "step 5 of 30", "[5]"}, {"", "step 5 of 30", "[5]"}, {"12", "step 12 of 30", "[5 12]"},
	} {
		write(c.content)
		tr := trainer(t, 1, folder, false)
		run(tr)
		if err := tr.Run(context.Background()); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), c.reason) {
			t.Fatalf("with %q the run ended with %v", c.content, err)
		}
		if steps, _ := state.List(folder); fmt.Sprint(steps) != c.states {
			t.Fatalf("with %q there are states %v, expected %s", c.content, steps, c.states)
		}
		if _, err := os.Stat(stop); err == nil {
			t.Errorf("with %q the stop file is still there: the same command would stop again", c.content)
		}
	}
	write("-17")
	tr, h := finish(t, folder, run)
	h.has(t, KindStop, "goes on")
	if steps, _ := state.List(folder); fmt.Sprint(steps) != "[5 12 17 30]" {
		t.Errorf("with -17 there are states %v", steps)
	}
	if file(t, tr) != file(t, want) {
		t.Error("stopped and gone on, the run ends otherwise")
	}
	write("soon")
	_, h = finish(t, filepath.Join(t.TempDir(), "state"), run)
	h.has(t, KindStop, `"soon"`, "expected a number")
}

func TestATimeLimitSavesAndStops(t *testing.T) {
	tr := trainer(t, 1, filepath.Join(t.TempDir(), "state"), false)
	tr.TimeLimit = time.Nanosecond
	if err := tr.Run(context.Background()); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "time limit of 1ns") {
		t.Errorf("the error is %v", err)
	}
}

// TestTheBestIsKept: it is saved before it is looked at, and looked at again if a kill came between.
func TestTheBestIsKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	var looks []int
	var saved bool
	score := func(tr *Trainer) {
		tr.Options.EvalEvery, tr.Options.SaveEvery, tr.Options.KeepBest, tr.Options.KeepLast = 6, 0, true, 1
		tr.OnEvaluate = func(_ context.Context, step int) (float64, error) {
			_, err := state.Verify(state.Path(folder, step))
			saved = err == nil
			looks = append(looks, step)
			return map[int]float64{6: 3, 12: 1, 18: 2, 24: 4, 30: 5}[step], nil
		}
	}
	_, h := finish(t, folder, score)
	h.has(t, KindBest, "Step:12 Score:1")
	if fmt.Sprint(looks) != "[6 12 18 24 30]" || !saved {
		t.Errorf("looked at %v, saved before: %v", looks, saved)
	}
	if steps, _ := state.List(folder); fmt.Sprint(steps) != "[12 30]" {
		t.Errorf("the states are of steps %v, expected the best and the last", steps)
	}
	looks = nil
	finish(t, folder, score)
	if looks != nil {
		t.Errorf("looked again at %v", looks)
	}
	if err := os.WriteFile(filepath.Join(folder, evaluationsFile), []byte(`{"last":24}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if finish(t, folder, score); fmt.Sprint(looks) != "[30]" {
		t.Errorf("after a kill between saving and looking, looked at %v, expected 30", looks)
	}
}

// failing is a form that cannot write the first times.
type failing struct {
	plainForm
	left *int
}

var errBroken = errors.New("坏了")

func (f failing) Save(dir string, weights *model.Parameters) error {
	if *f.left--; *f.left >= 0 {
		return errBroken
	}
	return f.plainForm.Save(dir, weights)
}

func TestAStateThatCannotBeWrittenIsToldAndLosesNothing(t *testing.T) {
	want, _ := finish(t, "", nil)
	folder := ranTo(t, 9, nil)
	blocked := func(tr *Trainer) { tr.Form = failing{plainForm{tr.Backend}, new(1)} }
	tr, h := finish(t, folder, blocked)
	h.has(t, KindSaveFailed, "Step:14", "坏了", state.Path(folder, 9))
	if file(t, tr) != file(t, want) {
		t.Error("the run ends otherwise")
	}
	folder = ranTo(t, 9, nil)
	stopping := trainer(t, 1, folder, false)
	blocked(stopping)
	stopping.Options.SaveFailure = SaveFailureStop
	if err := stopping.Run(context.Background()); !errors.Is(err, errBroken) {
		t.Errorf("with save_failure: stop the run ended with %v", err)
	}
	if _, err := state.Verify(state.Path(folder, 9)); err != nil {
		t.Errorf("the last good state: %v", err)
	}
}
