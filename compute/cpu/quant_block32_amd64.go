package cpu

import "lian/dtype"

type blockUnpacker = func(panel, columns *byte, periods int)

// addBlocks32AVX512 adds the types of blocks of 32, multiplied by VPDPBUSD.
func (k *kernels) addBlocks32AVX512() {
	b := block32{lanes: 16, transpose: transposeRows16AVX512, round8: round8AVX512}
	k.quants, k.quantName = quantKinds{}, "avx512_vnni"
	for t, x := range map[dtype.Type]struct {
		unpack blockUnpacker
		few    []func(*quantTile)
	}{
		dtype.Q4_0:   {unpackQ4_0AVX512, []func(*quantTile){fewQ4_0_1AVX512, fewQ4_0_2AVX512, fewQ4_0_3AVX512, fewQ4_0_4AVX512, fewQ4_0_5AVX512, fewQ4_0_6AVX512, fewQ4_0_7AVX512, fewQ4_0_8AVX512}},
		dtype.Q4_1:   {unpackQ4_1AVX512, []func(*quantTile){fewQ4_1_1AVX512, fewQ4_1_2AVX512, fewQ4_1_3AVX512, fewQ4_1_4AVX512, fewQ4_1_5AVX512, fewQ4_1_6AVX512, fewQ4_1_7AVX512, fewQ4_1_8AVX512}},
		dtype.Q5_0:   {unpackQ5_0AVX512, []func(*quantTile){fewQ5_0_1AVX512, fewQ5_0_2AVX512, fewQ5_0_3AVX512, fewQ5_0_4AVX512, fewQ5_0_5AVX512, fewQ5_0_6AVX512, fewQ5_0_7AVX512, fewQ5_0_8AVX512}},
		dtype.Q5_1:   {unpackQ5_1AVX512, []func(*quantTile){fewQ5_1_1AVX512, fewQ5_1_2AVX512, fewQ5_1_3AVX512, fewQ5_1_4AVX512, fewQ5_1_5AVX512, fewQ5_1_6AVX512, fewQ5_1_7AVX512, fewQ5_1_8AVX512}},
		dtype.Q8_0:   {unpackQ8_0AVX512, []func(*quantTile){fewQ8_0_1AVX512, fewQ8_0_2AVX512, fewQ8_0_3AVX512, fewQ8_0_4AVX512, fewQ8_0_5AVX512, fewQ8_0_6AVX512, fewQ8_0_7AVX512, fewQ8_0_8AVX512}},
		dtype.IQ4_NL: {unpackIQ4_NLAVX512, []func(*quantTile){fewIQ4_NL_1AVX512, fewIQ4_NL_2AVX512, fewIQ4_NL_3AVX512, fewIQ4_NL_4AVX512, fewIQ4_NL_5AVX512, fewIQ4_NL_6AVX512, fewIQ4_NL_7AVX512, fewIQ4_NL_8AVX512}},
		dtype.MXFP4:  {unpackMXFP4AVX512, []func(*quantTile){fewMXFP4_1AVX512, fewMXFP4_2AVX512, fewMXFP4_3AVX512, fewMXFP4_4AVX512, fewMXFP4_5AVX512, fewMXFP4_6AVX512, fewMXFP4_7AVX512, fewMXFP4_8AVX512}},
	} {
		b.unpack, b.few, b.offset = x.unpack, x.few, layouts32[t].offset
		b.multiply = []func(*quantTile){quantDot1AVX512, quantDot2AVX512, quantDot3AVX512, quantDot4AVX512, quantDot5AVX512, quantDot6AVX512, quantDot7AVX512}
		if layouts32[t].minimum {
			b.multiply = []func(*quantTile){quantDotMin1AVX512, quantDotMin2AVX512, quantDotMin3AVX512, quantDotMin4AVX512, quantDotMin5AVX512, quantDotMin6AVX512, quantDotMin7AVX512}
		}
		k.quants[t] = b.kind(t)
	}
}

// addBlocks32AVX2 adds the types of blocks of 32: with AVX-VNNI multiplied by VPDPBUSD, without by VPMADDUBSW, signed where values
// of 8 bits would not fit its sums.
func (k *kernels) addBlocks32AVX2(vnni bool) {
	b := block32{lanes: 8, transpose: transposeRows8AVX2, round8: round8AVX2}
	k.quants, k.quantName = quantKinds{}, "avx2"
	if vnni {
		k.quantName = "avx_vnni"
	}
	for t, x := range map[dtype.Type]struct {
		unpack, signed blockUnpacker
		few            []func(*quantTile) // with VNNI
		plain          []func(*quantTile) // without
	}{
		dtype.Q4_0:   {unpackQ4_0AVX2, nil, []func(*quantTile){fewQ4_0_1AVX2, fewQ4_0_2AVX2}, []func(*quantTile){quantSmall11AVX2, quantSmall12AVX2, quantSmall13AVX2}},
		dtype.Q4_1:   {unpackQ4_1AVX2, nil, []func(*quantTile){fewQ4_1_1AVX2, fewQ4_1_2AVX2}, []func(*quantTile){quantSmall1Min1AVX2, quantSmall1Min2AVX2, quantSmall1Min3AVX2}},
		dtype.Q5_0:   {unpackQ5_0AVX2, nil, []func(*quantTile){fewQ5_0_1AVX2, fewQ5_0_2AVX2}, []func(*quantTile){quantSmall21AVX2, quantSmall22AVX2}},
		dtype.Q5_1:   {unpackQ5_1AVX2, nil, []func(*quantTile){fewQ5_1_1AVX2, fewQ5_1_2AVX2}, []func(*quantTile){quantSmall2Min1AVX2, quantSmall2Min2AVX2}},
		dtype.Q8_0:   {unpackQ8_0AVX2, unpackSignedQ8_0AVX2, []func(*quantTile){fewQ8_0_1AVX2, fewQ8_0_2AVX2}, []func(*quantTile){quantSigned1AVX2, quantSigned2AVX2, quantSigned3AVX2}},
		dtype.IQ4_NL: {unpackIQ4_NLAVX2, unpackSignedIQ4_NLAVX2, []func(*quantTile){fewIQ4_NL_1AVX2, fewIQ4_NL_2AVX2}, []func(*quantTile){quantSigned1AVX2, quantSigned2AVX2, quantSigned3AVX2}},
		dtype.MXFP4:  {unpackMXFP4AVX2, nil, []func(*quantTile){fewMXFP4_1AVX2, fewMXFP4_2AVX2}, []func(*quantTile){quantSmall21AVX2, quantSmall22AVX2}},
	} {
		b.unpack, b.offset, b.multiply, b.few = x.unpack, layouts32[t].offset, x.plain, nil
		if vnni {
			b.few = x.few
		}
		switch {
		case vnni && layouts32[t].minimum:
			b.multiply = []func(*quantTile){quantDotMin1AVX2, quantDotMin2AVX2, quantDotMin3AVX2}
		case vnni:
			b.multiply = []func(*quantTile){quantDot1AVX2, quantDot2AVX2, quantDot3AVX2}
		case x.signed != nil:
			b.unpack, b.offset = x.signed, 0
		}
		k.quants[t] = b.kind(t)
	}
}
