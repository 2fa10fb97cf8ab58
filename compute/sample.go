package compute

import (
	"fmt"
	"strings"

	"lian/dtype"
)

// Sample is an operation on operands of one odd shape, registered beside the operation. The compliance suite
// (compute/computetest) runs every sample on every backend against the reference backend, for several numbers of workers, and
// holds the gradient of every differentiable sample against finite differences.
type Sample struct {
	Name      string // of the operation, a slash and what is odd: "gelu/257"
	Make      func(m Maker) Op
	Tolerance float64 // largest difference relative to the output's largest value; 0 means 2e-6: float32 chains of a few hundred
	Floor     float64 // magnitude that differences are relative to, at least; for results that cancel

	// GradientTolerance is the largest relative difference of a directional derivative from its finite difference; 0 means 2e-3,
	// negative that the operation is not smooth at its operands (sorting, rounding) and is left out.
	GradientTolerance float64

	// Finite says that the operation promises nothing for NaN, infinite and other special values.
	Finite bool
}

// Maker makes operands on a backend: equal ones for equal calls.
type Maker interface {
	// Zero is a tensor of zeros.
	Zero(t dtype.Type, shape ...int) *Tensor
	// Normal is a float32 tensor of normal values times scale.
	Normal(scale float64, shape ...int) *Tensor
	// Packed is a tensor of another type with normal values times scale.
	Packed(t dtype.Type, scale float64, shape ...int) *Tensor
	// PackedAtRandom is a tensor of a packed type with random codes and small scales.
	PackedAtRandom(t dtype.Type, shape ...int) *Tensor
	// Set fills a float32 tensor and returns it.
	Set(t *Tensor, values []float32) *Tensor
	// Floats is the content of a float32 tensor.
	Floats(t *Tensor) ([]float32, error)
	// Ints is an int32 tensor, of one axis if no shape is given.
	Ints(values []int32, shape ...int) *Tensor
	// Bytes is a tensor of any type with these bytes.
	Bytes(t dtype.Type, raw []byte, shape ...int) *Tensor
	// Below is n numbers in [low, high).
	Below(n int, low, high int32) []int32
	// Launch runs an operation that a sample needs first, such as the forward pass of a gradient.
	Launch(op Op)
}

var samples []func() []Sample

// sampled registers the samples of an operation; list is called by those who want them.
func sampled(list func() []Sample) struct{} {
	samples = append(samples, list)
	return struct{}{}
}

// Samples are all registered samples.
func Samples() []Sample {
	var all []Sample
	for _, list := range samples {
		all = append(all, list()...)
	}
	return all
}

// sampleName joins an operation's name and what is odd about a sample by slashes.
func sampleName(op string, parts ...any) string {
	var name strings.Builder
	name.WriteString(op)
	for _, p := range parts {
		fmt.Fprintf(&name, "/%v", p)
	}
	return name.String()
}

// OddSizes are numbers of values around the widths of registers and the lengths of kernel calls, for samples.
func OddSizes() []int {
	return []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 255, 257, 4095, 4097, 10007}
}
