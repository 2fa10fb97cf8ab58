package cpu

// MultipliesBF16 says whether the level in use multiplies bfloat16 pairs (VDPBF16PS), about twice as fast as float32.
func MultipliesBF16() bool { return current != nil && current.gemmPairs != nil }
