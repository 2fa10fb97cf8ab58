package tensorboard

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lian/format/tfevents"
	"lian/train/figure"
)

func TestAStepHasInternEvosNames(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the run is interrupted and goes on
		s := New(dir)
		s.Emit(figure.KindStep, figure.Step{Step: 5, Loss: 2, GradientNorm: 0.5, Rate: 100, FLOPS: 2e12, Tokens: 4096,
			Domains: []figure.Domain{{Name: "zh", Loss: 3, Labels: 7}}, Detail: &figure.Detail{GradientNorms: map[string]float64{"head": 0.25}}})
		s.Emit(figure.KindPrompts, figure.Prompts{Step: 5, Prompts: []string{"床前"}, Answers: []string{"明月光"}})
		s.Emit("run.begun", nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	f, err := os.Open(files[1])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := tfevents.Read(f)
	if err != nil || len(events) != 4 || !events[1].Start || events[1].Step != 5 {
		t.Fatalf("%+v, %v", events, err)
	}
	for _, want := range []tfevents.Scalar{{Tag: "loss", Value: 2}, {Tag: "grad_norm", Value: 0.5}, {Tag: "tgs", Value: 100}, {Tag: "tgs/last_tgs_1", Value: 100}, {Tag: "tflops", Value: 2},
		{Tag: "num_consumed_tokens", Value: 4096}, {Tag: "loss/zh", Value: 3}, {Tag: "tokens/zh", Value: 7}, {Tag: "gradient_norms/head", Value: 0.25}, {Tag: "step", Value: 5}} {
		if !slices.Contains(events[2].Scalars, want) {
			t.Errorf("no %v in %v", want, events[2].Scalars)
		}
	}
	if len(events[3].Texts) != 1 || events[3].Texts[0].Value != "**床前**明月光" {
		t.Errorf("%+v", events[3])
	}
}
