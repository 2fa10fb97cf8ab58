package compute

import "lian/dtype"

// A few channels of a decoder's activations are many times as large as the others. Rounded in a block with them, their neighbours
// keep two or three bits. So products that round activations to int8 (MatMul with Fast) take such values out of their blocks and
// multiply them as float32 with the weight's column. Source of the idea: Dettmers et al., LLM.int8(), arXiv 2208.07339; the rule here is
// one of each row alone, so a row's result does not depend on the other rows.

// MostOutliers is how many values of a row are outliers at most.
const MostOutliers = 15

// OutlierBound is what the square of an outlier is larger than, in a row of k values whose squares have a sum: a sixteenth of
// the sum, and sixteen times the mean square. It is NaN, and there is no outlier, where the sum is NaN. Of more than MostOutliers the
// first ones are taken.
func OutlierBound(squares float64, k int) float32 {
	return float32(squares * max(1.0/16, 16/float64(k)))
}

// RoundsActivations says whether products with weights of a type round activations to int8 with Fast: types whose values are whole numbers
// times a scale. Of the others (IQ1, IQ2, IQ3, ternary …) the dequantised values are multiplied, so rounding would cost accuracy and
// gain nothing.
func RoundsActivations(t dtype.Type) bool {
	switch t {
	case dtype.Q4_0, dtype.Q4_1, dtype.Q5_0, dtype.Q5_1, dtype.Q8_0, dtype.IQ4_NL, dtype.MXFP4,
		dtype.Q2_K, dtype.Q3_K, dtype.Q4_K, dtype.Q5_K, dtype.Q6_K, dtype.IQ4_XS:
		return true
	}
	return false
}
