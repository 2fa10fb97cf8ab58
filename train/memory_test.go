package train

import (
	"context"
	"fmt"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/compute/dry"
	"lian/model"
	"lian/model/nn"
)

// TestThePlannedMemoryIsWhatARunTakes: kind by kind, for each way to recompute.
func TestThePlannedMemoryIsWhatARunTakes(t *testing.T) {
	spec := nn.Spec{Family: "llama", Vocab: 3000, Hidden: 64, Layers: 6, Context: 128, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 16, RoPE: nn.RoPE{Theta: 10000, Rotary: 16}},
		FeedForward: nn.FeedForward{Hidden: 160}}}
	for _, way := range []model.Recompute{model.RecomputeNone, model.RecomputeSelective, model.RecomputeFull} {
		for _, optimizer := range []string{"adamw", "lion"} {
			t.Run(fmt.Sprint(way, " ", optimizer), func(t *testing.T) {
				b := cpu.New(2)
				m, err := nn.Initialise(b, spec, 1, 0.02)
				if err != nil {
					t.Fatal(err)
				}
				o := Options{Steps: 2, MicroTokens: 256, Recompute: way}
				o.Optimizer.Rule, o.Optimizer.Beta1, o.Optimizer.Beta2, o.Optimizer.Epsilon = optimizer, 0.9, 0.95, 1e-8
				run := &Trainer{Options: o, Backend: b, Model: m, Weights: m.Parameters(), Source: words{4, 64}}
				if err := run.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				d := dry.New(func(op compute.Op) int64 { return cpu.Workspace(op, 2) })
				shape, err := nn.Shape(d, spec)
				if err != nil {
					t.Fatal(err)
				}
				planned, err := PlanMemory(d, shape, o, 256, 64, false)
				if err != nil {
					t.Fatal(err)
				}
				taken := run.Memory()
				t.Logf("planned %+v, taken %+v", planned, taken)
				planned.Workspace, taken.Workspace = 0, 0 // an estimate
				if planned != taken {
					t.Errorf("planned %+v, taken %+v", planned, taken)
				}
			})
		}
	}
}

// words are sequences of ids that mean nothing.
type words struct{ sequences, length int }

func (w words) Step(int) (out []Sequence, err error) {
	for range w.sequences {
		out = append(out, Sequence{IDs: make([]int32, w.length), Targets: make([]int32, w.length)})
	}
	return out, nil
}
