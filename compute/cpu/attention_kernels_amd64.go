package cpu

func (k *attentionKernels) addAVX2() {
	k.lanes = 8
	k.narrowKernels.addAVX2()
	k.prefetch = prefetchLinesAVX2
	k.strips = stripKernels{
		rows: [2][]func(*strip){
			{stripRows1x8AVX2, stripRows2x8AVX2, stripRows3x8AVX2, stripRows4x8AVX2, stripRows5x8AVX2, stripRows6x8AVX2},
			{stripRows1x16AVX2, stripRows2x16AVX2, stripRows3x16AVX2, stripRows4x16AVX2, stripRows5x16AVX2, stripRows6x16AVX2},
		},
		columns: [2][]func(*strip){
			{stripColumns1x8AVX2, stripColumns2x8AVX2, stripColumns3x8AVX2, stripColumns4x8AVX2, stripColumns5x8AVX2, stripColumns6x8AVX2},
			{stripColumns1x16AVX2, stripColumns2x16AVX2, stripColumns3x16AVX2, stripColumns4x16AVX2, stripColumns5x16AVX2, stripColumns6x16AVX2},
		},
	}
	k.hideKeys, k.softmaxKeys, k.softmaxKeysGrad, k.softmaxJoin, k.scaleLanes = hideKeysAVX2, softmaxKeysAVX2, softmaxKeysGradAVX2, softmaxJoinAVX2, scaleLanesAVX2
	k.softcapSlope, k.mulRows, k.addSlopes, k.tanhScale, k.joinLanes = softcapSlopeAVX2, mulRowsAVX2, addSlopesAVX2, tanhScaleAVX2, joinLanesAVX2
	k.widenInt8, k.widenInt4 = widenInt8AVX2, widenInt4AVX2
	k.widenRows, k.widenBrain, k.widenHalf = widenRowsAVX2, widenBrainAVX2, widenHalfAVX2
}

func (k *attentionKernels) addAVX512() {
	k.lanes = 16
	k.narrowKernels.addAVX512()
	k.powerRow, k.joinRow = powerRowAVX512, joinRowAVX512
	k.prefetch = prefetchLinesAVX2
	k.strips = stripKernels{
		rows: [2][]func(*strip){
			{stripRows1x16AVX512, stripRows2x16AVX512, stripRows3x16AVX512, stripRows4x16AVX512, stripRows5x16AVX512, stripRows6x16AVX512,
				stripRows7x16AVX512, stripRows8x16AVX512, stripRows9x16AVX512, stripRows10x16AVX512, stripRows11x16AVX512, stripRows12x16AVX512},
			{stripRows1x32AVX512, stripRows2x32AVX512, stripRows3x32AVX512, stripRows4x32AVX512, stripRows5x32AVX512, stripRows6x32AVX512,
				stripRows7x32AVX512, stripRows8x32AVX512, stripRows9x32AVX512, stripRows10x32AVX512, stripRows11x32AVX512, stripRows12x32AVX512},
		},
		columns: [2][]func(*strip){
			{stripColumns1x16AVX512, stripColumns2x16AVX512, stripColumns3x16AVX512, stripColumns4x16AVX512, stripColumns5x16AVX512, stripColumns6x16AVX512,
				stripColumns7x16AVX512, stripColumns8x16AVX512, stripColumns9x16AVX512, stripColumns10x16AVX512, stripColumns11x16AVX512, stripColumns12x16AVX512},
			{stripColumns1x32AVX512, stripColumns2x32AVX512, stripColumns3x32AVX512, stripColumns4x32AVX512, stripColumns5x32AVX512, stripColumns6x32AVX512,
				stripColumns7x32AVX512, stripColumns8x32AVX512, stripColumns9x32AVX512, stripColumns10x32AVX512, stripColumns11x32AVX512, stripColumns12x32AVX512},
		},
	}
	k.hideKeys, k.softmaxKeys, k.softmaxKeysGrad, k.softmaxJoin, k.scaleLanes = hideKeysAVX512, softmaxKeysAVX512, softmaxKeysGradAVX512, softmaxJoinAVX512, scaleLanesAVX512
	k.softcapSlope, k.mulRows, k.addSlopes, k.tanhScale, k.joinLanes = softcapSlopeAVX512, mulRowsAVX512, addSlopesAVX512, tanhScaleAVX512, joinLanesAVX512
	k.widenInt8, k.widenInt4 = widenInt8AVX512, widenInt4AVX512
	k.widenRows, k.widenBrain, k.widenHalf = widenRowsAVX512, widenBrainAVX512, widenHalfAVX512
}

// addPairs adds products of bfloat16 pairs.
func (k *attentionKernels) addPairs() {
	k.roundRows, k.interleaveRows = roundRowsAVX512, interleaveRowsAVX512
	k.stripPairs = stripKernels{
		rows: [2][]func(*strip){
			{stripRowsPairs1x16AVX512, stripRowsPairs2x16AVX512, stripRowsPairs3x16AVX512, stripRowsPairs4x16AVX512, stripRowsPairs5x16AVX512, stripRowsPairs6x16AVX512,
				stripRowsPairs7x16AVX512, stripRowsPairs8x16AVX512, stripRowsPairs9x16AVX512, stripRowsPairs10x16AVX512, stripRowsPairs11x16AVX512, stripRowsPairs12x16AVX512},
			{stripRowsPairs1x32AVX512, stripRowsPairs2x32AVX512, stripRowsPairs3x32AVX512, stripRowsPairs4x32AVX512, stripRowsPairs5x32AVX512, stripRowsPairs6x32AVX512,
				stripRowsPairs7x32AVX512, stripRowsPairs8x32AVX512, stripRowsPairs9x32AVX512, stripRowsPairs10x32AVX512, stripRowsPairs11x32AVX512, stripRowsPairs12x32AVX512},
		},
		columns: [2][]func(*strip){
			{stripColumnsPairs1x16AVX512, stripColumnsPairs2x16AVX512, stripColumnsPairs3x16AVX512, stripColumnsPairs4x16AVX512, stripColumnsPairs5x16AVX512, stripColumnsPairs6x16AVX512,
				stripColumnsPairs7x16AVX512, stripColumnsPairs8x16AVX512, stripColumnsPairs9x16AVX512, stripColumnsPairs10x16AVX512, stripColumnsPairs11x16AVX512, stripColumnsPairs12x16AVX512},
			{stripColumnsPairs1x32AVX512, stripColumnsPairs2x32AVX512, stripColumnsPairs3x32AVX512, stripColumnsPairs4x32AVX512, stripColumnsPairs5x32AVX512, stripColumnsPairs6x32AVX512,
				stripColumnsPairs7x32AVX512, stripColumnsPairs8x32AVX512, stripColumnsPairs9x32AVX512, stripColumnsPairs10x32AVX512, stripColumnsPairs11x32AVX512, stripColumnsPairs12x32AVX512},
		},
	}
}
