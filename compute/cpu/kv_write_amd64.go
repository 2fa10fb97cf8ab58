package cpu

func (k *narrowKernels) addAVX2() {
	k.narrowBrain, k.narrowHalf, k.rowExtent, k.narrowCodes8, k.narrowCodes4 = narrowBrainAVX2, narrowHalfAVX2, rowExtentAVX2, narrowCodes8AVX2, narrowCodes4AVX2
}

func (k *narrowKernels) addAVX512() {
	k.narrowBrain, k.narrowHalf, k.rowExtent, k.narrowCodes8, k.narrowCodes4 = narrowBrainAVX512, narrowHalfAVX512, rowExtentAVX512, narrowCodes8AVX512, narrowCodes4AVX512
}
