package compute

import "lian/dtype"

// KVWrite writes Out[Index[i]] = X[i]: new keys or values into the slots of a cache, in the cache's type. Indices must differ.
//
//	X      [rows, kv heads, head]     float32
//	Index  [rows]                     int32 in [0, slots)
//	Out    [slots, kv heads, head]    float32, float16, bfloat16: rounded to nearest, ties to even
//	       [slots, kv heads, head]    uint8 codes of 8 bits, or [slots, kv heads, (head + 1)/2] of 4: byte i holds the code of
//	                                  element i below and of element i + (head + 1)/2 above
//	Scales [slots, kv heads, 2]       float32 scale and minimum, for codes: value = scale · code + minimum
//
// Codes are made for each head of each row, in float32: minimum = min(x), scale = (max(x) − minimum) / (2^bits − 1), code =
// (x − minimum) · (1 / scale), rounded to nearest, ties to even. A scale below the smallest normal number is 0, its codes too. A
// head with a NaN or ∞, or with a range that is too large, has scale NaN, minimum 0 and codes 0: all its values are NaN.
type KVWrite struct{ X, Index, Out, Scales *Tensor }

// Name implements Op.
func (*KVWrite) Name() string { return "kv_write" }

// Inputs implements Op.
func (o *KVWrite) Inputs(list []*Tensor) []*Tensor { return append(list, o.X, o.Index) }

// Outputs implements Op.
func (o *KVWrite) Outputs(list []*Tensor) []*Tensor { return appendPresent(list, o.Out, o.Scales) }

// Check implements Op.
func (o *KVWrite) Check() error {
	c := check(o).is("X", o.X, dtype.F32, -1, -1, -1).that(o.Out != nil, "Out is missing")
	if c.err != nil {
		return c.err
	}
	c.is("Index", o.Index, dtype.I32, o.X.Shape[0]).cache("Out", o.Out, o.Scales, o.X.Shape[2])
	if c.err != nil {
		return c.err
	}
	return c.that(o.Out.Shape[1] == o.X.Shape[1], "Out %v has other heads than X %v", o.Out, o.X).err
}

// Bits is how many bits a code of a head of a quantised cache has; 0 for other types.
func (o *KVWrite) Bits() int {
	switch {
	case o.Out.Type != dtype.U8:
		return 0
	case o.Out.Shape[2] == o.X.Shape[2]:
		return 8
	}
	return 4
}

var _ = sampled(func() []Sample {
	var list []Sample
	for _, head := range []int{1, 5, 33, 64, 80, 128} {
		for _, kind := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16, dtype.U8, dtype.Invalid} { // the last: 4 bits
			for _, rows := range []int{0, 1, 37} {
				list = append(list, Sample{Name: sampleName("kv_write", kind, head, rows), Make: func(m Maker) Op {
					o := &KVWrite{X: m.Normal(2, rows, 3, head)}
					slots, kind, stored := 2*rows+1, kind, head
					if kind == dtype.Invalid {
						kind, stored = dtype.U8, (head+1)/2
					}
					o.Out = m.Zero(kind, slots, 3, stored)
					if kind == dtype.U8 {
						o.Scales = m.Zero(dtype.F32, slots, 3, 2)
					}
					index := make([]int32, rows)
					for i := range index {
						index[i] = int32(2*rows - 2*i)
					}
					o.Index = m.Ints(index)
					return o
				}, Tolerance: 1e-30})
			}
		}
	}
	return list
})
