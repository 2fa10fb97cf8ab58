package train

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slow is counting with a batch that comes late.
type slow struct {
	at   int
	told chan struct{}
}

func (s slow) Step(batch int) ([]Sequence, error) {
	if batch == s.at {
		select {
		case <-s.told:
		case <-time.After(20 * time.Second):
		}
	}
	return counting{}.Step(batch)
}

func TestAStepThatDoesNotEndIsToldWithWhatEveryoneDoes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	tr := trainer(t, 1, folder, false)
	told := make(chan struct{})
	var got HangEvent
	tr.Source, tr.Options.HangAfter, tr.hangLeast = slow{20, told}, 3, 200*time.Millisecond
	tr.Events = sinkFunc(func(kind string, payload any) {
		if e, ok := payload.(HangEvent); ok && e.Step == 21 {
			got = e
			close(told)
		}
	})
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	stacks, err := os.ReadFile(got.File)
	if err != nil || got.Step != 21 || !strings.Contains(string(stacks), "slow.Step") {
		t.Errorf("told %+v, %v, and of %d bytes of stacks none is in slow.Step", got, err, len(stacks))
	}
}

type sinkFunc func(kind string, payload any)

func (f sinkFunc) Emit(kind string, payload any) { f(kind, payload) }
