package train

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/compute/ref"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model/checkpoint"
	"lian/model/nn"
	"lian/train/optim"
	"lian/train/schedule"
	"lian/verify/shared"
)

// golden is twenty steps of a tiny model as PyTorch took them.
type golden struct {
	Model string
	Noise float64            `json:"max_loss_noise_float32_vs_float64"`
	Nudge float64            `json:"max_loss_noise_nudge_1e-7"`
	Final map[string]float64 `json:"final_weight_noise"`
	Steps []struct {
		Loss   float64
		Loss64 float64 `json:"loss_float64"`
		Norm   float64 `json:"grad_norm"`
	}
}

// batches are the golden micro-batches, two to a step; means weighs each micro-batch alike instead of each label.
type batches struct {
	ids, labels []int32
	means       bool
}

func (b batches) Step(s int) ([]Sequence, error) {
	const rows, length = 2, 24
	var out []Sequence
	for micro := 2 * s; micro < 2*s+2; micro++ {
		labels, first := 0, len(out)
		for r := range rows {
			at := (micro*rows + r) * length
			q := Sequence{IDs: b.ids[at : at+length], Targets: make([]int32, length)}
			for i := range length - 1 {
				q.Targets[i] = max(-1, b.labels[at+i+1])
			}
			q.Targets[length-1] = -1
			labels += q.Labels()
			out = append(out, q)
		}
		if b.means {
			for i := first; i < len(out); i++ {
				out[i].Weight = 1 / float32(labels)
			}
		}
	}
	return out, nil
}

func goldenBatches(t *testing.T) batches {
	t.Helper()
	f, err := safetensors.Open(shared.Path(t, "testdata", "golden", "train", "optim", "batches.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ints := func(name string) []int32 {
		data, err := f.Data(name)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]int32, len(data)/8)
		for i := range out {
			out[i] = int32(binary.LittleEndian.Uint64(data[8*i:]))
		}
		return out
	}
	return batches{ids: ints("input_ids"), labels: ints("labels")}
}

// trainings are the settings of the golden runs. Their decay is on all that has two axes.
func trainings() map[string]Options {
	number := func(x float64) *float64 { return &x }
	settings := func(rate float64, o optim.Options) Options {
		o.ClipNorm = 1
		if o.Decay > 0 {
			o.Groups = append([]optim.Group{{Pattern: "embedding", Decay: &o.Decay}}, o.Groups...)
		}
		return Options{Schedule: schedule.Options{LearningRate: rate, WarmupSteps: 4, ZeroStart: true}, Optimizer: o}
	}
	adam := optim.Options{Beta1: .9, Beta2: .95, Epsilon: 1e-8, Decay: .1}
	eight, muon, match := adam, adam, adam
	eight.Rule = "adamw8"
	muon.Rule, muon.MuonScale, muon.Momentum, muon.Nesterov = "muon", "original", .95, true
	muon.Groups = []optim.Group{{Pattern: "embedding", Rate: number(.5)}, {Pattern: "vector", Rate: number(.5)}}
	match.Rule, match.Momentum, match.Nesterov = "muon", .95, true
	free := settings(2e-2, optim.Options{Rule: "schedule_free", Beta1: .9, Beta2: .95, Epsilon: 1e-8, Decay: .1})
	free.Schedule.Shape, free.Schedule.ZeroStart = "constant", false
	return map[string]Options{
		"llama_tied_adamw":               settings(1e-2, adam),
		"llama_untied_adamw":             settings(1e-2, adam),
		"qwen2_bias_adamw":               settings(1e-2, adam),
		"llama_tied_adamw_mean_of_means": settings(1e-2, adam),
		"llama_tied_adamw8bit":           settings(1e-2, eight),
		"llama_tied_lion":                settings(1e-3, optim.Options{Rule: "lion", Beta1: .9, Beta2: .99, Decay: .3}),
		"llama_tied_sgd_momentum":        settings(.3, optim.Options{Rule: "sgd", Momentum: .9, Decay: 1e-2}),
		"llama_tied_sgd_nesterov":        settings(.2, optim.Options{Rule: "sgd", Momentum: .9, Nesterov: true}),
		"llama_tied_adafactor_torch":     settings(2e-2, optim.Options{Rule: "adafactor", StepClip: 1, Relative: true, Decay: .1}),
		"llama_tied_adafactor_hf":        settings(1e-2, optim.Options{Rule: "adafactor_fairseq", StepClip: 1}),
		"llama_tied_muon":                settings(2e-2, muon),
		"llama_tied_muon_match_rms":      settings(1e-2, match),
		"llama_tied_schedule_free":       free,
	}
}

