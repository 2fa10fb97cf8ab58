// Package computetest is what every backend must pass: each operation, forward
// and backward, against compute/ref on odd shapes, one row and no rows; operands
// that alias; NaN that stays where it belongs; the same bits for any number of
// workers and for a row alone or among others.
//
// It guarantees that a failure names the operation, the case and the first value
// that differs. It refuses tolerances by shape: one bound holds for all, relative
// to the largest magnitude of the tensor.
package computetest
