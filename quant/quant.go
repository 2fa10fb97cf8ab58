// Package quant stores weights in fewer bits: which type each tensor gets, the
// packing itself, and what it costs.
//
// It guarantees ggml's reference bytes (see dtype), for any number of workers,
// and llama.cpp's choice of types for the same name of a mix, so files are what
// llama-quantize makes of the same weights. Where a tensor cannot have the type
// asked for, it gets another and the choice says why: nothing falls back
// silently. It refuses values that are not finite. It moves no files: chain
// wires it to formats.
package quant

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"lian/dtype"
)

// Types are the element types that Tensor packs to, smallest last.
var Types = []dtype.Type{
	dtype.F32, dtype.F16, dtype.BF16, dtype.Q8_0, dtype.Q6_K, dtype.Q5_1, dtype.Q5_0, dtype.Q5_K,
	dtype.Q4_1, dtype.Q4_0, dtype.Q4_K, dtype.Q3_K, dtype.Q2_K,
}

// Tensor packs a matrix [rows, cols] of values as t. A row must be whole blocks;
// Fit names a type where it is not. Rows are independent, so the bytes do not
// depend on the number of processors that share them.
func Tensor(t dtype.Type, rows, cols int, src []float32) ([]byte, error) {
	size, err := dtype.TensorBytes(t, []int{rows, cols})
	if err != nil {
		return nil, err
	}
	if len(src) != rows*cols {
		return nil, fmt.Errorf("%d values for a matrix [%d %d]", len(src), rows, cols)
	}
	if !dtype.CanQuantize(t) {
		return nil, fmt.Errorf("%v cannot be made from float32", t)
	}
	out := make([]byte, size)
	if size == 0 {
		return out, nil
	}
	rowBytes := size / rows
	workers := min(runtime.GOMAXPROCS(0), rows)
	errs := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for r := rows * w / workers; r < rows*(w+1)/workers; r++ {
				if err := dtype.Quantize(t, src[r*cols:(r+1)*cols], out[r*rowBytes:(r+1)*rowBytes]); err != nil {
					errs[w] = fmt.Errorf("row %d: %w", r, err)
					return
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

// Error is how far packed values are from the original ones.
type Error struct {
	RMSE     float64 `json:"rmse"`     // root of the mean square difference
	Relative float64 `json:"relative"` // RMSE over the root mean square of the values; 0 for zeros
	Largest  float64 `json:"largest"`  // largest difference
}

// Measure compares packed bytes with the values they were made from.
func Measure(t dtype.Type, src []float32, packed []byte) (Error, error) {
	back := make([]float32, len(src))
	if err := dtype.Dequantize(t, packed, back); err != nil {
		return Error{}, err
	}
	var squares, energy, largest float64
	for i, v := range src {
		d := float64(back[i]) - float64(v)
		squares += d * d
		energy += float64(v) * float64(v)
		largest = max(largest, math.Abs(d))
	}
	if len(src) == 0 {
		return Error{}, nil
	}
	e := Error{RMSE: math.Sqrt(squares / float64(len(src))), Largest: largest}
	if energy > 0 {
		e.Relative = math.Sqrt(squares / energy)
	}
	return e, nil
}
