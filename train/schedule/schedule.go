// Package schedule is what changes with the step: learning rate, β₂ and tokens in a step.
//
// It guarantees that each is a function of the step alone, so that a run that goes on after an interruption goes on as it
// would have. It refuses settings that contradict each other.
package schedule

import (
	"fmt"
	"math"
)

// Options are the learning rate over a run: IdleSteps without movement, a warm-up, and a shape down to FinalRate.
type Options struct {
	LearningRate float64 `yaml:"lr" help:"peak learning rate; 0 chooses" default:"0" range:"0..1000"`
	Shape        string  `yaml:"schedule" help:"how the learning rate goes on after the warm-up" default:"cosine" range:"constant|linear|cosine|restarts|wsd|inverse_sqrt|polynomial"`
	Warmup       float64 `yaml:"warmup" help:"share of the steps over which the learning rate rises" default:"0.05" range:"0..1"`
	WarmupSteps  int     `yaml:"warmup_steps" help:"steps over which the learning rate rises; 0 takes the share" default:"0" range:"0..100000000"`
	WarmupShape  string  `yaml:"warmup_shape" help:"how the learning rate rises" default:"linear" range:"linear|cosine|1-sqrt"`
	WarmupFrom   float64 `yaml:"warmup_from" help:"learning rate where the warm-up starts, as a share of the peak" default:"0" range:"0..1"`
	ZeroStart    bool    `yaml:"zero_start" help:"the first step of the warm-up has the rate where it starts, as in transformers, not one step of the rise more" default:"false"`
	IdleSteps    int     `yaml:"idle_steps" help:"steps before the warm-up with a learning rate of 0: the optimizer's averages fill" default:"0" range:"0..100000000"`
	FinalRate    float64 `yaml:"final_rate" help:"learning rate at the end, as a share of the peak" default:"0.05" range:"0..1"`
	DecayShare   float64 `yaml:"decay_share" help:"wsd: share of the steps over which the learning rate falls at the end" default:"0.2" range:"0..1"`
	DecaySteps   int     `yaml:"decay_steps" help:"wsd: steps over which the learning rate falls at the end; 0 takes the share" default:"0" range:"0..100000000"`
	DecayShape   string  `yaml:"decay_shape" help:"wsd: how the learning rate falls" default:"1-sqrt" range:"linear|cosine|1-sqrt"`
	Cycles       float64 `yaml:"cycles" help:"restarts: falls from the peak; cosine: whole waves; 0 is 1 fall, half a wave" default:"0" range:"0..100000"`
	Power        float64 `yaml:"power" help:"polynomial: the exponent" default:"1" range:"0..100"`
	Timescale    int     `yaml:"timescale" help:"inverse_sqrt: steps after which the fall has its shape; 0 is the warm-up, without one 10000" default:"0" range:"0..100000000"`
}

// Check says what is wrong with the options for a run of so many steps.
func (o Options) Check(steps int) error {
	switch {
	case !(o.LearningRate >= 0) || math.IsInf(o.LearningRate, 0):
		return fmt.Errorf("lr is %v, expected a number ≥ 0", o.LearningRate)
	case !(o.Warmup >= 0 && o.Warmup <= 1):
		return fmt.Errorf("warmup is %v, expected a share of the steps, 0 to 1", o.Warmup)
	case !(o.FinalRate >= 0 && o.FinalRate <= 1):
		return fmt.Errorf("final_rate is %v, expected a share of lr, 0 to 1", o.FinalRate)
	case o.IdleSteps+o.warm(steps) > steps:
		return fmt.Errorf("idle_steps %d and a warm-up of %d steps are more than the %d steps of the run", o.IdleSteps, o.warm(steps), steps)
	case o.Shape == "wsd" && o.IdleSteps+o.warm(steps)+o.fall(steps) > steps:
		return fmt.Errorf("idle_steps %d, a warm-up of %d steps and a fall of %d are more than the %d steps of the run; lower decay_steps or decay_share",
			o.IdleSteps, o.warm(steps), o.fall(steps), steps)
	}
	return nil
}

// warm is the length of the warm-up in steps.
func (o Options) warm(steps int) int {
	if o.WarmupSteps > 0 {
		return o.WarmupSteps
	}
	return int(math.Round(o.Warmup * float64(steps)))
}

// fall is the length of WSD's last part in steps.
func (o Options) fall(steps int) int {
	if o.DecaySteps > 0 {
		return o.DecaySteps
	}
	return int(math.Round(o.DecayShare * float64(steps)))
}

// Rate is the learning rate of step s (from 0) of a run of so many steps. By default the first step already moves, with
// 1/warm-up of the peak; with ZeroStart the values are those of transformers' schedules.
func (o Options) Rate(s, steps int) float64 {
	warm := o.warm(steps)
	if s -= o.IdleSteps; s < 0 {
		return 0
	}
	steps -= o.IdleSteps
	if s < warm {
		if !o.ZeroStart {
			s++
		}
		return o.LearningRate * (o.WarmupFrom + (1-o.WarmupFrom)*rise(o.WarmupShape, float64(s)/float64(warm)))
	}
	return o.LearningRate * o.after(s, warm, steps)
}

// after is the share of the peak once the warm-up is over.
func (o Options) after(s, warm, steps int) float64 {
	progress := float64(s-warm) / float64(max(steps-warm, 1))
	down := 1 - min(progress, 1) // left of the way
	switch o.Shape {
	case "constant":
		return 1
	case "linear":
	case "polynomial":
		down = math.Pow(down, or(o.Power, 1))
	case "restarts":
		if down > 0 {
			down = wave(math.Mod(or(o.Cycles, 1)*progress, 1))
		}
	case "wsd":
		length := o.fall(steps + o.IdleSteps)
		if s < steps-length {
			return 1
		}
		down = fall(o.DecayShape, min(float64(s-(steps-length))/float64(max(length, 1)), 1))
	case "inverse_sqrt":
		scale := o.Timescale
		if scale == 0 {
			scale = warm
		}
		if scale == 0 {
			scale = 10000
		}
		return max(o.FinalRate, 1/math.Sqrt(float64(s-warm+scale)/float64(scale)))
	default: // cosine
		down = wave(2 * or(o.Cycles, 0.5) * progress)
	}
	return o.FinalRate + (1-o.FinalRate)*down
}

// wave goes from 1 at 0 to 0 at 1, and back at 2.
func wave(x float64) float64 { return (1 + math.Cos(math.Pi*x)) / 2 }

func rise(shape string, x float64) float64 {
	switch shape {
	case "cosine":
		return 1 - wave(x)
	case "1-sqrt":
		return 1 - math.Sqrt(1-x)
	}
	return x
}

// fall is WSD's last part: 1-sqrt is steep at first. Source: Hägele et al., arXiv 2405.18392.
func fall(shape string, x float64) float64 {
	switch shape {
	case "cosine":
		return wave(x)
	case "linear":
		return 1 - x
	}
	return 1 - math.Sqrt(x)
}

func or(x, otherwise float64) float64 {
	if x == 0 {
		return otherwise
	}
	return x
}

// Beta2 is β₂ of step k (from 1): max(base, 1 − k^−power); base where power is 0. Young averages forget faster, which is kind to
// rare tokens. Source: PaLM, arXiv 2204.02311, section 5 (power 0.8); InternEvo's beta2 scheduler.
func Beta2(base, power float64, k int) float64 {
	if power == 0 {
		return base
	}
	return max(base, 1-math.Pow(float64(k), -power))
}
