// Package tensorboard writes a training as event files that TensorBoard shows: as it happens, or from a run's folder afterwards.
//
// Figures are called as InternEvo calls them where it has them (source: InternEvo, internlm/train/pipeline.py,
// record_current_batch_training_metrics), so that curves of both lie in one plot; the others have the names of package figure. What the
// model says to the fixed prompts is shown as text. It guarantees that a run that went on from a checkpoint is one curve. It computes nothing.
package tensorboard

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lian/format/tfevents"
	"lian/train/figure"
	"lian/train/history"
)

// internEvo are InternEvo's names of our figures.
var internEvo = map[string][]string{
	"gradient_norm":            {"grad_norm"},
	"tokens_per_second":        {"tgs", "tgs/last_tgs_1"},
	"tokens_per_second_mean":   {"tgs/tgs_all"},
	"tokens_per_second_moving": {"tgs/tgs_SMA"},
	"tokens":                   {"num_consumed_tokens"},
	"skipped":                  {"inf_nan_skip_batches"},
	"flops":                    {"tflops"},
}

// names are the tags of a figure, and what its value is divided by.
func names(figure string) ([]string, float64) {
	if domain, ok := strings.CutPrefix(figure, "labels/"); ok {
		return []string{"tokens/" + domain}, 1
	}
	tags, ok := internEvo[figure]
	switch {
	case !ok:
		return []string{figure}, 1
	case figure == "flops":
		return tags, 1e12
	}
	return tags, 1
}

// Sink is an event.Sink that writes what it understands into a folder.
type Sink struct {
	mu   sync.Mutex
	dir  string
	now  func() time.Time
	file *tfevents.Writer
	err  error
}

// New makes a sink that begins a file in a folder with the first event.
func New(dir string) *Sink { return &Sink{dir: dir, now: time.Now} }

// Emit writes an event of training. The first error is kept for Close: training does not stop for it.
func (s *Sink) Emit(_ string, payload any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(s.now(), payload)
}

// Close ends the file and returns the first error.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.keep(s.file.Close())
		s.file = nil
	}
	return s.err
}

func (s *Sink) keep(err error) {
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("TensorBoard files in %s: %w", s.dir, err)
	}
}

func (s *Sink) write(at time.Time, payload any) {
	switch p := payload.(type) {
	case figure.Step:
		s.points(at, p.Step, append(p.Points(), figure.Point{Name: "step", Value: float64(p.Step)}))
	case figure.HeldOut:
		s.points(at, p.Step, p.Points())
	case figure.Tasks:
		s.points(at, p.Step, p.Points())
	case figure.Prompts:
		e := tfevents.Event{Time: at, Step: int64(p.Step)}
		for i, prompt := range p.Prompts {
			if i < len(p.Answers) {
				e.Texts = append(e.Texts, tfevents.Text{Tag: fmt.Sprintf("prompts/%d", i), Value: "**" + prompt + "**" + p.Answers[i]})
			}
		}
		s.event(e)
	}
}

func (s *Sink) points(at time.Time, step int, points []figure.Point) {
	e := tfevents.Event{Time: at, Step: int64(step)}
	for _, p := range points {
		tags, divisor := names(p.Name)
		for _, tag := range tags {
			e.Scalars = append(e.Scalars, tfevents.Scalar{Tag: tag, Value: float32(p.Value / divisor)})
		}
	}
	s.event(e)
}

// event writes to the file; the first one begins it by saying that what earlier files have from this step on is overtaken.
func (s *Sink) event(e tfevents.Event) {
	if s.file == nil {
		if s.err != nil {
			return
		}
		var err error
		if s.file, err = tfevents.Create(s.dir, e.Time, "lian"); err != nil {
			s.keep(err)
			return
		}
		s.keep(s.file.Write(tfevents.Event{Time: e.Time, Step: e.Step, Start: true}))
	}
	s.keep(s.file.Write(e))
}

// Export writes a run that has been into dir, a folder for each stage that has a name, and returns how many steps it wrote.
func Export(r *history.Run, dir string) (steps int, err error) {
	for _, stage := range r.Stages {
		to := New(filepath.Join(dir, stage.Name))
		times := map[int]time.Time{}
		for i, x := range stage.Steps {
			times[x.Step] = stage.At(i)
			to.write(stage.At(i), x)
		}
		steps += len(stage.Steps)
		for _, x := range stage.HeldOut {
			to.write(or(times[x.Step], stage.Latest), x)
		}
		for _, x := range stage.Prompts {
			to.write(or(times[x.Step], stage.Latest), x)
		}
		for _, x := range stage.Tasks {
			to.write(or(times[x.Step], stage.Latest), x)
		}
		if err := to.Close(); err != nil {
			return steps, err
		}
	}
	return steps, nil
}

func or(t, otherwise time.Time) time.Time {
	if t.IsZero() {
		return otherwise
	}
	return t
}
