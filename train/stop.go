package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"lian/train/state"
)

// ErrStopped is wrapped by the error of a run that was asked to stop, by a file or a time limit; its state is saved.
var ErrStopped = errors.New("the same command goes on from there")

// KindStop is told when the stop file says something; the payload is a StopEvent.
const KindStop = "train.stop"

// StopEvent is what a stop file led to.
type StopEvent struct {
	Step int    `json:"step"`
	File string `json:"file"`
	What string `json:"what"`
}

// stop says why the run should stop now, if it should. The stop file holds a number N, as InternEvo's: N > 0 saves and stops at step N
// (at once where it is past), N < 0 saves at step −N and goes on. An empty file stops at once. A file that stopped the run is removed,
// so that the next command goes on.
func (t *Trainer) stop(ctx context.Context) (reason, err error) {
	if ctx.Err() != nil {
		return ctx.Err(), nil
	}
	if l := t.TimeLimit; l > 0 {
		// one more step and the time to save must fit
		if passed := time.Since(t.began); passed > 0 && passed+2*t.longest+2*t.saving.took > l {
			return fmt.Errorf("%v of the time limit of %v have passed: %w", passed.Round(time.Second), l, ErrStopped), nil
		}
	}
	if t.StopFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(t.StopFile)
	if err != nil {
		return nil, nil // there is none
	}
	content := strings.TrimSpace(string(text))
	n, err := strconv.Atoi(content)
	switch {
	case content == "" || err == nil && n > 0 && t.at.Step >= n:
		if err := os.Remove(t.StopFile); err != nil {
			return nil, err
		}
		return fmt.Errorf("%s asked for it: %w", t.StopFile, ErrStopped), nil
	case err != nil:
		if t.badStop != content {
			t.badStop = content
			t.tell(KindStop, StopEvent{t.at.Step, t.StopFile, fmt.Sprintf("holds %.40q, expected a number of steps; it is not followed", content)})
		}
	case n < 0 && t.at.Step == -n && t.savedStep != t.at.Step:
		t.tell(KindStop, StopEvent{t.at.Step, t.StopFile, "saves and goes on"})
		return nil, t.save()
	}
	return nil, nil
}

// stopped saves the state and says where; reason is why the run ends.
func (t *Trainer) stopped(ctx context.Context, reason error) error {
	if !errors.Is(reason, ErrStopped) && (ctx.Err() == nil || !errors.Is(reason, ctx.Err())) {
		return reason
	}
	if t.Folder == "" {
		return reason
	}
	if err := t.saveLast(); err != nil {
		return errors.Join(reason, err)
	}
	return fmt.Errorf("stopped after step %d of %d, saved in %s: %w", t.at.Step, t.Options.Steps, state.Path(t.Folder, t.at.Step), reason)
}
