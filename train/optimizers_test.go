package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"lian/format/safetensors"
	"lian/train/optim"
	"lian/train/state"
)

// changed is trainer with other optimizer settings.
func changed(t *testing.T, workers int, folder string, change func(o *Options)) *Trainer {
	t.Helper()
	tr := trainer(t, workers, folder, false)
	tr.Options.Optimizer.Momentum, tr.Options.Optimizer.Nesterov, tr.Options.Optimizer.StepClip, tr.Options.Optimizer.Relative = .9, true, 1, true
	tr.Options.Optimizer.Beta3, tr.Options.Optimizer.SlowWeight = .99, 2
	change(&tr.Options)
	return tr
}

// TestEveryRuleGoesOnFromItsState: stopped, looked at and with other numbers of workers, a run ends in the same bytes.
func TestEveryRuleGoesOnFromItsState(t *testing.T) {
	half := .5
	for name, change := range map[string]func(o *Options){
		"adamw8":            func(o *Options) { o.Optimizer.Rule = "adamw8" },
		"lion8":             func(o *Options) { o.Optimizer.Rule = "lion8" },
		"adafactor":         func(o *Options) { o.Optimizer.Rule = "adafactor" },
		"adafactor_fairseq": func(o *Options) { o.Optimizer.Rule, o.Optimizer.FirstMean = "adafactor_fairseq", true },
		"muon":              func(o *Options) { o.Optimizer.Rule = "muon" },
		"sgd":               func(o *Options) { o.Optimizer.Rule, o.Schedule.LearningRate = "sgd", .1 },
		"schedule_free":     func(o *Options) { o.Optimizer.Rule, o.Schedule.Shape = "schedule_free", "constant" },
		"schedule_free_sgd": func(o *Options) {
			o.Optimizer.Rule, o.Schedule.Shape, o.Schedule.LearningRate = "schedule_free_sgd", "constant", 1
		},
		"nadam":    func(o *Options) { o.Optimizer.Rule = "nadam" },
		"radam":    func(o *Options) { o.Optimizer.Rule = "radam" },
		"ademamix": func(o *Options) { o.Optimizer.Rule = "ademamix" },
		"average":  func(o *Options) { o.Optimizer.Average, o.SaveInline = .9, true },
		"groups": func(o *Options) {
			o.Optimizer.ClipBy, o.Optimizer.LayerDecay, o.Optimizer.Beta2Power = "kind", .8, .8
			o.Optimizer.Groups = []optim.Group{{Pattern: "*.attention.*", Rule: "lion", Rate: &half}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			whole := changed(t, 1, "", change)
			var first, last float64
			whole.OnStep = func(p Progress) {
				if p.Step == 1 {
					first = p.Loss
				}
				last = p.Loss
			}
			if err := whole.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if !(last < first) {
				t.Errorf("the loss went from %v to %v; expected it to fall", first, last)
			}
			folder := t.TempDir()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			part := changed(t, 3, folder, change)
			part.Options.EvalEvery = 4
			part.OnEvaluate = func(context.Context, int) (float64, error) { return math.NaN(), nil }
			part.OnStep = func(p Progress) {
				if p.Step == 11 {
					cancel()
				}
			}
			if err := part.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			rest := changed(t, 2, folder, change)
			rest.Options.EvalEvery = 4
			if err := rest.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if file(t, rest) != file(t, whole) {
				t.Error("stopped and gone on with, the model differs")
			}
		})
	}
}

// TestStatesHaveTheWeightsToUse: what is evaluated, what a state has and what is left at the end are the average.
func TestStatesHaveTheWeightsToUse(t *testing.T) {
	folder := t.TempDir()
	tr := changed(t, 2, folder, func(o *Options) {
		o.Optimizer.Average, o.EvalEvery, o.SaveEvery, o.Steps, o.KeepLast = .9, 5, 5, 10, 10
	})
	looked := map[int]string{}
	tr.OnEvaluate = func(_ context.Context, step int) (float64, error) {
		looked[step] = norms(t, tr)
		return math.NaN(), nil
	}
	trained := map[int]string{}
	tr.OnStep = func(p Progress) { trained[p.Step] = norms(t, tr) }
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{5, 10} {
		f, err := safetensors.Open(filepath.Join(state.Path(folder, step), plainFile))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		data, err := f.Data("norm")
		if err != nil {
			t.Fatal(err)
		}
		if string(data) != looked[step] || string(data) == trained[step] {
			t.Errorf("the state of step %d has other weights than were evaluated, or those that are trained", step)
		}
	}
	if norms(t, tr) != looked[10] {
		t.Error("the weights left at the end are not those evaluated last")
	}
}

