package train

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"lian/store/atomicfile"
)

// evaluations is what is known of the looks at held-out text: a file beside the states, because a state is saved before it is looked at.
type evaluations struct {
	Last int   `json:"last"` // step of the last look
	Best *best `json:"best,omitempty"`
}

type best struct {
	Step  int     `json:"step"`
	Score float64 `json:"score"` // the smaller the better
}

const evaluationsFile = "evaluations.json"

// KindBest is told when a look at held-out text was the best so far; the payload has step and score.
const KindBest = "train.best"

// evaluate looks at held-out text if that is due, once for each step. What is to be kept if it is the best is on the disk before.
func (t *Trainer) evaluate(ctx context.Context) error {
	step, every := t.at.Step, t.Options.EvalEvery
	if t.OnEvaluate == nil || step == 0 || step != t.Options.Steps && (every == 0 || step%every != 0) || t.looked.Last >= step {
		return nil
	}
	if t.Options.KeepBest || step == t.Options.Steps {
		if err := t.saveLast(); err != nil && (t.Options.SaveFailure == SaveFailureStop || step == t.Options.Steps) {
			return err
		}
	}
	var score float64
	err := t.published(func() (err error) { score, err = t.OnEvaluate(ctx, step); return err })
	if err != nil {
		return err
	}
	t.looked.Last = step
	if !math.IsNaN(score) && (t.looked.Best == nil || score < t.looked.Best.Score) {
		t.looked.Best = &best{step, score}
		t.tell(KindBest, *t.looked.Best)
	}
	if t.Folder == "" {
		return nil
	}
	text, err := json.Marshal(t.looked)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.Folder, 0o777); err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(t.Folder, evaluationsFile), append(text, '\n'))
}

// readEvaluations knows what was looked at before; looks after the state that the run goes on from are made again.
func (t *Trainer) readEvaluations() error {
	t.looked = evaluations{}
	text, err := os.ReadFile(filepath.Join(t.Folder, evaluationsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if json.Unmarshal(text, &t.looked) != nil { // it decides over nothing but what is kept
		t.looked = evaluations{}
	}
	t.looked.Last = min(t.looked.Last, t.at.Step)
	if b := t.looked.Best; b != nil && b.Step > t.at.Step {
		t.looked.Best = nil
	}
	return nil
}

// keptBest is the step of the best look, if it is to be kept.
func (t *Trainer) keptBest() []int {
	if t.Options.KeepBest && t.looked.Best != nil {
		return []int{t.looked.Best.Step}
	}
	return nil
}

// saveDue says whether a state is to be saved after this step, which is not the last.
func (t *Trainer) saveDue() bool {
	o, done := t.Options, t.at.Step
	if done == o.Steps {
		return false
	}
	return o.SaveEvery > 0 && done%o.SaveEvery == 0 || o.SaveMinutes > 0 && time.Since(t.savedAt).Minutes() >= o.SaveMinutes
}
