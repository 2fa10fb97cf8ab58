package train

import (
	"fmt"

	"lian/train/optim"
	"lian/train/schedule"
)

// Options are the settings of a run.
type Options struct {
	Steps       int              `yaml:"steps" help:"optimizer steps" default:"100" range:"1..100000000"`
	Schedule    schedule.Options `yaml:",inline"`
	Optimizer   optim.Options    `yaml:",inline"`
	MicroTokens int              `yaml:"micro_tokens" help:"tokens in one forward and backward; more needs more memory" default:"2048" range:"1..10000000"`
	EvalEvery   int              `yaml:"eval_every" help:"steps between looks at held-out text; 0 looks only at the end" default:"0" range:"0..100000000"`
	SaveEvery   int              `yaml:"save_every" help:"steps between checkpoints; 0 keeps none" default:"0" range:"0..100000000"`
	BF16        bool             `yaml:"bf16" help:"round the operands of large products to bfloat16 (needs a CPU that has it; sums stay float32)" default:"false"`
	Seed        uint64           `yaml:"seed" help:"seed of everything random" default:"1"`
}

// Rate is the learning rate of step s (from 0).
func (o Options) Rate(s int) float64 { return o.Schedule.Rate(s, o.Steps) }

// Check says what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Steps < 1:
		return fmt.Errorf("steps is %d, expected ≥ 1", o.Steps)
	case o.MicroTokens < 1:
		return fmt.Errorf("micro_tokens is %d, expected ≥ 1", o.MicroTokens)
	}
	if err := o.Schedule.Check(o.Steps); err != nil {
		return err
	}
	return o.Optimizer.Check()
}
