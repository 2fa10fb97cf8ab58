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
	}
	return levels
}

func levelAVX2() *kernels {
	k := generic()
	k.level, k.rows, k.columns = "avx2", 6, 16
	k.gemm = []func(*tile){gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2}
	k.transpose8, k.transpose4, k.copyA, k.copyB = transpose8AVX2, transpose4AVX2, copyRows6AVX2, copyRows16AVX2
	return k
}

func levelAVX512() *kernels {
	k := generic()
	k.level, k.rows, k.columns = "avx512", 12, 32
	k.gemm = []func(*tile){gemm1x32AVX512, gemm2x32AVX512, gemm3x32AVX512, gemm4x32AVX512, gemm5x32AVX512, gemm6x32AVX512,
		gemm7x32AVX512, gemm8x32AVX512, gemm9x32AVX512, gemm10x32AVX512, gemm11x32AVX512, gemm12x32AVX512}
	k.transpose8, k.transpose4, k.copyA, k.copyB = transpose8AVX512, transpose4AVX512, copyRows12AVX512, copyRows32AVX512
	return k
}
