package cpu

import "math"

// What sampling asks of a row of logits in this process's memory: the level's kernels over plain slices, on the caller's thread.
// They belong to no stream and no backend. A level that LIAN_KERNELS names wrongly leaves plain Go.

func scanKernels() *kernels {
	if current == nil {
		return available[0]
	}
	return current
}

// Maxima writes the largest value of each part of row, all parts of `part` values but the last: dst[i] is that of
// row[i·part:(i+1)·part]. NaN is passed over; a part of nothing else has −∞.
func Maxima(dst, row []float32, part int) {
	k := scanKernels()
	for i := range dst {
		from := i * part
		dst[i] = k.most(at(row, from), min(part, len(row)-from))
	}
}

// ScanPart is the number of values that Exponentials sums up together.
const ScanPart = 4096

// Exponentials writes e to the power of by·x − shift for each x of row, where by·x must be at most shift, and the sums of each
// ScanPart of them. −∞ gives 0, NaN gives NaN, also in the sum.
func Exponentials(dst, sums, row []float32, by, shift float32) {
	k := scanKernels()
	for i := range sums {
		from := i * ScanPart
		n := min(ScanPart, len(row)-from)
		x := at(row, from)
		if by != 1 {
			k.scaleTo(at(dst, from), x, n, by)
			x = at(dst, from)
		}
		sums[i] = k.expSum(at(dst, from), x, n, shift)
	}
}

// LogSumExp is ln Σ exp(x) over a row whose largest value is most; the parts' sums are added in float64.
func LogSumExp(row []float32, most float32) float64 {
	k, sum := scanKernels(), 0.0
	var e [ScanPart]float32
	for from := 0; from < len(row); from += ScanPart {
		sum += float64(k.expSum(&e[0], at(row, from), min(ScanPart, len(row)-from), most))
	}
	return float64(most) + math.Log(sum)
}
