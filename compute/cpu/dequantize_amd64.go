package cpu

func (k *kernels) addDequantizeAVX2() {
	k.dequantizers = dequantizersOf(dequantizeF16AVX2, dequantizeBF16AVX2, dequantizeQ4_0AVX2, dequantizeQ4_1AVX2, dequantizeQ5_0AVX2, dequantizeQ5_1AVX2,
		dequantizeQ8_0AVX2, dequantizeQ2_KAVX2, dequantizeQ3_KAVX2, dequantizeQ4_KAVX2, dequantizeQ5_KAVX2, dequantizeQ6_KAVX2,
		dequantizeIQ4_NLAVX2, dequantizeIQ4_XSAVX2, dequantizeMXFP4AVX2)
}

func (k *kernels) addDequantizeAVX512() {
	k.dequantizers = dequantizersOf(dequantizeF16AVX512, dequantizeBF16AVX512, dequantizeQ4_0AVX512, dequantizeQ4_1AVX512, dequantizeQ5_0AVX512, dequantizeQ5_1AVX512,
		dequantizeQ8_0AVX512, dequantizeQ2_KAVX512, dequantizeQ3_KAVX512, dequantizeQ4_KAVX512, dequantizeQ5_KAVX512, dequantizeQ6_KAVX512,
		dequantizeIQ4_NLAVX512, dequantizeIQ4_XSAVX512, dequantizeMXFP4AVX512)
}
