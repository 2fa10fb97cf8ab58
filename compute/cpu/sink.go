package cpu

import "unsafe"

// pastCaches is the size in bytes from which on an output is stored past the caches: of something that large, little is still there
// when it is read, and a plain store first reads what it overwrites.
const pastCaches = 32 << 20

// sink is an output that is computed some values at a time: where it lies, or, if it is large and none of the inputs, in scratch from
// where it is copied past the caches.
type sink struct {
	out  []float32
	slot int
	past bool
}

// sinkOf is the sink of an output; a nil output has one that goes nowhere.
func sinkOf(out []float32, slot int, inputs ...[]float32) sink {
	k := sink{out, slot, len(out)*4 >= pastCaches && uintptr(unsafe.Pointer(unsafe.SliceData(out)))%64 == 0}
	for _, x := range inputs {
		k.past = k.past && unsafe.SliceData(x) != unsafe.SliceData(out)
	}
	return k
}

// at is where values [from, from+n) are to be computed.
func (k *sink) at(s *scratch, from, n int) *float32 {
	if k.out == nil || k.past && n%256 == 0 {
		return at(s.need(k.slot, n), 0)
	}
	return at(k.out, from)
}

// done says that they are.
func (k *sink) done(c *kernels, s *scratch, from, n int) {
	if k.out != nil && k.past && n%256 == 0 {
		c.copyMemory(at(k.out, from), at(s.floats[k.slot], 0), n*4)
	}
}
