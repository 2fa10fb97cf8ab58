// Package quant stores weights in fewer bits: which type each tensor gets, the
// packing itself, how important each input is, and what it costs.
//
// It guarantees ggml's reference bytes (see dtype), for any number of workers,
// and llama.cpp's choice of types for the same name of a mix, so files are what
// llama-quantize makes of the same weights. Where a tensor cannot have the type
// asked for, it gets another and the choice says why: nothing falls back
// silently. It refuses values that are not finite. It moves no model files: chain
// wires it to formats.
package quant

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"lian/dtype"
)

// portionValues is about how many values a worker takes at once.
const portionValues = 1 << 14

// Pack writes a tensor [experts, rows, columns] (or without experts), stored as from, as type to. importance has a number for
// each column of each expert, or is nil. A row must be whole blocks; Fit names a type where it is not. Rows are independent, so
// the bytes do not depend on the number of processors that share them.
func Pack(to, from dtype.Type, shape []int, src []byte, importance []float32) ([]byte, error) {
	size, err := dtype.TensorBytes(to, shape)
	if err != nil {
		return nil, err
	}
	if want, err := dtype.TensorBytes(from, shape); err != nil || want != len(src) {
		return nil, errors.Join(err, fmt.Errorf("%d bytes for %v %v, expected %d", len(src), from, shape, want))
	}
	out := make([]byte, size)
	if size == 0 {
		return out, nil
	}
	cols, elements := shape[len(shape)-1], to.BlockSize()*(size/to.BlockBytes())
	rows, each := elements/cols, 1 // each: rows of one expert
	each = rows
	if len(shape) > 2 {
		each = shape[len(shape)-2]
	}
	if importance != nil && len(importance) != rows/each*cols {
		return nil, fmt.Errorf("an importance of %d values for a tensor %v, expected %d", len(importance), shape, rows/each*cols)
	}
	portion := max(portionValues/cols, 1)
	rowIn, rowOut := len(src)/rows, size/rows
	var next atomic.Int64
	workers := min(runtime.GOMAXPROCS(0), (rows+portion-1)/portion)
	errs := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			values := make([]float32, portion*cols)
			for errs[w] == nil {
				first := int(next.Add(int64(portion))) - portion
				if first >= rows {
					return
				}
				last := min(first+portion, rows)
				values := values[:(last-first)*cols]
				if errs[w] = dtype.Dequantize(from, src[first*rowIn:last*rowIn], values); errs[w] != nil {
					return
				}
				for r := first; r < last && errs[w] == nil; r++ {
					row, dst := values[(r-first)*cols:(r-first+1)*cols], out[r*rowOut:(r+1)*rowOut]
					if importance == nil {
						errs[w] = dtype.Quantize(to, row, dst)
					} else {
						errs[w] = dtype.QuantizeWeighted(to, row, importance[r/each*cols:(r/each+1)*cols], dst)
					}
					if errs[w] != nil {
						errs[w] = fmt.Errorf("row %d: %w", r, errs[w])
					}
				}
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
