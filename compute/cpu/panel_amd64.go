package cpu

var _ = kernelsOf("avx2", func(k *kernels) {
	k.turnB = [packForms]func(*float32, int, *byte, int, int, int){turn8AVX2, turnBrain8AVX2, turnHalf8AVX2}
	k.tilesA[formFloats] = tiles6AVX2
	k.rowsOf = [turnForms][]func(*rowsTile){{rows1AVX2, rows2AVX2, rows4AVX2}, {rowsBrain1AVX2, rowsBrain2AVX2, rowsBrain4AVX2}, {rowsHalf1AVX2, rowsHalf2AVX2, rowsHalf4AVX2}}
	k.tilesB[formFloats], k.tilesB[formBrain], k.tilesB[formHalf] = tiles16AVX2, tilesBrain16AVX2, tilesHalf16AVX2
})

var _ = kernelsOf("avx512", func(k *kernels) {
	k.turnB = [packForms]func(*float32, int, *byte, int, int, int){turn16AVX512, turnBrain16AVX512, turnHalf16AVX512, turnPairs16AVX512}
	k.turnA = [packForms]func(*float32, int, *byte, int, int, int){turn12AVX512, turnBrain12AVX512, turnHalf12AVX512, turnPairs12AVX512}
	k.rowsOf = [turnForms][]func(*rowsTile){{rows1AVX512, rows2AVX512, rows4AVX512, rows8AVX512}, {rowsBrain1AVX512, rowsBrain2AVX512, rowsBrain4AVX512, rowsBrain8AVX512},
		{rowsHalf1AVX512, rowsHalf2AVX512, rowsHalf4AVX512, rowsHalf8AVX512}}
	k.tilesA = [packForms]func(*float32, int, *byte, int, int, int){tiles12AVX512, tilesBrain12AVX512, tilesHalf12AVX512, tilesPairs12AVX512, tilesBrainPairs12AVX512}
	k.tilesB = [packForms]func(*float32, int, *byte, int, int, int){tiles32AVX512, tilesBrain32AVX512, tilesHalf32AVX512, tilesPairs32AVX512, tilesBrainPairs32AVX512}
})
