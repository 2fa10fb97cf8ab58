package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute"
	"lian/random"
	"lian/train/guard"
	"lian/train/state"
)

// poisoned is counting with some batches of garbage, from documents numbered as the batches are.
type poisoned struct{ bad map[int]bool }

func (p poisoned) Step(batch int) ([]Sequence, error) {
	clean, err := counting{}.Step(batch)
	r := random.New(uint64(batch), "garbage")
	for i := range clean {
		clean[i].Origin = Origin{Domain: 1, Document: batch*10 + i}
		if p.bad[batch] && i != 1 { // one document of the batch is sound
			for j := range clean[i].IDs {
				clean[i].IDs[j], clean[i].Targets[j] = int32(r.Int(2*j, 11)), int32(r.Int(2*j+1, 11))
			}
		}
	}
	return clean, err
}

func describeAsB(s Sequence) Description {
	return Description{Name: "乙", Source: "b.jsonl", Text: fmt.Sprint(s.IDs)}
}

func series(from, to int) map[int]bool {
	out := map[int]bool{}
	for i := from; i < to; i++ {
		out[i] = true
	}
	return out
}

func guarded(bad map[int]bool, answer string) func(*Trainer) {
	return func(tr *Trainer) {
		tr.Source, tr.Describe = poisoned{bad}, describeAsB
		tr.Options.Steps, tr.Options.SaveEvery = 90, 10
		tr.Options.Guard = guard.Options{Answer: answer, Deviations: 8, Window: 128, Limit: 64}
	}
}

// last runs to the end and returns the loss of the last ten steps.
func lastLoss(t *testing.T, folder string, change func(*Trainer)) (*Trainer, *heard, float64) {
	t.Helper()
	sum := 0.0
	tr, h := finish(t, folder, func(tr *Trainer) {
		change(tr)
		tr.OnStep = func(p Progress) {
			if p.Step > p.Steps-10 {
				sum += p.Loss / 10
			}
		}
	})
	return tr, h, sum
}

// TestGarbageIsPassedOverAndItsDocumentsNamed: also when it lasts for many batches; the run ends as one on clean data.
func TestGarbageIsPassedOverAndItsDocumentsNamed(t *testing.T) {
	_, _, clean := lastLoss(t, "", guarded(nil, guard.Off))
	for _, answer := range []string{guard.Skip, guard.Rollback} {
		folder := filepath.Join(t.TempDir(), "state")
		tr, h, loss := lastLoss(t, folder, guarded(series(60, 66), answer))
		if math.Abs(loss-clean) > 0.01*clean {
			t.Errorf("%s: the loss at the end is %.4f, without garbage %.4f", answer, loss, clean)
		}
		if fmt.Sprint(tr.at.Skipped) != "[60 61 62 63 64 65]" {
			t.Errorf("%s: passed over %v", answer, tr.at.Skipped)
		}
		h.has(t, KindRefused, "Step:61 Batch:60", "deviations from", "Document:600", "Document:602", "Document:603", "b.jsonl")
		lines, err := ReadRefused(filepath.Join(filepath.Dir(folder), BatchesFolder, "61.jsonl"))
		if err != nil || len(lines) != 24 {
			t.Fatalf("%s: %d lines, %v; expected six batches of four sequences", answer, len(lines), err)
		}
		for _, l := range lines {
			if l.Suspect != (l.Document%10 != 1) || l.Text == "" || l.Name != "乙" {
				t.Errorf("%s: %+v, expected the sound document to be the one that is not suspect", answer, l)
			}
		}
	}
	_, h, loss := lastLoss(t, "", guarded(series(60, 66), guard.Tell))
	h.has(t, KindRefused, "Answer:tell")
	if loss < clean {
		t.Errorf("told only, the loss is %.4f", loss)
	}
}

// TestARefusedBatchLeavesTheBytesOfARunWithoutIt, wherever the run is interrupted.
func TestARefusedBatchLeavesTheBytesOfARunWithoutIt(t *testing.T) {
	bad := map[int]bool{50: true, 70: true, 71: true}
	want, _, _ := lastLoss(t, "", func(tr *Trainer) {
		guarded(nil, guard.Off)(tr)
		tr.Source = without{bad}
	})
	for _, stop := range []int{0, 50, 53, 70} {
		folder := filepath.Join(t.TempDir(), "state")
		if stop > 0 {
			folder = ranTo(t, stop, guarded(bad, guard.Rollback))
		}
		if got, _, _ := lastLoss(t, folder, guarded(bad, guard.Rollback)); file(t, got) != file(t, want) {
			t.Errorf("stopped at %d, the bytes are others", stop)
		}
	}
}

