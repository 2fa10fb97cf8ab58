// Package optim moves parameters along their gradients.
//
// An Optimizer is a table: for each parameter a rule (AdamW, Lion, Muon …) with its states, a factor of the rate and a decay, which the
// groups of its options give by name or kind. Beside it stand what holds for all of them: the norm that gradients are clipped to, an average of
// the weights, and the weights that are to be published, which with an average or without a schedule are not those that are trained.
//
// It guarantees that all it remembers can be read and set by name (State), so that a run resumes exactly, and that what it takes is
// known beforehand (Bytes). It refuses a group that no parameter is in. What a step means is in compute.
package optim

import (
	"fmt"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// Optimizer moves the parameters of a model.
type Optimizer struct {
	options Options
	rates   func(step int) float64
	table   []row
	scratch *compute.Tensor
	clip    clip
}

// row is how one parameter moves.
type row struct {
	parameter
	treatment
	tensor  *compute.Tensor
	rule    Rule
	states  []State
	tensors []*compute.Tensor
	average *compute.Tensor // nil without one
}

// New makes the optimizer of parameters, its states at their start. rates is the learning rate of a step (from 0). Frozen parameters are left out:
// Trained has the others.
func New(b compute.Backend, p *model.Parameters, o Options, rates func(step int) float64) (*Optimizer, error) {
	table, err := tableOf(p, o)
	if err != nil {
		return nil, err
	}
	x := &Optimizer{options: o, rates: rates, table: table}
	s, most := b.NewStream(), 0
	for i := range x.table {
		r := &x.table[i]
		for _, state := range r.states {
			r.tensors = append(r.tensors, compute.NewTensor(b, state.Type, state.Shape...))
		}
		if start, ok := r.rule.(starter); ok {
			start.Start(s, r.tensor, r.tensors)
		}
		if o.Average > 0 {
			r.average = compute.NewTensor(b, dtype.F32, r.shape...)
			copyTo(s, r.average, r.tensor)
		}
		most = max(most, r.scratch())
	}
	if most > 0 {
		x.scratch = compute.NewTensor(b, dtype.F32, most)
	}
	x.clip = newClip(b, o, x.table)
	return x, s.Err()
}

// tableOf lays out the rows of the parameters that move.
func tableOf(p *model.Parameters, o Options) ([]row, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	var all []parameter
	for _, x := range p.All() {
		all = append(all, parameter{x.Name, KindOf(x.Name, x.Tensor.Shape), x.Tensor.Shape})
	}
	treatments, err := treat(all, o)
	if err != nil {
		return nil, err
	}
	var table []row
	for i, x := range p.All() {
		if treatments[i].frozen {
			continue
		}
		with := o
		if t := treatments[i].rule; t != "" {
			with.Rule = t
		}
		rule := with.rule()(with, all[i])
		table = append(table, row{parameter: all[i], treatment: treatments[i], tensor: x.Tensor, rule: rule, states: rule.States()})
	}
	if len(table) == 0 {
		return nil, fmt.Errorf("every parameter is frozen: nothing can be learnt")
	}
	return table, nil
}

// scratch is how many values a rule needs beside its states.
func (r *row) scratch() int {
	if _, ok := r.rule.(muon); !ok {
		return 0
	}
	n := len(r.shape)
	return r.shape[n-2] * r.shape[n-1]
}

// Bytes is the memory of the optimizer of these parameters, of which only names and shapes are looked at.
func Bytes(p *model.Parameters, o Options) (int64, error) {
	table, err := tableOf(p, o)
	if err != nil {
		return 0, err
	}
	most := 0
	for i := range table {
		most = max(most, table[i].scratch())
	}
	return sizeOf(table, o) + 4*int64(most), nil
}

// Bytes is the memory of the optimizer.
func (x *Optimizer) Bytes() int64 {
	n := sizeOf(x.table, x.options)
	if x.scratch != nil {
		n += int64(x.scratch.Bytes())
	}
	return n
}

// sizeOf is what states and averages take.
func sizeOf(table []row, o Options) (sum int64) {
	for _, r := range table {
		for _, s := range r.states {
			sum += int64(s.Type.Bytes(elements(s.Shape)))
		}
		if o.Average > 0 {
			sum += 4 * int64(r.elements())
		}
	}
	return sum
}

// Trained are the parameters that move: those without the frozen ones.
func (x *Optimizer) Trained() *model.Parameters {
	var p model.Parameters
	for _, r := range x.table {
		p.Add(r.name, r.tensor)
	}
	return &p
}

// Step moves every parameter that has a gradient; step counts from 1. Measure must have been launched for these gradients. They may be overwritten.
func (x *Optimizer) Step(s compute.Launcher, step int, grad func(*compute.Tensor) *compute.Tensor) {
	x.clip.factors(s)
	for i := range x.table {
		r := &x.table[i]
		g := grad(r.tensor)
		if g == nil {
			continue
		}
		r.rule.Step(s, Move{Param: r.tensor, Grad: g, Scale: x.clip.factor(r.kind), States: r.tensors, Scratch: x.scratch, Step: step,
			Rate: r.rate * x.rates(step-1), Decay: r.decay, Rates: func(k int) float64 { return x.rates(k - 1) }})
	}
	x.averages(s, step)
}

// State is all that the optimizer remembers, by name, in a fixed order. Where published weights are not those that are trained, the trained ones
// are among them, as "trained/NAME".
func (x *Optimizer) State() *model.Parameters {
	var p model.Parameters
	for _, r := range x.table {
		for i, s := range r.states {
			p.Add(s.Name+"/"+r.name, r.tensors[i])
		}
		if r.average != nil {
			p.Add("average/"+r.name, r.average)
		}
		if r.publishes() {
			p.Add("trained/"+r.name, r.tensor)
		}
	}
	return &p
}
