package train

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"lian/train/state"
)

// limitFiles lets no file of this process grow beyond so many bytes until undo: what was asked to be written is written up to there, as on a disk that runs full.
func limitFiles(t *testing.T, bytes uint64) (undo func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}
}

// full runs with a disk that has no room while the state of step 14 is written.
func full(t *testing.T, failure string) func(*Trainer) {
	undo := func() {}
	t.Cleanup(func() { undo() })
	return func(tr *Trainer) {
		tr.Options.SaveInline, tr.Options.SaveFailure = true, failure
		tr.OnStep = func(p Progress) {
			switch p.Step {
			case 14:
				undo = limitFiles(t, 2000)
			case 15:
				undo()
			}
		}
	}
}

// TestADiskThatRunsFullWithinAStateLosesNothing: the error says where, what is needed and what is free; the state before is whole, nothing half written has a
// name, and the run goes on to the same bytes, by itself or started again.
func TestADiskThatRunsFullWithinAStateLosesNothing(t *testing.T) {
	if os.Getenv("LIAN_TEST_FULL") == "" { // in a process of its own, because the limit is for all files of one
		c := exec.Command(os.Args[0], "-test.run=^TestADiskThatRunsFullWithinAStateLosesNothing$")
		c.Env = append(os.Environ(), "LIAN_TEST_FULL=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	want, _ := finish(t, "", nil)
	told := t.TempDir() + "/状态"
	got, h := finish(t, told, full(t, "tell"))
	h.has(t, KindSaveFailed, "Step:14", "Needed:", "Last:"+state.Path(told, 7))
	if file(t, got) != file(t, want) {
		t.Error("told only, the run ends in other bytes")
	}

	folder := t.TempDir() + "/状态"
	tr := trainer(t, 1, folder, false)
	change := full(t, SaveFailureStop)
	change(tr)
	err := tr.Run(context.Background())
	limited := &state.NoSpace{}
	if !errors.As(err, &limited) || limited.Path != state.Path(folder, 14) || limited.Needed < 2000 || limited.Free <= 0 || !strings.Contains(err.Error(), "are free; make room") {
		t.Fatalf("the error is %v", err)
	}
	limit := syscall.Rlimit{}
	if e := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); e != nil || limit.Cur != 2000 {
		t.Fatalf("the limit was lifted before the end: %v, %v", limit, e)
	}
	tr.OnStep(Progress{Step: 15}) // there is room again
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if e.IsDir() && state.Path(folder, 7) != folder+"/"+e.Name() && state.Path(folder, 0) != folder+"/"+e.Name() {
			t.Errorf("left behind: %s", e.Name())
		}
	}
	if path, passed, e := state.Newest(folder, 1000); e != nil || path != state.Path(folder, 7) || passed != nil {
		t.Errorf("the newest whole state is %s, passed over %v, %v", path, passed, e)
	}
	if again, _ := finish(t, folder, nil); file(t, again) != file(t, want) {
		t.Error("started again, the run ends in other bytes")
	}
}