// norms is one of the weights.
func norms(t *testing.T, tr *Trainer) string {
	t.Helper()
	x := tr.Weights.Get("norm")
	data := make([]byte, x.Bytes())
	if err := tr.Backend.NewStream().Read(x, data); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestFrozenWeightsStayAndTakeNoGradient: the others move as ever.
func TestFrozenWeightsStayAndTakeNoGradient(t *testing.T) {
	yes, no := true, false
	tr := changed(t, 2, "", func(o *Options) {
		o.Optimizer.Groups = []optim.Group{{Pattern: "layers.0.*", Frozen: &yes}, {Pattern: "layers.*_norm", Frozen: &no}, {Pattern: "embedding", Frozen: &yes}}
	})
	before := map[string]string{}
	read := func(name string) string {
		x := tr.Weights.Get(name)
		data := make([]byte, x.Bytes())
		if err := tr.Backend.NewStream().Read(x, data); err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, w := range tr.Weights.All() {
		before[w.Name] = read(w.Name)
	}
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, w := range tr.Weights.All() {
		frozen := w.Name == "embedding" || strings.HasPrefix(w.Name, "layers.0.") && !strings.HasSuffix(w.Name, "_norm")
		if stayed := before[w.Name] == read(w.Name); stayed != frozen {
			t.Errorf("%s: stayed as it was: %v, frozen: %v", w.Name, stayed, frozen)
		}
		if has := tr.gradients.Of(w.Tensor) != nil; has == frozen {
			t.Errorf("%s: has a gradient: %v, frozen: %v", w.Name, has, frozen)
		}
	}
}

// TestAccumulationIsTheWholeBatch: any cut into micro-batches gives the same steps within rounding.
func TestAccumulationIsTheWholeBatch(t *testing.T) {
	losses := func(micro int) (out []float64) {
		tr := changed(t, 2, "", func(o *Options) { o.MicroTokens, o.Optimizer.Rule, o.Schedule.LearningRate = micro, "sgd", .05 })
		tr.OnStep = func(p Progress) { out = append(out, p.Loss) }
		if err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return out
	}
	whole := losses(1000)
	for _, micro := range []int{1, 8, 13} {
		for i, l := range losses(micro) {
			if math.Abs(l-whole[i]) > 1e-5 {
				t.Fatalf("micro-batches of %d: step %d has loss %v, in one piece %v", micro, i, l, whole[i])
			}
		}
	}
}

// TestZLossActsAndIsNotTold: the loss of the first step is the same with it, its gradient is not, and in the end the logits are smaller.
func TestZLossActsAndIsNotTold(t *testing.T) {
	run := func(z float64) (first, last Progress, sum float64) {
		tr := changed(t, 2, "", func(o *Options) { o.ZLoss = z })
		tr.OnStep = func(p Progress) {
			if p.Step == 1 {
				first = p
			}
			last = p
		}
		if err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, l := range logits(t, tr, nil) {
			sum += math.Exp(float64(l))
		}
		return first, last, math.Abs(math.Log(sum))
	}
	first, last, size := run(0)
	zFirst, zLast, zSize := run(0.01)
	if math.Abs(first.Loss-zFirst.Loss) > 1e-6 || first.GradientNorm == zFirst.GradientNorm {
		t.Errorf("first step: loss %v and norm %v, with z-loss %v and %v; expected the same loss and another norm", first.Loss, first.GradientNorm, zFirst.Loss, zFirst.GradientNorm)
	}
	if zLast.Loss > last.Loss+0.3 || zSize >= size {
		t.Errorf("at the end: loss %v and logsumexp %v, with z-loss %v and %v; expected about that loss and a smaller logsumexp", last.Loss, size, zLast.Loss, zSize)
	}
}
