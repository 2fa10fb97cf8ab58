package train

import (
	"fmt"

	"lian/model"
	"lian/train/guard"
	"lian/train/optim"
	"lian/train/schedule"
)

// Options are the settings of a run.
type Options struct {
	Steps          int              `yaml:"steps" help:"optimizer steps; 0 chooses: from the data and the size (pretrain), three passes (finetune)" default:"0" range:"0..100000000"`
	Schedule       schedule.Options `yaml:",inline"`
	Optimizer      optim.Options    `yaml:",inline"`
	LabelSmoothing float64          `yaml:"label_smoothing" help:"share of each target that goes to all tokens alike" default:"0" range:"0..1"`
	ZLoss          float64          `yaml:"z_loss" help:"factor of the square of the logits' logsumexp in the loss, which keeps logits small (PaLM: 1e-4); the loss that is told is without it" default:"0" range:"0..1"`
	MicroTokens    int              `yaml:"micro_tokens" help:"tokens in one forward and backward; more needs more memory" default:"2048" range:"1..10000000"`
	EvalEvery      int              `yaml:"eval_every" help:"steps between looks at held-out text; 0 looks only at the end" default:"0" range:"0..100000000" resume:"free"`
	SaveEvery      int              `yaml:"save_every" help:"steps between checkpoints; 0 counts no steps" default:"0" range:"0..100000000" resume:"free"`
	SaveMinutes    float64          `yaml:"save_minutes" help:"minutes between checkpoints at most; 0 looks at no clock" default:"10" range:"0..100000" resume:"free"`
	KeepLast       int              `yaml:"keep_last" help:"newest checkpoints that stay" default:"2" range:"1..1000000" resume:"free"`
	KeepEvery      int              `yaml:"keep_every" help:"checkpoints at multiples of so many steps stay; 0 none" default:"0" range:"0..100000000" resume:"free"`
	KeepBest       bool             `yaml:"keep_best" help:"save before each look at held-out text and keep the best" default:"false" resume:"free"`
	SaveInline     bool             `yaml:"save_inline" help:"training waits while a checkpoint is written, which saves the memory of a copy" default:"false" resume:"free"`
	SaveFailure    string           `yaml:"save_failure" help:"what a checkpoint that cannot be written does: is told and the run goes on, or stops it" default:"tell" range:"tell|stop" resume:"free"`
	Guard          guard.Options    `yaml:"guard"`
	HangAfter      float64          `yaml:"hang_after" help:"a step that takes so many times the median is told, with what the program is doing in a file; 0 does not watch" default:"20" range:"0..1000000" resume:"free"`
	DType          string           `yaml:"dtype" help:"what large products read: f32, or bf16, to which their operands are rounded (sums, weights and states stay float32)" default:"f32" range:"f32|bf16"`
	Recompute      model.Recompute  `yaml:"recompute" help:"what the backward pass makes again to save memory, with the same bytes: none, selective (norms and gates), full, or a share of the layers such as 0.5" default:"selective" resume:"free"`
	Seed           uint64           `yaml:"seed" help:"seed of everything random" default:"1"`
}

// SaveFailureStop ends a run whose checkpoint cannot be written.
const SaveFailureStop = "stop"

// Rate is the learning rate of step s (from 0).
func (o Options) Rate(s int) float64 { return o.Schedule.Rate(s, o.Steps) }

// The values of DType.
const (
	DTypeF32  = "f32"
	DTypeBF16 = "bf16"
)

// BF16 says whether large products read bfloat16.
func (o Options) BF16() bool { return o.DType == DTypeBF16 }

// Check says what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Steps < 1:
		return fmt.Errorf("steps is %d, expected ≥ 1", o.Steps)
	case o.MicroTokens < 1:
		return fmt.Errorf("micro_tokens is %d, expected ≥ 1", o.MicroTokens)
	case o.DType != "" && o.DType != DTypeF32 && o.DType != DTypeBF16:
		return fmt.Errorf("dtype is %q, expected f32 or bf16", o.DType)
	}
	if err := o.Recompute.Check(); err != nil {
		return err
	}
	if err := o.Schedule.Check(o.Steps); err != nil {
		return err
	}
	return o.Optimizer.Check()
}
