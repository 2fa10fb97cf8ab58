package compute

import "lian/dtype"

// Backend owns memory and executes operations.
type Backend interface {
	// Name is short and lower case: ref, cpu, cuda.
	Name() string
	// Alloc returns zeroed memory, aligned to 64 bytes.
	Alloc(bytes int) Buffer
	// Import makes a buffer of bytes that owner keeps alive: zero-copy on a
	// CPU, an upload elsewhere. The bytes must not be written through it.
	Import(data []byte, owner any) Buffer
	// NewStream starts a sequence of operations.
	NewStream() Stream
}

// Stream executes operations in the order of their launch. Only Read waits. The
// first error sticks: later launches do nothing and every Read returns it.
type Stream interface {
	Launcher
	// Write copies bytes from the host into a tensor.
	Write(dst *Tensor, src []byte)
	// Read waits and copies a tensor's bytes to the host.
	Read(src *Tensor, dst []byte) error
	// Err waits for everything launched and returns the first error.
	Err() error
}

// Launcher takes operations: a stream, or a tape that also records them.
type Launcher interface {
	Launch(op Op)
}

// Allocator hands out tensors with undefined content.
type Allocator interface {
	Tensor(t dtype.Type, shape ...int) *Tensor
}

// Op is an operation: a struct of operands and settings.
type Op interface {
	// Name is the operation's name in errors, profiles and registries.
	Name() string
	// Inputs are the tensors read. An operand that is updated in place is
	// both an input and an output.
	Inputs() []*Tensor
	// Outputs are the tensors written.
	Outputs() []*Tensor
	// Check says what is wrong with the operands' types and shapes.
	Check() error
}

// Differentiable is an operation with a gradient.
type Differentiable interface {
	Op
	// Backward launches the operations that carry the outputs' gradients to
	// the inputs.
	Backward(b Backprop)
}

// GradientInForward is an operation that makes its gradients while it runs
// forward because recomputing them costs more (fused cross-entropy). A tape
// calls Prepare before the launch instead of Backward after it.
type GradientInForward interface {
	Op
	Prepare(b Backprop)
}

// Backprop is what a backward rule sees of the tape.
type Backprop interface {
	Launcher
	Allocator
	// Grad is the gradient of an output, nil if nothing depends on it.
	Grad(output *Tensor) *Tensor
	// Into is where an input's gradient goes; nil if nobody wants it.
	// accumulate says that it already holds a part that must be kept.
	Into(input *Tensor) (grad *Tensor, accumulate bool)
}

// fresh returns a tensor that a backward operation may overwrite with the
// gradient of an input, and what to do after its launch. The tensor is nil if
// nobody wants the gradient.
func fresh(b Backprop, input *Tensor) (*Tensor, func()) {
	grad, accumulate := b.Into(input)
	if grad == nil || !accumulate {
		return grad, func() {}
	}
	part := b.Tensor(grad.Type, grad.Shape...)
	return part, func() { b.Launch(&Add{A: grad, B: part, Out: grad}) }
}
