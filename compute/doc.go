// Package compute is the seam between models and machines: a closed set of
// coarse operations on opaque tensors.
//
// An operation is a struct of operands (MatMul, RMSNorm, Attention …). The file
// that declares it says what it means: shapes, formula, gradient, source. A
// Backend executes operations; ref defines them in float64, cpu is fast. The
// tape of package autograd, planning and profiling act on the same structs, so
// there is one Forward for training and inference.
//
// It guarantees that no operation assumes a Go slice behind a tensor, that no
// launch depends on a value read back, and that results never depend on the
// number of workers. It refuses operands of the wrong shape or type (Check)
// before any of them is touched. It does no arithmetic itself.
package compute
