package optim

import (
	"lian/compute"
	"lian/dtype"
)

// Rule moves a parameter.
type Rule interface {
	// States are what the rule keeps of it.
	States() []State
	// Step launches one step.
	Step(s compute.Launcher, m Move)
}

// starter is a rule whose states do not start at zero.
type starter interface {
	Start(s compute.Launcher, param *compute.Tensor, states []*compute.Tensor)
}

// State is a tensor that a rule keeps of a parameter.
type State struct {
	Name  string
	Type  dtype.Type
	Shape []int
}

// Move is a step of one parameter.
type Move struct {
	Param, Grad *compute.Tensor
	Scale       *compute.Tensor   // factor of the gradient
	States      []*compute.Tensor // in the order of Rule.States
	Scratch     *compute.Tensor   // float32, as many values as the parameter has
	Step        int               // from 1
	Rate, Decay float64
	Rates       func(step int) float64 // learning rates of all steps (from 1), without the group's factor
}

// rules are the rules by name. A rule is made for a parameter, of which it may ask name, kind and shape.
var rules = map[string]func(o Options, p parameter) Rule{}

// like is a float32 state of a parameter's shape.
func like(name string, shape []int) State { return State{name, dtype.F32, shape} }