// TestTwentyStepsAreTheReference trains the tiny models with every optimizer of the golden files: each step's loss within
// 1e-5 of float64 PyTorch, or ten times what float32 PyTorch is off by; the weights at the end likewise.
func TestTwentyStepsAreTheReference(t *testing.T) {
	source := goldenBatches(t)
	for name, o := range trainings() {
		backends := []compute.Backend{cpu.New(2)}
		if os.Getenv("LIAN_LONG") != "" { // a minute
			backends = append(backends, ref.New())
		}
		for _, b := range backends {
			t.Run(name+"/"+b.Name(), func(t *testing.T) {
				g, tr := goldenTraining(t, b, name, o)
				data := source
				data.means = name == "llama_tied_adamw_mean_of_means"
				tr.Source = data
				worst := 0.0
				tr.OnStep = func(p Progress) {
					want := g.Steps[p.Step-1].Loss64
					if want == 0 {
						want = g.Steps[p.Step-1].Loss
					}
					worst = max(worst, math.Abs(p.Loss-want))
				}
				if err := tr.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				allowed := max(1e-5, 10*g.Noise, 10*g.Nudge)
				if !(worst <= allowed) {
					t.Errorf("a step's loss is off by %.2g, allowed %.2g", worst, allowed)
				}
				t.Logf("largest difference of a loss: %.2g", worst)
				finalWeights(t, tr, name, g)
			})
		}
	}
}

// TestBF16StepsAreNear: products of bfloat16 pairs stay within three times what autocast is off by.
func TestBF16StepsAreNear(t *testing.T) {
	source := goldenBatches(t)
	for _, name := range []string{"llama_tied_adamw", "qwen2_bias_adamw"} {
		o := trainings()[name]
		o.DType = DTypeBF16
		g, tr := goldenTraining(t, cpu.New(2), name+"_bf16_autocast", o)
		tr.Source = source
		tr.OnStep = func(p Progress) {
			if d := math.Abs(p.Loss - g.Steps[p.Step-1].Loss64); !(d <= 3*g.Noise) {
				t.Errorf("%s: the loss of step %d is off by %.2g, allowed %.2g", name, p.Step, d, 3*g.Noise)
			}
		}
		if err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func goldenTraining(t *testing.T, b compute.Backend, name string, o Options) (golden, *Trainer) {
	t.Helper()
	root := shared.Path(t, "testdata", "golden", "train")
	raw, err := os.ReadFile(filepath.Join(root, "optim", "train_"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(filepath.Join(root, "models", g.Model), b, checkpoint.Options{Float32: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	o.Steps, o.MicroTokens = len(g.Steps), 48
	return g, &Trainer{Backend: b, Model: c.Model, Weights: c.Model.Parameters(), Options: o}
}

// finalWeights compares the published model with the golden one.
func finalWeights(t *testing.T, tr *Trainer, name string, g golden) {
	t.Helper()
	path := filepath.Join(shared.Path(t, "testdata", "golden", "train", "optim"), "train_"+name+".safetensors")
	if _, err := os.Stat(path); err != nil {
		return // a contrast without weights
	}
	want, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	dir := t.TempDir()
	family := mustFamily(t)
	if g.Model == "qwen2_bias" {
		family = familyNamed(t, "qwen2")
	}
	if err := checkpoint.SaveFolder(dir, tr.Backend.NewStream(), family, tr.Model.(*nn.Decoder), checkpoint.FolderOptions{Type: dtype.F32}); err != nil {
		t.Fatal(err)
	}
	got, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	for _, n := range want.Names() {
		a, err := want.Floats(n)
		if err != nil {
			t.Fatal(err)
		}
		b, err := got.Floats(n)
		if err != nil {
			t.Fatal(err)
		}
		worst, noise := 0.0, 0.0
		for _, x := range g.Final {
			noise = max(noise, x)
		}
		for i := range a {
			worst = max(worst, math.Abs(float64(a[i])-float64(b[i])))
		}
		if allowed := max(1e-5, 10*noise); !(worst <= allowed) {
			t.Errorf("%s ends up to %.2g off, allowed %.2g", n, worst, allowed)
		}
	}
}
