package cpu

import "lian/dtype"

type unpackSuper = func(dst, src *byte, stride, blocks int)

func superKernelsAVX2() superKernels {
	return superKernels{
		superLanes: 8, superRound: roundSuperAVX2,
		superUnpack: map[dtype.Type]unpackSuper{
			dtype.Q2_K:   unpackQ2KAVX2,
			dtype.Q3_K:   unpackQ3KAVX2,
			dtype.Q4_K:   unpackQ4KAVX2,
			dtype.Q5_K:   unpackQ5KAVX2,
			dtype.Q6_K:   unpackQ6KAVX2,
			dtype.IQ4_XS: unpackIQ4XSAVX2,
		},
		superMultiply: [superForms][]func(*superTile){
			superNibble8:   {superNibble81AVX2, superNibble82AVX2, superNibble83AVX2, superNibble84AVX2},
			superMinimum8:  {superMinimum81AVX2, superMinimum82AVX2, superMinimum83AVX2, superMinimum84AVX2},
			superMinimum16: {superMinimum161AVX2, superMinimum162AVX2, superMinimum163AVX2, superMinimum164AVX2},
			superOffset16:  {superOffset161AVX2, superOffset162AVX2, superOffset163AVX2, superOffset164AVX2},
			superTable8:    {superTable81AVX2, superTable82AVX2, superTable83AVX2, superTable84AVX2},
		},
	}
}

func superKernelsVNNI() superKernels {
	return superKernels{
		superLanes: 16, superBegins: true, superRound: roundSuperAVX512,
		superUnpack: map[dtype.Type]unpackSuper{
			dtype.Q2_K:   unpackQ2KAVX512,
			dtype.Q3_K:   unpackQ3KAVX512,
			dtype.Q4_K:   unpackQ4KAVX512,
			dtype.Q5_K:   unpackQ5KAVX512,
			dtype.Q6_K:   unpackQ6KAVX512,
			dtype.IQ4_XS: unpackIQ4XSAVX512,
		},
		superMultiply: [superForms][]func(*superTile){
			superNibble8:   {superNibble81AVX512, superNibble82AVX512, superNibble83AVX512, superNibble84AVX512, superNibble85AVX512, superNibble86AVX512, superNibble87AVX512, superNibble88AVX512},
			superMinimum8:  {superMinimum81AVX512, superMinimum82AVX512, superMinimum83AVX512, superMinimum84AVX512, superMinimum85AVX512, superMinimum86AVX512, superMinimum87AVX512, superMinimum88AVX512},
			superMinimum16: {superMinimum161AVX512, superMinimum162AVX512, superMinimum163AVX512, superMinimum164AVX512, superMinimum165AVX512, superMinimum166AVX512, superMinimum167AVX512, superMinimum168AVX512},
			superOffset16:  {superOffset161AVX512, superOffset162AVX512, superOffset163AVX512, superOffset164AVX512, superOffset165AVX512, superOffset166AVX512, superOffset167AVX512, superOffset168AVX512},
			superTable8:    {superTable81AVX512, superTable82AVX512, superTable83AVX512, superTable84AVX512, superTable85AVX512, superTable86AVX512, superTable87AVX512, superTable88AVX512},
		},
	}
}
