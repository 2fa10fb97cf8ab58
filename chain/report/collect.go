package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"lian/chain"
	"lian/store"
)

// The files that Write makes in the run's folder.
const (
	HTMLFile = "report.html"
	JSONFile = "report.json"
)

// Collect merges the parts that the steps of a run have written so far. A part that
// is being made anew is not shown.
func Collect(status chain.Status, lang string) (*Card, error) {
	card := &Card{Lang: lang}
	for _, s := range status.Steps {
		if s.State == chain.Waiting {
			continue
		}
		path := filepath.Join(s.Dir, chain.CardFile)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, card); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if lang != "" {
		card.Lang = lang
	}
	card.Run = runOf(status, card.Run.Next)
	return card, nil
}

func runOf(status chain.Status, next []Command) Run {
	run := Run{
		Name: status.Name, Dir: status.Dir, Command: status.Command, Started: status.Started,
		Updated: time.Now().UTC().Truncate(time.Second), Finished: status.Finished, Error: status.Error, Dials: status.Dials, Next: next,
	}
	for _, s := range status.Steps {
		stage := Stage{
			Name: s.Name, Kind: s.Uses, State: string(s.State), Seconds: s.Wall, CPU: s.CPU, PeakMemory: s.PeakMemory,
			Bytes: s.Bytes, Attempts: s.Attempts, Reason: s.Reason,
		}
		if s.State == chain.Running {
			stage.Seconds = time.Since(s.Started).Seconds()
		}
		run.Stages = append(run.Stages, stage)
	}
	return run
}

// Write renders the card into a folder.
func Write(dir string, card *Card) error {
	page, err := Render(card)
	if err != nil {
		return err
	}
	if err := store.WriteJSON(filepath.Join(dir, JSONFile), card); err != nil {
		return err
	}
	return store.WriteFile(filepath.Join(dir, HTMLFile), page)
}

// Seconds is the time of all stages together.
func (r Run) Seconds() float64 {
	sum := 0.0
	for _, s := range r.Stages {
		sum += s.Seconds
	}
	return sum
}

// PeakMemory is the largest of any stage.
func (r Run) PeakMemory() int64 {
	peak := int64(0)
	for _, s := range r.Stages {
		peak = max(peak, s.PeakMemory)
	}
	return peak
}

// Current is the stage that runs, nil when none does.
func (r Run) Current() *Stage {
	for i, s := range r.Stages {
		if s.State == string(chain.Running) {
			return &r.Stages[i]
		}
	}
	return nil
}

// Share is how many stages are done, 0 to 1.
func (r Run) Share() float64 {
	done := 0
	for _, s := range r.Stages {
		if s.State == string(chain.Done) || s.State == string(chain.Cached) {
			done++
		}
	}
	return float64(done) / float64(max(1, len(r.Stages)))
}
