// Package cpu is the backend that computes on this machine's processors.
//
// Hot kernels are Go assembly written by the generator in gen, at these levels:
// generic (plain Go), AVX2 with FMA, AVX-512, and AMX, which is AVX-512 but for
// products of bfloat16. The level is what the processor offers, or what the
// variable LIAN_KERNELS names.
//
// It guarantees that a result depends on the operands and on the level, never on
// the number of workers; that a row of a product, a norm or an attention is the
// same alone or among others, bit for bit; and that no kernel call is longer
// than about 100 µs, so that the runtime can stop a goroutine. It refuses a level
// that the processor lacks.
package cpu

//go:generate go run ./gen