// without is poisoned without the bad batches.
type without struct{ bad map[int]bool }

func (w without) Step(batch int) ([]Sequence, error) {
	p := position{Step: batch}
	for b := range w.bad {
		p.pass([]int{b})
	}
	return poisoned{}.Step(p.batch())
}

// TestStepsInDoubtAreTakenBack: the run returns to a state before them and leaves their batches out.
func TestStepsInDoubtAreTakenBack(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	tr, h := finish(t, folder, func(tr *Trainer) {
		guarded(series(60, 61), guard.Rollback)(tr)
		tr.OnStep = func(p Progress) {
			if p.Step == 60 && p.Batch == 59 { // as if the two batches before had been half garbage
				s := tr.at.Guard.Scores
				s[len(s)-1], s[len(s)-2] = 5, 6
			}
		}
	})
	h.has(t, KindRefused, "Batch:60", "Skipped:[58 59 60] To:50")
	if fmt.Sprint(tr.at.Skipped) != "[58 59 60]" || tr.at.Guard.Returns != 1 {
		t.Errorf("passed over %v, went back %d times", tr.at.Skipped, tr.at.Guard.Returns)
	}
}

func TestAGuardThatRefusesEverythingStops(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	tr := trainer(t, 1, folder, false)
	guarded(series(60, 1000), guard.Rollback)(tr)
	tr.Options.Guard.Limit = 5
	err := tr.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "5 batches in a row") || !strings.Contains(err.Error(), "limit: 5") || !strings.Contains(err.Error(), BatchesFolder) {
		t.Errorf("the error is %v", err)
	}
}

// spoilt makes a number of the model not finite before a step.
type spoilt struct {
	at     int
	tensor *compute.Tensor
	value  float32
}

func (s *spoilt) Before(View) error { return nil }

func (s *spoilt) After(v View, p *Progress) error {
	if p.Step == s.at {
		s.at = -1
		v.Stream.Write(s.tensor, compute.HostBytes(append([]float32{s.value}, make([]float32, s.tensor.Elements()-1)...)))
	}
	return nil
}

func TestWhatIsNotFiniteIsTracedToItsTensor(t *testing.T) {
	nan, huge := float32(math.NaN()), float32(3e38)
	for _, c := range []struct {
		parameter string
		value     float32
		where     string
	}{
		{"layers.1.attention.k", nan, "weight layers.1.attention.k holds NaN at row 0, column 0 of [16 32]"},
		{"layers.0.feed_forward.up", huge, "layers.0.feed_forward"}, // finite itself, its product is not
	} {
		for _, answer := range []string{"", guard.Rollback} {
			folder := filepath.Join(t.TempDir(), "state")
			tr := trainer(t, 2, folder, false)
			guarded(nil, answer)(tr)
			tr.Options.Steps, tr.Options.Optimizer.Decay = 30, 0
			tr.Observers = []Observer{&spoilt{17, tr.Model.Parameters().Get(c.parameter), c.value}}
			h := &heard{}
			tr.Events = h
			err := tr.Run(context.Background())
			if answer == "" {
				if err == nil || !strings.Contains(err.Error(), "step 18") || !strings.Contains(err.Error(), c.where) {
					t.Errorf("%s: the error is %v, expected step 18 and %q", c.parameter, err, c.where)
				}
				continue
			}
			h.has(t, KindRefused, "Step:18", c.where)
			if math.IsNaN(float64(c.value)) {
				h.has(t, KindRefused, "Step:18", "To:10")
				if err != nil {
					t.Errorf("%s: gone back, the run ended with %v", c.parameter, err)
				}
			} else if err == nil {
				t.Errorf("%s: a weight that spoils every batch did not end the run", c.parameter)
			}
		}
	}
}

func TestABatchWithoutLabelsIsNamed(t *testing.T) {
	tr := trainer(t, 1, "", false)
	tr.Source = masked{}
	if err := tr.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "batch 0: no token to learn") || !strings.Contains(err.Error(), "document 7") {
		t.Errorf("the error is %v", err)
	}
}

type masked struct{}

func (masked) Step(int) ([]Sequence, error) {
	return []Sequence{{IDs: []int32{1, 2}, Targets: []int32{-1, -1}, Origin: Origin{Document: 7}}}, nil
}

func TestADamagedBatchFileIsToldByLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.jsonl")
	if err := os.WriteFile(path, []byte("{}\n{\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRefused(path); err == nil || !strings.Contains(err.Error(), "1.jsonl:2") {
		t.Errorf("the error is %v", err)
	}
	if _, err := ReadRefused(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
	_ = state.DoneFile
}
