package train

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"lian/compute/cpu"
	"lian/model/checkpoint"
	"lian/train/optim"
	"lian/verify/shared"
)

// formula is the source of the golden curve: rows of bytes at places given by a formula.
type formula struct{ text []byte }

func (f formula) Step(s int) ([]Sequence, error) {
	var out []Sequence
	for r := range 8 {
		at := (s*8 + r) * 7919 * 17 % (len(f.text) - 64 - 1)
		q := Sequence{}
		for i := range 64 {
			q.IDs = append(q.IDs, int32(f.text[at+i]))
			q.Targets = append(q.Targets, int32(f.text[at+i+1]))
		}
		out = append(out, q)
	}
	return out, nil
}

// TestCurveIsTheReference trains the golden model and holds each step's loss and gradient norm against float64 PyTorch.
func TestCurveIsTheReference(t *testing.T) { followCurve(t, DTypeF32, 2e-5, 2e-4) }

// TestCurveOfBF16StaysInItsBand: products read bfloat16, the losses stay within the band that is stated for PyTorch's autocast, around the
// same float64.
func TestCurveOfBF16StaysInItsBand(t *testing.T) { followCurve(t, DTypeBF16, 0.03, 0.2) }

func followCurve(t *testing.T, kind string, most, mostNorm float64) {
	dir := shared.Path(t, "testdata", "golden", "train", "curve")
	text, err := os.ReadFile(shared.Path(t, "testdata", "corpora", "tinyshakespeare", "input.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Steps []struct {
			LR   float64 `json:"lr"`
			Loss float64 `json:"loss_float64"`
			Norm float64 `json:"grad_norm"`
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "curve.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	// checkpoint.Open wants model.safetensors; the start is called init.safetensors
	folder := t.TempDir()
	for from, to := range map[string]string{"init.safetensors": "model.safetensors", "config.json": "config.json"} {
		data, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, to), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := cpu.New(0)
	c, err := checkpoint.Open(folder, b, checkpoint.Options{Float32: true})
	if err != nil {
		t.Fatal(err)
	}
	steps := len(golden.Steps)
	if os.Getenv("LIAN_LONG") == "" {
		steps = 20 // the whole curve is for LIAN_LONG=1
	}
	worst, worstNorm, decay := 0.0, 0.0, 0.1 // here embeddings decay too
	tr := &Trainer{Backend: b, Model: c.Model, Weights: c.Model.Parameters(), Source: formula{text},
		Options: Options{Steps: steps, Optimizer: optim.Options{Beta1: .9, Beta2: .95, Epsilon: 1e-6, Decay: .1, ClipNorm: 1, Groups: []optim.Group{{Pattern: "embedding", Decay: &decay}}}, MicroTokens: 256, DType: kind},
		Rate:    func(s int) float64 { return golden.Steps[s].LR },
		Hooks: Hooks{OnStep: func(p Progress) {
			g := golden.Steps[p.Step-1]
			worst = math.Max(worst, math.Abs(p.Loss-g.Loss))
			worstNorm = math.Max(worstNorm, math.Abs(p.GradientNorm-g.Norm)/g.Norm)
		}}}
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Logf("largest difference over %d steps: loss %.2g, gradient norm %.2g", steps, worst, worstNorm)
	if worst > most || worstNorm > mostNorm {
		t.Errorf("the curve leaves the reference: loss by %.2g, gradient norm by %.2g relative", worst, worstNorm)
	}
}
