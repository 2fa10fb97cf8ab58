package step

import (
	"math"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/checkpoint"
	"lian/model/nn"
)

func TestFoldingScalesChangesNoOutput(t *testing.T) {
	b := cpu.New(2)
	block := func(kv int, change func(b *nn.Block)) nn.Block {
		out := nn.Block{Attention: nn.Attention{Heads: 4, KVHeads: kv, HeadSize: 8}, FeedForward: nn.FeedForward{Hidden: 48}}
		if change != nil {
			change(&out)
		}
		return out
	}
	rms := nn.Norm{Epsilon: 1e-5}
	gemma := nn.Norm{Epsilon: 1e-5, Offset: 1}
	layer := nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, Bias: true}
	for name, c := range map[string]struct {
		norm     nn.Norm
		block    nn.Block
		expected int // folds of a layer that something is divided in
	}{
		"llama":         {rms, block(4, nil), 4},
		"grouped heads": {rms, block(2, nil), 3},
		"gemma":         {gemma, block(4, nil), 4},
		"plain, biased": {layer, block(4, func(b *nn.Block) {
			b.Attention.Bias, b.FeedForward.Bias, b.FeedForward.Plain, b.FeedForward.Activation = true, true, true, compute.GELU
		}), 3},
		"biased gate": {rms, block(4, func(b *nn.Block) { b.Attention.Bias, b.FeedForward.Bias = true, true }), 4},
		"one norm":    {layer, block(4, func(b *nn.Block) { b.Parallel, b.SharedNorm = true, true }), 3},
	} {
		spec := nn.Spec{Family: "test", Vocab: 40, Hidden: 32, Layers: 2, Context: 64, Norm: c.norm, Block: c.block}
		d, err := nn.Initialise(b, spec, 7, 0.3)
		if err != nil {
			t.Fatal(name, err)
		}
		m := &Opened{Checkpoint: &checkpoint.Checkpoint{Model: d}, Backend: b}
		stream := b.NewStream()
		folding := m.folding(stream)
		var coded []codedWeight
		for _, w := range spec.Weights() {
			if w.Kind == nn.Bias || w.Kind == nn.Gain { // as they may be, not as they start
				if err := folding.change(w.Name, func(i int, v float32) float32 { return v + 0.1*float32(i%7-3) }); err != nil {
					t.Fatal(err)
				}
			}
			if len(w.Shape) == 2 && (w.Kind == nn.Matrix || w.Kind == nn.Residual) {
				coded = append(coded, codedWeight{name: w.Name, outputs: w.Shape[0], inputs: w.Shape[1]})
			}
		}
		run := func() []float32 {
			batch := &model.Batch{}
			batch.Add([]int32{3, 1, 4, 1, 5, 9, 2, 6}, 0, nil)
			x, err := d.Forward(&model.Pass{Stream: stream, Arena: compute.NewArena(b, 1<<16), Precision: model.Exact}, batch)
			if err != nil {
				t.Fatal(name, err)
			}
			values, err := model.Floats(stream, x)
			if err != nil {
				t.Fatal(name, err)
			}
			return values
		}
		before, folded, products := run(), 0, 0
		for _, f := range m.folds(coded) {
			products += len(f.products)
			if f.from == "" {
				continue
			}
			folded++
			scales := make([]float32, f.products[0].inputs)
			for i := range scales {
				scales[i] = 0.5 + float32(i%5)
			}
			if err := folding.apply(f, scales); err != nil {
				t.Fatal(name, err)
			}
		}
		if folded != 2*c.expected || products != len(coded) {
			t.Errorf("%s: %d folds and %d products of %d, expected %d folds", name, folded, products, len(coded), 2*c.expected)
		}
		for i, v := range run() {
			if math.Abs(float64(v-before[i])) > 2e-4*(1+math.Abs(float64(before[i]))) {
				t.Fatalf("%s: value %d is %g, was %g", name, i, v, before[i])
			}
		}
	}
}
