package cpu

import "golang.org/x/sys/cpu"

// native are the levels that need instructions this processor has.
func native() []*kernels {
	var levels []*kernels
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return nil
	}
	levels = append(levels, levelAVX2())
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
		levels = append(levels, levelAVX512())
		if hasAMX() {
			levels = append(levels, levelAMX())
		}
	}
	return levels
}

func levelAVX2() *kernels {
	k := generic()
	k.level, k.rows, k.columns = "avx2", 6, 16
	k.gemm = []func(*tile){gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2}
	k.transpose8, k.transpose4, k.copyA, k.copyB = transpose8AVX2, transpose4AVX2, copyRows6AVX2, copyRows16AVX2
	k.transposeLanes, k.transposeWhole = 8, transposeRows8AVX2
	k.add, k.scale, k.dot = addAVX2, scaleAVX2, dotAVX2
	k.rope, k.ropePairs = ropeAVX2, ropePairsAVX2
	k.most, k.expSum, k.expScale = mostAVX2, expSumAVX2, expScaleAVX2
	k.attentionKernels.addAVX2()
	k.adamw = adamwAVX2
	k.ceilingF32, k.ceilingInt8 = ceilingLoop{peakFMAAVX2, 12 * 8 * 2}, ceilingLoop{peakInt8AVX2, 8 * 32 * 2}
	k.readMemory, k.copyMemory = readMemoryAVX2, copyMemoryAVX2
	k.addBlocks32AVX2(cpu.X86.HasAVXVNNI)
	k.superKernels = superKernelsAVX2()
	return k.complete()
}

// addBF16 adds the multiplication of bfloat16 pairs.
func (k *kernels) addBF16() {
	k.ceilingBF16 = ceilingLoop{peakPairsAVX512, 28 * 32 * 2}
	k.rowsOfPairs = []func(*rowsTile){rowsPairs1AVX512, rowsPairs2AVX512, rowsPairs4AVX512, rowsPairs8AVX512}
	k.gemmPairs = []func(*tile){gemmPairs1x32AVX512, gemmPairs2x32AVX512, gemmPairs3x32AVX512, gemmPairs4x32AVX512, gemmPairs5x32AVX512, gemmPairs6x32AVX512,
		gemmPairs7x32AVX512, gemmPairs8x32AVX512, gemmPairs9x32AVX512, gemmPairs10x32AVX512, gemmPairs11x32AVX512, gemmPairs12x32AVX512}
	k.attentionKernels.addPairs()
	k.transposePairs, k.pairsA, k.pairsB, k.pairLanes = transposePairs8AVX512, pairRows12AVX512, pairRows32AVX512, pairLanesAVX512
}

func levelAVX512() *kernels {
	k := generic()
	k.level, k.rows, k.columns = "avx512", 12, 32
	k.gemm = []func(*tile){gemm1x32AVX512, gemm2x32AVX512, gemm3x32AVX512, gemm4x32AVX512, gemm5x32AVX512, gemm6x32AVX512,
		gemm7x32AVX512, gemm8x32AVX512, gemm9x32AVX512, gemm10x32AVX512, gemm11x32AVX512, gemm12x32AVX512}
	k.transpose8, k.transpose4, k.copyA, k.copyB = transpose8AVX512, transpose4AVX512, copyRows12AVX512, copyRows32AVX512
	k.transposeLanes, k.transposeWhole = 16, transposeRows16AVX512
	k.add, k.scale, k.dot = addAVX512, scaleAVX512, dotAVX512
	k.rope, k.ropePairs = ropeAVX512, ropePairsAVX512
	k.most, k.expSum, k.expScale = mostAVX512, expSumAVX512, expScaleAVX512
	k.attentionKernels.addAVX512()
	k.adamw = adamwAVX512
	k.ceilingF32, k.ceilingInt8 = ceilingLoop{peakFMAAVX512, 28 * 16 * 2}, ceilingLoop{peakInt8AVX2, 8 * 32 * 2}
	k.readMemory, k.copyMemory = readMemoryAVX512, copyMemoryAVX512
	k.addBlocks32AVX2(false)
	k.superKernels = superKernelsAVX2()
	if cpu.X86.HasAVX512VNNI {
		k.ceilingInt8 = ceilingLoop{peakInt8AVX512, 28 * 64 * 2}
		k.addBlocks32AVX512()
		k.superKernels = superKernelsVNNI()
	}
	if cpu.X86.HasAVX512BF16 {
		k.addBF16()
	}
	return k.complete()
}
