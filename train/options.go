package train

import (
	"fmt"
	"math"
)

// Options are the settings of a run.
type Options struct {
	Steps        int     `yaml:"steps" help:"optimizer steps" default:"100" range:"1..100000000"`
	LearningRate float64 `yaml:"lr" help:"peak learning rate" default:"0.003" range:"0..1"`
	Warmup       float64 `yaml:"warmup" help:"share of the steps over which the learning rate rises" default:"0.05" range:"0..1"`
	FinalRate    float64 `yaml:"final_rate" help:"learning rate at the end, as a share of the peak" default:"0.05" range:"0..1"`
	Beta1        float64 `yaml:"beta1" help:"AdamW: decay of the mean" default:"0.9" range:"0..1"`
	Beta2        float64 `yaml:"beta2" help:"AdamW: decay of the square" default:"0.95" range:"0..1"`
	Epsilon      float64 `yaml:"epsilon" help:"AdamW: added to the denominator" default:"1e-8" range:"0..1"`
	Decay        float64 `yaml:"decay" help:"weight decay of matrices; vectors have none" default:"0.1" range:"0..10"`
	ClipNorm     float64 `yaml:"clip_norm" help:"largest norm of the gradient; 0 does not clip" default:"1" range:"0..1000000"`
	MicroTokens  int     `yaml:"micro_tokens" help:"tokens in one forward and backward; more needs more memory" default:"2048" range:"1..10000000"`
	EvalEvery    int     `yaml:"eval_every" help:"steps between looks at held-out text; 0 looks only at the end" default:"0" range:"0..100000000"`
	SaveEvery    int     `yaml:"save_every" help:"steps between checkpoints; 0 keeps none" default:"0" range:"0..100000000"`
	BF16         bool    `yaml:"bf16" help:"round the operands of large products to bfloat16 (needs a CPU that has it; sums stay float32)" default:"false"`
	Seed         uint64  `yaml:"seed" help:"seed of everything random" default:"1"`
}

// Rate is the learning rate of step s (from 0): a line up to the peak over the warm-up, then a cosine down to FinalRate of it.
// The first step already moves, with 1/warm-up of the peak.
func (o Options) Rate(s int) float64 {
	warm := int(math.Round(o.Warmup * float64(o.Steps)))
	if s < warm {
		return o.LearningRate * float64(s+1) / float64(warm)
	}
	progress := float64(s-warm) / float64(max(o.Steps-warm, 1))
	return o.LearningRate * (o.FinalRate + (1-o.FinalRate)*(1+math.Cos(math.Pi*progress))/2)
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Steps < 1:
		return fmt.Errorf("steps is %d, expected ≥ 1", o.Steps)
	case o.MicroTokens < 1:
		return fmt.Errorf("micro_tokens is %d, expected ≥ 1", o.MicroTokens)
	case !(o.LearningRate >= 0) || !(o.Warmup >= 0 && o.Warmup <= 1):
		return fmt.Errorf("lr is %v and warmup %v, expected ≥ 0 and a share of the steps", o.LearningRate, o.Warmup)
	}
	return nil
}
