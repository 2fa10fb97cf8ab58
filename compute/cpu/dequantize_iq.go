package cpu

import (
	"math/bits"
	"sync"

	"lian/dtype"
)

// latticeKernels dequantise blocks of the lattice formats with tables that are made at the first use.
type latticeKernels struct {
	iq2XXS, iq2XS, iq2S, iq3XXS, iq3S, iq1S, iq1M func(dst *float32, src *byte, blocks int, points *int8, signs *uint32, tables *float32)
}

var _, _ = kernelsOf("avx2", latticeDequantizers), kernelsOf("avx512", latticeDequantizers)

// latticeTables are what kernels look up besides points: rows of eight sign bits, for any byte and for the seven bits that stand
// for an even number of minuses; scales; shifts of IQ1.
type latticeTables struct {
	any    [256][8]uint32
	even   [128][8]uint32
	scales [34]float32 // ½+s, 1+2s, ±⅛
}

var tablesOfLattices = sync.OnceValue(func() *latticeTables {
	t := new(latticeTables)
	for s := range t.any {
		for i := range 8 {
			t.any[s][i] = uint32(s) >> i << 31
		}
	}
	for s := range t.even {
		t.even[s] = t.any[s|bits.OnesCount(uint(s))&1<<7]
	}
	for s := range 16 {
		t.scales[s], t.scales[16+s] = 0.5+float32(s), float32(1+2*s)
	}
	t.scales[32], t.scales[33] = 0.125, -0.125
	return t
})

// latticeDequantizers puts the kernels behind the signature that all types have.
func latticeDequantizers(k *kernels) {
	t := tableOf[latticeKernels](k)
	for kind, f := range map[dtype.Type]struct {
		kernel *func(dst *float32, src *byte, blocks int, points *int8, signs *uint32, tables *float32)
		even   bool
	}{
		dtype.IQ2_XXS: {&t.iq2XXS, true}, dtype.IQ2_XS: {&t.iq2XS, true}, dtype.IQ2_S: {&t.iq2S, false},
		dtype.IQ3_XXS: {&t.iq3XXS, true}, dtype.IQ3_S: {&t.iq3S, false}, dtype.IQ1_S: {&t.iq1S, false}, dtype.IQ1_M: {&t.iq1M, false},
	} {
		k.dequantizers[kind] = func(dst *float32, src *byte, blocks int) {
			tables := tablesOfLattices()
			signs := &tables.any[0][0]
			if f.even {
				signs = &tables.even[0][0]
			}
			(*f.kernel)(dst, src, blocks, &dtype.Lattice(kind)[0], signs, &tables.scales[0])
		}
	}
}
