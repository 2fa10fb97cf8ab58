package optim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/compute/ref"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
	"lian/verify/shared"
)

// hyper are an optimizer's settings as PyTorch and bitsandbytes name them.
type hyper struct {
	LR           *float64  `json:"lr"`
	Momentum     float64   `json:"momentum"`
	Dampening    float64   `json:"dampening"`
	Decay        float64   `json:"weight_decay"`
	Nesterov     bool      `json:"nesterov"`
	Betas        []float64 `json:"betas"`
	Beta1        *float64  `json:"beta1"`
	Alpha        float64   `json:"alpha"`
	Rho          float64   `json:"rho"`
	Epsilon      any       `json:"eps"`
	Warmup       int       `json:"warmup_steps"`
	Adjust       *string   `json:"adjust_lr_fn"`
	ScaleByParam bool      `json:"scale_parameter"`
	Relative     bool      `json:"relative_step"`
}

func (h hyper) options(rule string) Options {
	o := Options{Rule: rule, Decay: h.Decay, Momentum: h.Momentum, Dampening: h.Dampening, Nesterov: h.Nesterov, StepClip: 1, Relative: true, MuonScale: "original", SlowWeight: h.Alpha}
	o.Epsilon, _ = h.Epsilon.(float64)
	if len(h.Betas) > 1 {
		o.Beta1, o.Beta2 = h.Betas[0], h.Betas[1]
	}
	if len(h.Betas) > 2 {
		o.Beta3 = h.Betas[2]
	}
	if h.Adjust != nil {
		o.MuonScale = map[string]string{"match_rms_adamw": "match_rms", "original": "original"}[*h.Adjust]
	}
	if h.Decay > 0 { // here vectors decay too
		o.Groups = []Group{{Pattern: "*", Decay: &h.Decay}}
	}
	switch rule {
	case "rmsprop":
		o.Beta2 = h.Alpha
	case "adadelta":
		o.Beta2 = h.Rho
	case "schedule_free_sgd":
		o.Beta1 = h.Momentum
	case "adafactor_fairseq":
		o.Relative, o.TimedRate, o.FirstMean = h.ScaleByParam, h.Relative, h.Beta1 != nil
		if h.Beta1 != nil {
			o.Beta1 = *h.Beta1
		}
	}
	return o
}

// steps are the golden files: rule, states by our names and theirs, and how near parameters and states must come.
var steps = map[string]struct {
	rule   string
	states map[string]string
	near   float64
}{
	"sgd":                   {"sgd", nil, 1e-6},
	"sgd_momentum_wd":       {"sgd", map[string]string{"m": "momentum_buffer"}, 1e-6},
	"sgd_dampening":         {"sgd", map[string]string{"m": "momentum_buffer"}, 1e-6},
	"sgd_nesterov":          {"sgd", map[string]string{"m": "momentum_buffer"}, 1e-6},
	"adamw":                 {"adamw", map[string]string{"m": "exp_avg", "v": "exp_avg_sq"}, 1e-6},
	"adam_l2":               {"adam", map[string]string{"m": "exp_avg", "v": "exp_avg_sq"}, 1e-6},
	"adamw_amsgrad":         {"amsgrad", map[string]string{"m": "exp_avg", "v": "exp_avg_sq", "max": "max_exp_avg_sq"}, 1e-6},
	"nadam":                 {"nadam", map[string]string{"m": "exp_avg", "v": "exp_avg_sq"}, 1e-6},
	"radam":                 {"radam", map[string]string{"m": "exp_avg", "v": "exp_avg_sq"}, 1e-6},
	"rmsprop":               {"rmsprop", map[string]string{"v": "square_avg"}, 1e-6},
	"adagrad":               {"adagrad", map[string]string{"v": "sum"}, 1e-6},
	"adadelta":              {"adadelta", map[string]string{"v": "square_avg", "moved": "acc_delta"}, 1e-6},
	"lion":                  {"lion", map[string]string{"m": "exp_avg"}, 1e-6},
	"adafactor_torch":       {"adafactor", map[string]string{"row": "row_var", "col": "col_var", "v": "variance"}, 1e-6},
	"adafactor_hf_relative": {"adafactor_fairseq", map[string]string{"row": "exp_avg_sq_row", "col": "exp_avg_sq_col", "v": "exp_avg_sq"}, 1e-6},
	"adafactor_hf_fixed":    {"adafactor_fairseq", map[string]string{"row": "exp_avg_sq_row", "col": "exp_avg_sq_col", "v": "exp_avg_sq"}, 1e-6},
	"adafactor_hf_beta1":    {"adafactor_fairseq", map[string]string{"row": "exp_avg_sq_row", "col": "exp_avg_sq_col", "v": "exp_avg_sq", "m": "exp_avg"}, 1e-6},
	"schedulefree_adamw":    {"schedule_free", map[string]string{"z": "z", "v": "exp_avg_sq"}, 1e-6},
	"schedulefree_sgd":      {"schedule_free_sgd", map[string]string{"z": "z"}, 1e-6},
	"bnb_adamw32":           {"adamw", map[string]string{"m": "state1", "v": "state2"}, 3e-6},
	"bnb_lion32":            {"lion", map[string]string{"m": "state1"}, 3e-6},
	"bnb_ademamix":          {"ademamix", map[string]string{"v": "state2"}, 3e-6},
	"bnb_adamw8bit":         {"adamw8", map[string]string{"m": "state1", "v": "state2", "m8": "state1", "m8_scale": "absmax1", "v8": "state2", "v8_scale": "absmax2"}, 1e-6},
	"bnb_lion8bit":          {"lion8", map[string]string{"m": "state1", "m8": "state1", "m8_scale": "absmax1"}, 1e-6},
	// PyTorch's iteration is in bfloat16: six updates of size 0.02, each off by up to 3 %.
	"muon":             {"muon", map[string]string{"momentum": "momentum_buffer"}, 4e-3},
	"muon_match_rms":   {"muon", map[string]string{"momentum": "momentum_buffer"}, 4e-3},
	"muon_no_nesterov": {"muon", map[string]string{"momentum": "momentum_buffer"}, 4e-3},
}

