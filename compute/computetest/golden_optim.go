package computetest

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"lian/compute"
	"lian/dtype"
	"lian/verify/shared"
)

// hyper are the settings of an optimizer, as PyTorch names them.
type hyper struct {
	LR          float64   `json:"lr"`
	Momentum    float64   `json:"momentum"`
	Dampening   float64   `json:"dampening"`
	WeightDecay float64   `json:"weight_decay"`
	Nesterov    bool      `json:"nesterov"`
	Betas       []float64 `json:"betas"`
	Epsilon     any       `json:"eps"`
	Adjust      *string   `json:"adjust_lr_fn"`
}

// stepper takes a parameter's step number `step` from 1 on.
type stepper func(b *Build, h hyper, p, g, m, v *compute.Tensor, step int)

// Optimizers takes the same steps as PyTorch's optimizers from the same gradients.
func Optimizers(t *testing.T, backend compute.Backend, open func(path string) (Vectors, error)) {
	sgd := func(b *Build, h hyper, p, g, m, _ *compute.Tensor, step int) {
		if h.Momentum == 0 {
			m = nil
		}
		b.Launch(&compute.SGD{Param: p, Grad: g, M: m, LearningRate: h.LR, Momentum: h.Momentum, Dampening: h.Dampening, Decay: h.WeightDecay, Nesterov: h.Nesterov, Step: step})
	}
	muon := func(b *Build, h hyper, p, g, m, v *compute.Tensor, step int) {
		direction := b.Zero(dtype.F32, p.Shape...)
		b.Launch(&compute.Momentum{Grad: g, M: m, Out: v, Beta: h.Momentum, Nesterov: h.Nesterov})
		b.Launch(&compute.Orthogonalize{X: v, Out: direction, Steps: 5})
		rate := h.LR * math.Sqrt(max(1, float64(p.Shape[0])/float64(p.Shape[1])))
		if h.Adjust != nil && *h.Adjust == "match_rms_adamw" {
			rate = h.LR * 0.2 * math.Sqrt(float64(max(p.Shape[0], p.Shape[1])))
		}
		b.Launch(&compute.Update{Param: p, Direction: direction, Rate: rate, Shrink: h.LR * h.WeightDecay})
	}
	for name, f := range map[string]struct {
		step      stepper
		tolerance float64
	}{
		"sgd": {sgd, 1e-6}, "sgd_dampening": {sgd, 1e-6}, "sgd_momentum_wd": {sgd, 1e-6}, "sgd_nesterov": {sgd, 1e-6},
		"adamw": {func(b *Build, h hyper, p, g, m, v *compute.Tensor, step int) {
			b.Launch(&compute.AdamW{Param: p, Grad: g, M: m, V: v, LearningRate: h.LR, Beta1: h.Betas[0], Beta2: h.Betas[1], Epsilon: h.Epsilon.(float64), Decay: h.WeightDecay, Step: step})
		}, 1e-6},
		"lion": {func(b *Build, h hyper, p, g, m, _ *compute.Tensor, _ int) {
			b.Launch(&compute.Lion{Param: p, Grad: g, M: m, LearningRate: h.LR, Beta1: h.Betas[0], Beta2: h.Betas[1], Decay: h.WeightDecay})
		}, 1e-6},
		// PyTorch's iteration is in bfloat16: six updates of size 0.02, each off by up to 3 %.
		"muon": {muon, 4e-3}, "muon_match_rms": {muon, 4e-3}, "muon_no_nesterov": {muon, 4e-3},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := open(shared.Path(t, "testdata", "golden", "train", "optim", "steps_"+name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			v := &vectors{Vectors: file, t: t}
			var h hyper
			if err := json.Unmarshal([]byte(file.Metadata()["hyper"]), &h); err != nil {
				t.Fatal(err)
			}
			for _, parameter := range []string{"w", "b", "tall"} {
				if !v.has("p0/" + parameter) {
					continue
				}
				b := NewBuild(backend, 1)
				p := v.tensor(t, b, "p0/"+parameter)
				m, second := b.Zero(dtype.F32, p.Shape...), b.Zero(dtype.F32, p.Shape...)
				for step := 1; step <= 6; step++ {
					f.step(b, h, p, v.tensor(t, b, fmt.Sprintf("g%d/%s", step, parameter)), m, second, step)
					v.near(t, b, p, fmt.Sprintf("p%d/%s", step, parameter), f.tolerance)
				}
				for _, state := range []string{"momentum_buffer", "exp_avg"} {
					if name := "state/" + parameter + "/" + state; v.has(name) {
						v.near(t, b, m, name, 1e-6)
					}
				}
			}
		})
	}
	t.Run("newton_schulz", func(t *testing.T) {
		file, err := open(shared.Path(t, "testdata", "golden", "train", "optim", "newton_schulz.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		v := &vectors{Vectors: file, t: t}
		for _, shape := range []string{"12x5", "33x33", "7x12"} {
			for _, pairs := range []bool{false, true} {
				b := NewBuild(backend, 1)
				x := v.tensor(t, b, shape+"/in")
				o := &compute.Orthogonalize{X: x, Out: b.Zero(dtype.F32, x.Shape...), Steps: 5, BF16: pairs}
				b.Launch(o)
				tolerance := 2e-5
				if pairs { // PyTorch, which rounds more than the operands of products, is off by up to 0.035
					tolerance = 4e-2
				}
				v.near(t, b, o.Out, shape+"/out_float64", tolerance)
			}
		}
	})
}

// near compares a tensor with a golden one, relative to its largest value.
func (v *vectors) near(t *testing.T, b *Build, x *compute.Tensor, name string, tolerance float64) {
	t.Helper()
	got, err := b.values(x)
	if err != nil {
		t.Fatal(err)
	}
	floats, _ := v.floats(t, name)
	want := make([]float64, len(floats))
	for i, f := range floats {
		want[i] = float64(f)
	}
	if worst, at := differ(got, want, 1e-6); worst > tolerance {
		t.Errorf("%s: value %d is %v, expected %v: relative difference %.3g, allowed %.3g", name, at, got[at], want[at], worst, tolerance)
	}
}
