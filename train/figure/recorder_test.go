package figure

import (
	"context"
	"math"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/model"
	"lian/model/nn"
	"lian/train"
	"lian/train/optim"
	"lian/train/schedule"
)

// pieces gives two sequences a batch, of two domains.
type pieces struct{}

func (pieces) Step(batch int) (out []train.Sequence, err error) {
	for d := range 2 {
		s := train.Sequence{Origin: train.Origin{Domain: d}}
		for i := range 12 + 4*d {
			s.IDs = append(s.IDs, int32((batch*7+i*(d+2))%50))
			s.Targets = append(s.Targets, int32((batch*7+(i+1)*(d+2))%50))
		}
		s.Targets[0] = -1
		out = append(out, s)
	}
	return out, nil
}

// run trains a tiny model and gives its weights and what was recorded.
func run(t *testing.T, r *Recorder, workers int) (weights []float32, steps []Step) {
	t.Helper()
	b := cpu.New(workers)
	spec := llama(32, 2, 4, 2, 64, 64)
	spec.Context = 32
	m, err := nn.Initialise(b, spec, 3, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	trainer := &train.Trainer{Options: train.Options{Steps: 6, Schedule: schedule.Options{LearningRate: 0.01}, MicroTokens: 64,
		Optimizer: optim.Options{ClipNorm: 1, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8}}, Backend: b,
		Model: m, Weights: m.Parameters(), Source: pieces{}}
	if r != nil {
		r.Operations = NewOperations(spec)
		r.Attach(trainer)
		trainer.OnStep = func(p train.Progress) { steps = append(steps, r.Step(p)) }
	}
	if err := trainer.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Parameters().All() {
		v, err := model.Floats(b.NewStream(), w.Tensor)
		if err != nil {
			t.Fatal(err)
		}
		weights = append(weights, v...)
	}
	return weights, steps
}

func TestLookingChangesNothing(t *testing.T) {
	plain, _ := run(t, nil, 1)
	watched, steps := run(t, &Recorder{Every: 1}, 2)
	for i := range plain {
		if plain[i] != watched[i] {
			t.Fatalf("weight %d is %v with figures, %v without", i, watched[i], plain[i])
		}
	}
	if len(steps) != 6 {
		t.Errorf("%d steps", len(steps))
	}
}

func TestAStepsFiguresFitTogether(t *testing.T) {
	r := &Recorder{Every: 3, Domains: []string{"en", "中文"}, PeakFLOPS: 1e12, Repeated: 1, TokenBytes: make([]int32, 64)}
	for i := range r.TokenBytes {
		r.TokenBytes[i] = 2
	}
	_, steps := run(t, r, 1)
	for _, s := range steps {
		if s.Labels != 11+15 || s.Rate <= 0 || s.MFU <= 0 || math.Abs(s.HFU/s.MFU-4.0/3) > 1e-9 {
			t.Errorf("step %d: %+v", s.Step, s)
		}
		if !(s.Compute > 0 && s.Compute <= 1) || math.Abs(s.Waited+s.Compute*s.Seconds-s.Seconds) > 1e-9 {
			t.Errorf("step %d: %v s of %v waited, %v of it in compute", s.Step, s.Waited, s.Seconds, s.Compute)
		}
		if want := s.Loss / 2 / math.Ln2; math.Abs(s.BitsPerByte-want) > 1e-9 {
			t.Errorf("step %d: %v bits per byte, expected %v: a token is two bytes", s.Step, s.BitsPerByte, want)
		}
		if len(s.Domains) != 2 || s.Domains[1].Name != "中文" || math.Abs(s.Domains[0].Loss*11+s.Domains[1].Loss*15-s.Loss*26) > 1e-6 {
			t.Errorf("step %d: domains %+v of loss %v", s.Step, s.Domains, s.Loss)
		}
		if (s.Detail != nil) != (s.Step == 1 || s.Step%3 == 0) {
			t.Fatalf("step %d: detail %v", s.Step, s.Detail)
		}
		if s.Detail == nil {
			continue
		}
		squares := 0.0
		for _, x := range s.Detail.GradientNorms {
			squares += x * x
		}
		if math.Abs(math.Sqrt(squares)-s.GradientNorm) > 1e-9*s.GradientNorm || len(s.Detail.GradientNorms) != 4 {
			t.Errorf("step %d: groups %v make %v, the whole is %v", s.Step, s.Detail.GradientNorms, math.Sqrt(squares), s.GradientNorm)
		}
		for group, x := range s.Detail.UpdateRatios {
			if !(x > 1e-4 && x < 1) {
				t.Errorf("step %d: %s moves by %v of itself", s.Step, group, x)
			}
		}
		if len(s.Detail.AttentionLogits) != 2 || len(s.Detail.UpdateRatios) != 4 {
			t.Errorf("step %d: %+v", s.Step, s.Detail)
		}
	}
}

func TestTheLargestLogitIsThatOfAllPairsThatSeeEachOther(t *testing.T) {
	b := cpu.New(1)
	s := b.NewStream()
	const rows, heads, kvHeads, size = 20, 4, 2, 8
	floats := func(v []float32, shape ...int) *compute.Tensor {
		x := compute.NewTensor(b, dtype.F32, shape...)
		s.Write(x, compute.HostBytes(v))
		return x
	}
	waves := func(seed, n int, by float32) []float32 {
		v := make([]float32, rows*n*size)
		for i := range v {
			v[i] = float32(math.Sin(float64(seed+i*i))) * by
		}
		return v
	}
	ints := func(v ...int32) *compute.Tensor {
		x := compute.NewTensor(b, dtype.I32, len(v))
		s.Write(x, compute.HostBytes(v))
		return x
	}
	var l logits
	for _, c := range []struct {
		why    string
		by     float32 // size of queries and keys
		change func(*compute.Attention)
	}{
		{"causal, two sequences", 3, nil},
		{"a window", 3, func(o *compute.Attention) { o.Window = 3 }},
		{"scores near zero, as before training", 0.01, nil},
		{"scores in the hundreds", 20, nil},
		{"a softcap", 3, func(o *compute.Attention) { o.Softcap = 5 }},
		{"slopes", 3, func(o *compute.Attention) { o.Slopes = floats([]float32{0.5, 0.25, 0.125, 2}, heads) }},
		{"sinks are no scores", 0.01, func(o *compute.Attention) { o.Sinks = floats([]float32{9, 9, 9, 9}, heads) }},
		{"both ways", 3, func(o *compute.Attention) { o.Causal = false }},
	} {
		qv, kv := waves(1, heads, c.by), waves(2, kvHeads, c.by)
		q, k := floats(qv, rows, heads, size), floats(kv, rows, kvHeads, size)
		o := &compute.Attention{Q: q, K: k, V: k, Out: compute.NewTensor(b, dtype.F32, rows, heads, size), LogSumExp: compute.NewTensor(b, dtype.F32, rows, heads),
			QueryStart: ints(0, 13, rows), KeyLength: ints(13, rows-13), Scale: 0.4, Causal: true}
		if c.change != nil {
			c.change(o)
		}
		var slopes []float32
		if o.Slopes != nil {
			slopes, _ = model.Floats(s, o.Slopes)
		}
		got, err := l.largest(s, o)
		if err != nil {
			t.Fatal(err)
		}
		want := math.Inf(-1)
		for i := range rows {
			first, last := 0, 12
			if i >= 13 {
				first, last = 13, rows-1
			}
			if o.Causal {
				last = i
			}
			if o.Window > 0 {
				first = max(first, i-o.Window+1)
			}
			for j := first; j <= last; j++ {
				for h := range heads {
					sum := 0.0
					for c := range size {
						sum += float64(qv[(i*heads+h)*size+c]) * float64(kv[(j*kvHeads+h/2)*size+c])
					}
					sum *= 0.4
					if o.Softcap > 0 {
						sum = 5 * math.Tanh(sum/5)
					}
					if slopes != nil {
						sum -= float64(slopes[h]) * float64(i-j)
					}
					want = max(want, sum)
				}
			}
		}
		if math.Abs(got-want) > 1e-5*math.Max(want, 1) {
			t.Errorf("%s: %v, expected %v", c.why, got, want)
		}
	}
}

func TestGroupsAreNamedByWhatAParameterDoes(t *testing.T) {
	for name, want := range map[string]string{"embedding": "embedding", "positions": "embedding", "head": "head", "head.bias": "head", "norm": "norms",
		"layers.3.attention.q": "attention", "layers.3.attention.q_norm": "norms", "layers.3.feed_forward.experts.up": "feed_forward", "layers.11.feed_forward_norm": "norms",
		"layers.3.attention.q.lora_a": "attention"} {
		if got := Group(name, false); got != want {
			t.Errorf("%s is of %s, expected %s", name, got, want)
		}
	}
	if got := Group("layers.11.attention.q", true); got != "layer 11" {
		t.Error(got)
	}
}
