package cpu

import "lian/dtype"

type unpacker = func(panel, columns *byte, periods int)

// addBlocks32AVX512 adds the types of blocks of 32, multiplied by VPDPBUSD.
func (k *kernels) addBlocks32AVX512() {
	b := block32{lanes: 16, transpose: transposeRows16AVX512, round8: round8AVX512}
	k.quants, k.quantName = quantKinds{}, "avx512_vnni"
	for t, unpack := range map[dtype.Type]unpacker{
		dtype.Q4_0:   unpackQ4_0AVX512,
		dtype.Q4_1:   unpackQ4_1AVX512,
		dtype.Q5_0:   unpackQ5_0AVX512,
		dtype.Q5_1:   unpackQ5_1AVX512,
		dtype.Q8_0:   unpackQ8_0AVX512,
		dtype.IQ4_NL: unpackIQ4_NLAVX512,
		dtype.MXFP4:  unpackMXFP4AVX512,
	} {
		b.unpack, b.offset, b.multiply = unpack, layouts32[t].offset, []func(*quantTile){quantDot1AVX512, quantDot2AVX512, quantDot3AVX512, quantDot4AVX512, quantDot5AVX512, quantDot6AVX512}
		if layouts32[t].minimum {
			b.multiply = []func(*quantTile){quantDotMin1AVX512, quantDotMin2AVX512, quantDotMin3AVX512, quantDotMin4AVX512, quantDotMin5AVX512, quantDotMin6AVX512}
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
		unpack, signed unpacker
		plain          []func(*quantTile) // without VNNI
	}{
		dtype.Q4_0:   {unpackQ4_0AVX2, nil, []func(*quantTile){quantSmall11AVX2, quantSmall12AVX2, quantSmall13AVX2}},
		dtype.Q4_1:   {unpackQ4_1AVX2, nil, []func(*quantTile){quantSmall1Min1AVX2, quantSmall1Min2AVX2, quantSmall1Min3AVX2}},
		dtype.Q5_0:   {unpackQ5_0AVX2, nil, []func(*quantTile){quantSmall21AVX2, quantSmall22AVX2}},
		dtype.Q5_1:   {unpackQ5_1AVX2, nil, []func(*quantTile){quantSmall2Min1AVX2, quantSmall2Min2AVX2}},
		dtype.Q8_0:   {unpackQ8_0AVX2, unpackSignedQ8_0AVX2, []func(*quantTile){quantSigned1AVX2, quantSigned2AVX2, quantSigned3AVX2}},
		dtype.IQ4_NL: {unpackIQ4_NLAVX2, unpackSignedIQ4_NLAVX2, []func(*quantTile){quantSigned1AVX2, quantSigned2AVX2, quantSigned3AVX2}},
		dtype.MXFP4:  {unpackMXFP4AVX2, nil, []func(*quantTile){quantSmall21AVX2, quantSmall22AVX2}},
	} {
		b.unpack, b.offset, b.multiply = x.unpack, layouts32[t].offset, x.plain
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
