package nn_test

import (
	"slices"
	"testing"

	"lian/compute"
	"lian/compute/autograd"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
)

func small(t *testing.T, b compute.Backend) *nn.Decoder {
	t.Helper()
	d, err := nn.Initialise(b, nn.Spec{Family: "llama", Vocab: 300, Hidden: 288, Layers: 3, Context: 128, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: 18, KVHeads: 6, HeadSize: 16, RoPE: nn.RoPE{Theta: 10000, Rotary: 16}},
		FeedForward: nn.FeedForward{Hidden: 320}}}, 3, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// settledAllocations is how often a step allocates once nothing grows any more. A worker's scratch grows when it takes
// its first task of a size, and on a busy machine that can be some steps after the first; what a step always allocates
// shows in every round.
func settledAllocations(runs int, step func()) float64 {
	n := testing.AllocsPerRun(runs, step)
	for round := 1; n > 0 && round < 20; round++ {
		n = testing.AllocsPerRun(runs, step)
	}
	return n
}

// each runs a test on Llama's layers and on those of other parts.
func each(t *testing.T, test func(t *testing.T, b compute.Backend, d *nn.Decoder)) {
	b := cpu.New(2)
	t.Run("llama", func(t *testing.T) { test(t, b, small(t, b)) })
	for name, spec := range parts() {
		t.Run(name, func(t *testing.T) {
			d, err := nn.Initialise(b, spec, 3, 0.5)
			if err != nil {
				t.Fatal(err)
			}
			test(t, b, d)
		})
	}
}

func TestADecodingStepAfterTheFirstAllocatesNothing(t *testing.T) {
	each(t, decodingAllocatesNothing)
}

func newCache(b compute.Backend, d *nn.Decoder) *model.Cache {
	return model.NewCache(b, d.Info(), model.KVBF16, 16, slices.Repeat([]int{8}, len(d.Info().CacheGroups()))...)
}

func decodingAllocatesNothing(t *testing.T, b compute.Backend, d *nn.Decoder) {
	stream, arena, cache := b.NewStream(), compute.NewArena(b, 1<<20), newCache(b, d)
	pass := &model.Pass{Stream: stream, Arena: arena, Cache: cache, Precision: model.Fast}
	batch := &model.Batch{}
	batch.Add([]int32{7}, 40, cache.Alike([]int32{3, 1, 5}))
	batch.Add([]int32{9}, 20, cache.Alike([]int32{2, 0}))
	step := func() {
		arena.Reset()
		hidden, err := d.Forward(pass, batch)
		if err != nil {
			t.Fatal(err)
		}
		model.Logits(pass, d, hidden, nil)
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n := settledAllocations(100, step); n > 0 {
		t.Errorf("a decoding step allocates %v times", n)
	}
}

func TestATrainingPassAfterTheFirstAllocatesNothing(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend, d *nn.Decoder) {
		if d.Spec.Norm.Kind != nn.LayerNorm { // whose gradient does
			trainingAllocatesNothing(t, b, d)
		}
	})
}

func trainingAllocatesNothing(t *testing.T, b compute.Backend, d *nn.Decoder) {
	stream, arena := b.NewStream(), compute.NewArena(b, 1<<20)
	gradients := autograd.NewGradients(b, d.Parameters().Tensors())
	tape := autograd.NewTape(stream, arena, gradients)
	pass := &model.Pass{Stream: stream, Arena: arena, Tape: tape, Precision: model.Exact}
	ids, targets := make([]int32, 48), make([]int32, 48)
	for i := range ids {
		ids[i], targets[i] = int32(i*7%67), int32(i*5%67)
	}
	batch := &model.Batch{}
	batch.Add(ids[:20], 0, nil)
	batch.Add(ids[20:], 0, nil)
	step := func() {
		arena.Reset()
		gradients.Reset()
		hidden, err := d.Forward(pass, batch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.CrossEntropy(pass, d, hidden, targets, nil, 1, nil); err != nil {
			t.Fatal(err)
		}
		if err := tape.Backward(); err != nil {
			t.Fatal(err)
		}
	}
	if n := settledAllocations(5, step); n > 0 {
		t.Errorf("a training pass allocates %v times", n)
	}
}
