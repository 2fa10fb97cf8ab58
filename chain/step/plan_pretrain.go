package step

import (
	"math"
	"path/filepath"

	"lian/tokenizer"
)

// PretrainPlanReport says what a pretraining takes before it starts.
type PretrainPlanReport struct {
	Parameters  int     `json:"parameters"`
	Tokens      int64   `json:"tokens"`
	Epochs      float64 `json:"epochs"`
	MemoryBytes int64   `json:"memory_bytes"` // weights, gradients, optimizer and activations of a micro-batch
	Operations  float64 `json:"operations"`   // floating-point, 6 a parameter and token
}

// PretrainPlan computes what a pretraining takes.
func PretrainPlan(o PretrainOptions) (PretrainPlanReport, error) {
	var r PretrainPlanReport
	tok, err := tokenizer.Load(o.Tokenizer)
	if err != nil {
		return r, err
	}
	text, err := openShard(filepath.Join(o.Shards, "train.shard"), tok)
	if err != nil {
		return r, err
	}
	defer text.Close()
	s, err := o.shape(tok.VocabSize())
	if err != nil {
		return r, err
	}
	r.Parameters = s.Count()
	r.Tokens = int64(o.Train.Steps) * int64(o.StepTokens)
	r.Epochs = float64(r.Tokens) / math.Max(float64(text.Tokens()+int64(text.Documents())), 1)
	r.Operations = 6 * float64(r.Parameters) * float64(r.Tokens)
	a := s.Attention
	facts := ModelFacts{Layers: s.Layers, Hidden: s.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadSize: a.HeadSize, FeedForward: s.FeedForward.Hidden}
	r.MemoryBytes = 4 * (4*int64(r.Parameters) + 2*facts.activations()*int64(min(o.Train.MicroTokens, o.StepTokens)))
	return r, nil
}
