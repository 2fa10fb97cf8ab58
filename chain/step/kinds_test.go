package step

import (
	"os"
	"path/filepath"
	"testing"

	"lian/chain"
	"lian/config"
)

func TestTheRecipesInTheRepositoryAreSound(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "recipes", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("recipes: %v, %v", files, err)
	}
	for _, file := range files {
		r, err := chain.Load(file)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if err := r.Check(Kinds()); err != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestEveryKindHasItsWords(t *testing.T) {
	for name, k := range Kinds() {
		if k.About == "" || k.Version == "" {
			t.Errorf("kind %s lacks a sentence or a version", name)
		}
		if err := config.Defaults(k.New()); err != nil {
			t.Errorf("kind %s: %v", name, err)
		}
	}
}

func TestPlanIsArithmetic(t *testing.T) {
	for _, c := range []struct {
		why     string
		options PlanOptions
		check   func(p Plan) bool
	}{
		{"ten minutes on ten megabytes", PlanOptions{Minutes: 10, TrainBytes: 10_000_000, Reference: 150}, func(p Plan) bool { return p.VocabSize == 4096 && p.Hidden >= 128 && p.Steps > 300 }},
		{"a hundred times as fast a machine takes a larger model", PlanOptions{Minutes: 10, TrainBytes: 1_000_000_000, Reference: 15000}, func(p Plan) bool { return p.Hidden >= 384 }},
		{"thirty notes are read a few times only", PlanOptions{Minutes: 10, TrainBytes: 30_000, Language: "zh", Reference: 150, MaxEpochs: 8}, func(p Plan) bool { return p.VocabSize == 512 && p.Epochs <= 8 && p.Steps >= 20 }},
		{"two minutes", PlanOptions{Minutes: 2, TrainBytes: 10_000_000, Reference: 150}, func(p Plan) bool { return p.Steps*p.StepTokens < 3_000_000 && p.Questions == 30 }},
	} {
		if err := config.Defaults(&c.options); err != nil {
			t.Fatal(err)
		}
		p := Plan{VocabSize: vocabularyFor(c.options.TrainBytes), Context: 512, TrainGFLOPS: c.options.Reference}
		p.amounts(c.options, p.budget(c.options).size(p.TrainGFLOPS))
		again := Plan{VocabSize: p.VocabSize, Context: 512, TrainGFLOPS: c.options.Reference}
		again.amounts(c.options, again.budget(c.options).size(again.TrainGFLOPS))
		if p != again || !c.check(p) {
			t.Errorf("%s: %+v", c.why, p)
		}
		for _, x := range []int{p.Steps, p.StepTokens, p.SaveEvery, p.TuneSteps, p.TuneExamples, p.Questions, p.HeldOutTokens} {
			if x < 1 {
				t.Errorf("%s: %+v", c.why, p)
			}
		}
		if p.Hidden%p.Heads != 0 || p.Heads%p.KVHeads != 0 {
			t.Errorf("%s: heads do not divide: %+v", c.why, p)
		}
	}
}

func TestMachineIsDescribed(t *testing.T) {
	e := environment(7)
	if e.Cores < 1 || e.System == "" || e.Kernels == "" || e.Seed != 7 {
		t.Errorf("%+v", e)
	}
	if _, err := os.Stat("/proc/cpuinfo"); err == nil && e.Memory == 0 {
		t.Error("the memory is not known")
	}
}