// TestRulesStepAsTheirAuthorsDo: parameters after each of six given gradients, states after the last, on every backend. States of 8 bits have
// the same bytes.
func TestRulesStepAsTheirAuthorsDo(t *testing.T) {
	for name, c := range steps {
		for _, b := range []compute.Backend{ref.New(), cpu.New(2)} {
			t.Run(name+"/"+b.Name(), func(t *testing.T) {
				file, err := safetensors.Open(shared.Path(t, "testdata", "golden", "train", "optim", "steps_"+name+".safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				var h hyper
				if err := json.Unmarshal([]byte(file.Metadata()["hyper"]), &h); err != nil {
					t.Fatal(err)
				}
				s := b.NewStream()
				var p model.Parameters
				grads := map[*compute.Tensor]*compute.Tensor{}
				for _, x := range []string{"w", "b", "tall"} {
					info, ok := file.Info("p0/" + x)
					if !ok {
						continue
					}
					w := compute.NewTensor(b, dtype.F32, info.Shape...)
					load(t, s, file, "p0/"+x, w)
					p.Add(x, w)
					grads[w] = compute.NewTensor(b, dtype.F32, info.Shape...)
				}
				rates := func(step int) float64 {
					if h.LR == nil {
						return 0
					}
					return *h.LR * min(1, float64(step+1)/float64(max(h.Warmup, 1)))
				}
				o, err := New(b, &p, h.options(c.rule), rates)
				if err != nil {
					t.Fatal(err)
				}
				gradient := func(x *compute.Tensor) *compute.Tensor { return grads[x] }
				for step := 1; step <= 6; step++ {
					for _, x := range p.All() {
						load(t, s, file, fmt.Sprintf("g%d/%s", step, x.Name), grads[x.Tensor])
					}
					o.Measure(s, gradient)
					o.Step(s, step, gradient)
					for _, x := range p.All() {
						near(t, s, file, fmt.Sprintf("p%d/%s", step, x.Name), x.Tensor, c.near)
					}
				}
				for _, r := range o.table {
					for i, state := range r.states {
						theirs, ok := c.states[state.Name]
						if ok {
							near(t, s, file, "state/"+r.name+"/"+theirs, r.tensors[i], max(c.near/4, 1e-6))
						}
					}
				}
				if _, ok := file.Info("eval/w"); ok {
					trained := read(t, s, p.All()[0].Tensor)
					o.Publish(s, gradient)
					for _, x := range p.All() {
						near(t, s, file, "eval/"+x.Name, x.Tensor, c.near)
					}
					o.Restore(s, gradient)
					if !bytes.Equal(read(t, s, p.All()[0].Tensor), trained) {
						t.Error("publishing changed what is trained")
					}
				}
			})
		}
	}
}

func load(t *testing.T, s compute.Stream, file *safetensors.File, name string, to *compute.Tensor) {
	t.Helper()
	data, err := file.Data(name)
	if err != nil {
		t.Fatal(err)
	}
	s.Write(to, data)
}

func read(t *testing.T, s compute.Stream, x *compute.Tensor) []byte {
	t.Helper()
	data := make([]byte, x.Bytes())
	if err := s.Read(x, data); err != nil {
		t.Fatal(err)
	}
	return data
}

// near holds a tensor against a golden one: floats relative to the largest, codes to the byte.
func near(t *testing.T, s compute.Stream, file *safetensors.File, name string, x *compute.Tensor, tolerance float64) {
	t.Helper()
	want, err := file.Data(name)
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, s, x)
	if len(got) != len(want) {
		t.Fatalf("%s: %d bytes, expected %d", name, len(got), len(want))
	}
	if x.Type == dtype.U8 {
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: code %d is %d, expected %d", name, i, got[i], want[i])
				return
			}
		}
		return
	}
	a, b := floats(got), floats(want)
	largest, worst, at := 0.0, 0.0, 0
	for i := range b {
		largest = max(largest, math.Abs(float64(b[i])))
		if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("%s: value %d is %v, expected %v: difference %.3g of the largest, allowed %.3g", name, at, a[at], b[at], worst/largest, tolerance)
	}
}

func floats(data []byte) []float32 {
	out := make([]float32, len(data)/4)
	copy(compute.HostBytes(out), data)
	return out
}
