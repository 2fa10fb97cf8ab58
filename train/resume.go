package train

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lian/train/state"
)

// resume goes on from the newest whole state, if there is one.
func (t *Trainer) resume() error {
	t.savedStep = -1
	if t.Folder == "" {
		return nil
	}
	if err := state.Sweep(t.Folder); err != nil {
		return err
	}
	path, passed, err := state.Newest(t.Folder, math.MaxInt)
	if err != nil {
		return err
	}
	if err := state.SetAside(passed); err != nil {
		return err
	}
	if path == "" {
		if len(passed) > 0 {
			t.tell(KindResumed, ResumedEvent{Passed: passed})
		}
		return nil
	}
	s, err := t.read(path)
	if err != nil {
		return err
	}
	t.savedStep = t.at.Step
	if err := t.readEvaluations(); err != nil {
		return err
	}
	e := ResumedEvent{Step: s.Step, Path: path, Passed: passed}
	if s.Kernels != t.Kernels {
		e.Told = append(e.Told, fmt.Sprintf("the state was made with kernels %s, these are %s: the run goes on, but not with the bytes it would have had", s.Kernels, t.Kernels))
	}
	t.tell(KindResumed, e)
	return nil
}

// accept refuses a state that was made with other settings than the run has. The number of steps may change if the learning rates of the
// steps done are the same for either.
func (t *Trainer) accept(path string, s *saved) error {
	now := slices.Clone(t.settings())
	isSteps := func(x Setting) bool { return x.Name == stepsSetting || strings.HasSuffix(x.Name, "."+stepsSetting) }
	if i, j := slices.IndexFunc(s.Settings, isSteps), slices.IndexFunc(now, isSteps); !t.rateGiven && i >= 0 && j >= 0 && s.Settings[i].Value != now[j].Value {
		before, err := strconv.Atoi(s.Settings[i].Value)
		if err != nil {
			return fmt.Errorf("%s: %s is %q, expected a number", path, s.Settings[i].Name, s.Settings[i].Value)
		}
		old := t.Options
		old.Steps = before
		for n := range s.Step {
			if a, b := old.Rate(n), t.Options.Rate(n); a != b {
				return fmt.Errorf("%s: %s was %d, is %s now, and the schedule depends on it: step %d had learning rate %.4g and would have had %.4g; give %s %d again, or begin another run from this state as a model (it opens as one)",
					path, now[j].Name, before, now[j].Value, n, a, b, now[j].Name, before)
			}
		}
		if t.Options.Steps < s.Step {
			return fmt.Errorf("%s: %s is %d now, the state has done %d", path, now[j].Name, t.Options.Steps, s.Step)
		}
		now[j].Value = s.Settings[i].Value
	}
	if d := differences(s.Settings, now); len(d) > 0 {
		return fmt.Errorf("%s: made with other settings: %s; set them as they were, or train into another folder", path, strings.Join(d, "; "))
	}
	return nil
}
