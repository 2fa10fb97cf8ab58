package cpu

// strip is one product of a few rows with the lanes of one or two registers. The assembly reads it by offset. A is read where it
// lies; see gen/attention_products.go.
type strip struct {
	a, b, c                   *float32
	old, new                  *float32 // factors for each lane: c = c·old + product·new; nil for the product alone
	k                         int
	aStride, bStride, cStride int // bytes
	flags                     uint32
	ahead                     *byte // where the rows lie that come next: kernels for few queries ask for them
}

// stripKernels multiply a few rows of A where they lie; the first index is the registers of lanes less one, the second the rows less one.
type stripKernels struct {
	rows    [2][]func(t *strip) // A with k along memory, rows aStride apart
	columns [2][]func(t *strip) // A with rows along memory, k aStride apart
}

// attentionKernels is what attention has of its own at each level.
type attentionKernels struct {
	narrowKernels
	fewKernels
	pairKernels

	lanes  int // float32 in a register
	strips stripKernels

	prefetch func(p *byte, lines int)

	// Scores of `lanes` queries, a row of stride bytes for each key.
	hideKeys        func(s *float32, stride, keys, key int, first, last *int32)
	softmaxKeys     func(s *float32, stride, keys int, most, sum *float32)
	softmaxKeysGrad func(p, d *float32, stride, keys int, most, mean *float32, scale float32)
	softmaxJoin     func(most, sum, allMost, allSum, old, new *float32, n int)   // n a multiple of lanes
	softcapSlope    func(t, s *float32, stride, keys int, by float32)            // t = 1 − (s·by)²
	mulRows         func(x, y *float32, stride, rows int)                        // x ·= y
	addSlopes       func(s *float32, stride, keys int, distance, slope *float32) // s += slope · distance; distance grows by 1 with each key
	tanhScale       func(x *float32, n int, by float32)                          // x = by · tanh x; n a multiple of lanes
	scaleLanes      func(x *float32, stride, rows int, factor *float32)
	joinLanes       func(x, y *float32, stride, rows int, old, new *float32) // x = x·old + y·new

	widenInt8, widenInt4             func(dst *float32, dstStride int, src *byte, srcStride int, scales *float32, scaleStride, rows, n int)
	widenRows, widenBrain, widenHalf func(dst *float32, dstStride int, src *byte, srcStride, rows, n int, by float32) // n a multiple of lanes
}
