package cpu

import (
	"lian/compute"
	"lian/compute/host"
	"lian/random"
)

// dropoutKernels are the kernels of Dropout. number is the first of the stream that is drawn, two elements from each.
type dropoutKernels struct {
	dropout func(out, x *float32, n int, key uint64, number int, below uint32, scale float32)
}

var _ = provides((*backend).dropoutOp)

func (b *backend) dropoutOp(o *compute.Dropout) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, out, first := host.F32(o.X), host.F32(o.Out), o.First
	if first%2 == 1 && len(out) > 0 { // the upper half of a number whose lower half belongs to someone else
		pair := [2]float32{0, x[0]}
		b.dropout(&pair[0], &pair[0], 2, uint64(o.Key), first/2, o.Below(), o.Scale())
		out[0] = pair[1]
		x, out, first = x[1:], out[1:], first+1
	}
	k := sinkOf(out, slotF, x)
	b.stretches(len(out), func(s *scratch, from, n int) {
		b.dropout(k.at(s, from, n), at(x, from), n, uint64(o.Key), (first+from)/2, o.Below(), o.Scale())
		k.done(b.kernels, s, from, n)
	})
	return nil
}

var _ = kernelsOf("generic", func(k *kernels) {
	k.dropout = func(out, x *float32, n int, key uint64, number int, below uint32, scale float32) {
		o := slice(out, n)
		for i, v := range slice(x, n) {
			if uint32(random.Key(key).Uint64(number+i/2)>>(32*(i&1))) < below {
				o[i] = 0
			} else {
				o[i] = v * scale
			}
		}
	}
})
