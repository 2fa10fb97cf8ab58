package train

import (
	"context"
	"math"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
	"lian/train/optim"
	"lian/train/schedule"
)

// TestCoordinatesDoNotGrowWithWidth is the coordinate check of arXiv 2203.03466: after a few steps at one rate, logits and the stream change by as much in a
// model eight times as wide; without the parametrisation they change by more the wider it is.
func TestCoordinatesDoNotGrowWithWidth(t *testing.T) {
	const base = 32
	change := func(width int, mup bool) (logits, stream float64) {
		b := cpu.New(2)
		spec := tinySpec()
		spec.Hidden, spec.FeedForward.Hidden = width, 2*width
		spec.Attention.Heads, spec.Attention.KVHeads = width/8, width/8
		m, err := nn.InitialiseBy(b, spec, 1, nn.GPT2, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Steps: 5, Schedule: schedule.Options{LearningRate: .003, Shape: "constant"}, MicroTokens: 1000, Optimizer: optim.Options{Beta1: .9, Beta2: .95, Epsilon: 1e-12}}
		if mup {
			p := nn.MuP{Base: base}
			if err := p.Scale(b.NewStream(), m, nn.GPT2); err != nil {
				t.Fatal(err)
			}
			for pattern, rate := range p.Rates(&m.Spec) {
				o.Optimizer.Groups = append(o.Optimizer.Groups, optim.Group{Pattern: pattern, Rate: &rate})
			}
		}
		logitsBefore, streamBefore := coordinates(t, b, m)
		tr := &Trainer{Backend: b, Model: m, Weights: m.Parameters(), Source: counting{}, Options: o}
		if err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		logitsAfter, streamAfter := coordinates(t, b, m)
		return distance(logitsBefore, logitsAfter), distance(streamBefore, streamAfter)
	}
	for _, mup := range []bool{false, true} {
		narrowLogits, narrowStream := change(base, mup)
		wideLogits, wideStream := change(8*base, mup)
		t.Logf("μP %v: 8 times the width changes logits by %.2f and the stream by %.2f times as much", mup, wideLogits/narrowLogits, wideStream/narrowStream)
		if mup && (wideLogits > 1.5*narrowLogits || wideStream > 1.5*narrowStream) {
			t.Errorf("logits change by %.3g at width %d and %.3g at %d, the stream by %.3g and %.3g; expected as much", narrowLogits, base, wideLogits, 8*base, narrowStream, wideStream)
		}
		if !mup && wideLogits < 2*narrowLogits {
			t.Errorf("without the parametrisation logits change by %.3g at width %d and %.3g at %d; the check sees nothing", narrowLogits, base, wideLogits, 8*base)
		}
	}
}

// coordinates are the logits of a few tokens, and the stream after the last layer.
func coordinates(t *testing.T, b compute.Backend, m *nn.Decoder) (logits, stream []float32) {
	t.Helper()
	s := b.NewStream()
	p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<20), Precision: model.Exact}
	p.Taps.Hidden = func(layer int, x *compute.Tensor) {
		if layer == m.Spec.Layers {
			stream = values(t, s, x)
		}
	}
	batch := &model.Batch{}
	batch.Add([]int32{1, 2, 3, 4, 5, 6, 7}, 0, nil)
	h, err := m.Forward(p, batch)
	if err != nil {
		t.Fatal(err)
	}
	return values(t, s, model.Logits(p, m, h, nil)), stream
}

func values(t *testing.T, s compute.Stream, x *compute.Tensor) []float32 {
	t.Helper()
	out, err := model.Floats(s, x)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// distance is the mean magnitude of differences.
func distance(a, b []float32) (sum float64) {
	for i := range a {
		sum += math.Abs(float64(a[i])-float64(b[i])) / float64(len(a))
	}
	return sum
}
