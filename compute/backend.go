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
	// Backend is where the stream runs.
	Backend() Backend
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
	// Inputs appends the tensors read. An operand that is updated in place is
	// both an input and an output.
	Inputs(list []*Tensor) []*Tensor
	// Outputs appends the tensors written.
	Outputs(list []*Tensor) []*Tensor
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
	// Arena is where tensors and operations of the backward pass come from.
	Arena() *Arena
	// Grad is the gradient of an output, nil if nothing depends on it.
	Grad(output *Tensor) *Tensor
	// Into is where an input's gradient goes; nil if nobody wants it.
	// accumulate says that it already holds a part that must be kept.
	Into(input *Tensor) (grad *Tensor, accumulate bool)
}

// freshGradient is a tensor that a backward operation may overwrite with the gradient of an input; done says that it has. To is
// nil if nobody wants the gradient.
type freshGradient struct{ To, sum *Tensor }

func fresh(b Backprop, input *Tensor) freshGradient {
	grad, accumulate := b.Into(input)
	if grad == nil || !accumulate {
		return freshGradient{To: grad}
	}
	return freshGradient{b.Tensor(grad.Type, grad.Shape...), grad}
}

// done adds the part to what was there before.
func (g freshGradient) done(b Backprop) {
	if g.sum != nil {
		launch(b, Add{A: g.sum, B: g.To, Out: g.sum})
	}
}

// launch runs an operation that lives in the arena of the backward pass: a step that has run before allocates nothing.
func launch[O any, P interface {
	*O
	Op
}](b Backprop, op O) {
	x := New[O](b.Arena())
	*x = op
	b.Launch(P(x))
}
