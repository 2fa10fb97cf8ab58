package model

import (
	"lian/compute"
	"lian/compute/autograd"
	"lian/dtype"
)

// Precision is how exactly a pass computes; it is recorded with every result.
type Precision string

const (
	// Exact is float32 activations and keys, whatever the weights are.
	Exact Precision = "exact"
	// Fast lets quantised weights meet activations rounded to int8, and bfloat16 weights those rounded to bfloat16, and keeps keys and
	// values as bfloat16.
	Fast Precision = "fast"
)

// Pass is what a forward runs with.
type Pass struct {
	Stream    compute.Stream
	Arena     *compute.Arena
	Tape      *autograd.Tape // nil is inference
	Cache     *Cache         // nil: keys are the batch's own rows
	KV        KVType         // without a cache, what keys and values are rounded to, so that scores are those of generation
	Adapter   Adapter        // of sequences whose batch names none; nil: the model as it is
	Precision Precision
	// BF16 rounds the operands of large products to bfloat16 (accumulation stays float32): training at twice the speed.
	BF16 bool
	// Recompute is what a backward pass makes again; it needs a tape.
	Recompute Recompute
	Taps      Taps

	rows    int       // of the batch that runs
	adapted []Adapted // of its rows
}

// Taps look inside a forward as it runs. A tap reads what it wants before it returns: the tensors are the arena's. They may change
// nothing. What is nil is not called.
type Taps struct {
	// Hidden is given the stream [rows, hidden] that goes into each layer, and as layer number Layers what leaves the last one,
	// before the final norm.
	Hidden func(layer int, x *compute.Tensor)
	// Attention is given a layer's attention as it was launched; AttentionMaps says what its heads look at.
	Attention func(layer int, o *compute.Attention)
	// Input is given what the product with a parameter multiplies [rows, columns].
	Input func(parameter string, x *compute.Tensor)
	// Experts is given what the products with a stack of experts multiply [rows, columns], sorted by expert: expert e has the rows from
	// starts[e] to starts[e+1].
	Experts func(parameter string, x, starts *compute.Tensor)
}

// Launch runs an operation through the tape if there is one.
func (p *Pass) Launch(op compute.Op) {
	if p.Tape != nil {
		p.Tape.Launch(op)
		return
	}
	p.Stream.Launch(op)
}

// Launch runs an operation of a pass: as Pass.Launch, but the operation lives in the pass's arena, so that launching it again
// and again allocates nothing.
func Launch[O any, P interface {
	*O
	compute.Op
}](p *Pass, op O) {
	x := compute.New[O](p.Arena)
	*x = op
	p.Launch(P(x))
}

// Tensor is a float32 tensor of this pass, with undefined content.
func (p *Pass) Tensor(shape ...int) *compute.Tensor { return p.Arena.Tensor(dtype.F32, shape...) }

// Ints brings numbers to the backend.
func (p *Pass) Ints(values []int32) *compute.Tensor {
	t := p.Arena.Tensor(dtype.I32, len(values))
	p.Stream.Write(t, compute.HostBytes(values))
	return t
}

// RoundsTo16 says whether a product with a weight takes its rows rounded to bfloat16: if the pass says so, and in Fast where the
// weight itself is bfloat16, as llama.cpp does.
func (p *Pass) RoundsTo16(weight *compute.Tensor) bool {
	return p.BF16 || p.Precision == Fast && p.Tape == nil && weight.Type == dtype.BF16
}

// Training says whether gradients will be asked for.
func (p *Pass) Training() bool { return p.Tape != nil }
