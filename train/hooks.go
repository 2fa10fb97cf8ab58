package train

import (
	"context"

	"lian/compute"
	"lian/model"
)

// Hooks are what others look at or add while a run goes on. All may be left out. None may change what it is given, and none may make
// the run depend on the clock.
type Hooks struct {
	// OnStep is told of every step that moved the weights.
	OnStep func(Progress)
	// OnEvaluate looks at the model after so many steps, at EvalEvery and at the end, after that step has been saved where it is to be.
	// score is better the smaller it is; NaN is none.
	OnEvaluate func(ctx context.Context, step int) (score float64, err error)
	// Describe says of a sequence what people want to read; for refused batches.
	Describe func(Sequence) Description
	// Group names the group whose gradient norm a parameter counts to, "" none.
	Group func(p model.Parameter) string
	// Observers look at gradients and weights around each move.
	Observers []Observer
	// Taps are handed to every forward of a step, which launches on the stream.
	Taps func(step int, s compute.Stream) model.Taps
}

// Observer looks at a step: Before the weights move, when all gradients are there (not yet clipped), and After they have moved, when it may
// still add to what is reported. It may launch operations on the view's stream.
type Observer interface {
	Before(v View) error
	After(v View, p *Progress) error
}

// View is what an observer sees.
type View struct {
	Step     int // steps done before this one
	Stream   compute.Stream
	Weights  *model.Parameters
	Gradient func(weight *compute.Tensor) *compute.Tensor // nil where the step did not reach the weight
	Rate     float64
}
