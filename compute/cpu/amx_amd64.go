package cpu

import (
	"math"

	"golang.org/x/sys/cpu"
)

// tileShapes is the operand of LDTILECFG: eight tile registers of 16 rows of 64 bytes.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, section 18.2.
var tileShapes = func() *[64]byte {
	t := &[64]byte{0: 1}
	for i := range 8 {
		t[16+2*i], t[48+i] = 64, 16
	}
	return t
}()

// levelAMX is avx512 with another arithmetic for products of bfloat16.
func levelAMX() *kernels {
	k := levelAVX512()
	k.level = "amx"
	k.amx = &amxKernels{
		config: &tileShapes[0], rows: amxRowsAVX512, columns: amxColumnsAVX512, few: rowsTilesAVX512, fewRows: rowsOfTilesAVX512,
		floats: amxPackers{amxPackRowsAVX512, amxPackPairsAVX512, amxTurnRowsAVX512, amxTurnPairsAVX512},
		brains: amxPackers{amxPackRows16AVX512, amxPackPairs16AVX512, amxTurnRows16AVX512, amxTurnPairs16AVX512},
	}
	space := aligned(2 * amxUnit)
	for i := range space { // pairs of numbers between 0.5 and 2: zeros would have a higher clock
		space[i] = math.Float32frombits(0x3f003f00 | uint32(i*0x9e3779b1)&0x00ff00ff)
	}
	k.ceilingBF16 = ceilingLoop{func(rounds int) { amxPeakAVX512(&tileShapes[0], at(space, 0), rounds) }, 4 * 2 * 16 * 16 * 32}
	return k
}

func hasAMX() bool {
	return cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && cpu.X86.HasAVX512BF16 && mayUseTiles()
}
