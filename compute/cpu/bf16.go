package cpu

// MultipliesBF16 says whether the level in use multiplies bfloat16: by tile units (AMX, five times as fast as float32), or in pairs
// (VDPBF16PS: twice as fast on AMD, half as fast on an Intel processor whose tile units are not used).
func MultipliesBF16() bool { return current != nil && current.gemmPairs != nil }
