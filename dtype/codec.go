package dtype

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Dequantize writes the values of src, packed as t, to dst. len(dst) must be a
// whole number of blocks and len(src) exactly t.Bytes(len(dst)). Works for the
// floating-point types and the block types that CanDequantize names.
func Dequantize(t Type, src []byte, dst []float32) error {
	if err := checkLengths(t, len(src), len(dst)); err != nil {
		return fmt.Errorf("dequantise: %w", err)
	}
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	case F8E4M3:
		for i := range dst {
			dst[i] = F8E4M3ToF32(src[i])
		}
	case F8E5M2:
		for i := range dst {
			dst[i] = F8E5M2ToF32(src[i])
		}
	case F8E8M0:
		for i := range dst {
			dst[i] = F8E8M0ToF32(src[i])
		}
	case F8E4M3FNUZ:
		for i := range dst {
			dst[i] = e4m3fnuz.value(src[i], 0x80)
		}
	case F8E5M2FNUZ:
		for i := range dst {
			dst[i] = e5m2fnuz.value(src[i], 0x80)
		}
	default:
		decode := decoders[t]
		if decode == nil {
			return fmt.Errorf("dequantise: %v has no decoder to float32", t)
		}
		blockSize, blockBytes := t.BlockSize(), t.BlockBytes()
		for len(dst) > 0 {
			decode(src[:blockBytes:blockBytes], dst[:blockSize:blockSize])
			src, dst = src[blockBytes:], dst[blockSize:]
		}
	}
	return nil
}

// Quantize writes the values of src to dst, packed as t. len(src) must be a
// whole number of blocks and len(dst) exactly t.Bytes(len(src)). The bytes of
// block types are those of ggml's reference quantisers (ggml src/ggml-quants.c,
// quantize_row_*_ref). A block type refuses values that are not finite and
// scales over binary16's range, because both would silently become garbage;
// plain types round as IEEE 754 does, infinities included.
func Quantize(t Type, src []float32, dst []byte) error {
	if err := checkLengths(t, len(dst), len(src)); err != nil {
		return fmt.Errorf("quantise: %w", err)
	}
	switch t {
	case F32:
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case F16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(v))
		}
	case BF16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToBF16(v))
		}
	case F64:
		for i, v := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], math.Float64bits(float64(v)))
		}
	case F8E4M3:
		for i, v := range src {
			dst[i] = F32ToF8E4M3(v)
		}
	case F8E5M2:
		for i, v := range src {
			dst[i] = F32ToF8E5M2(v)
		}
	case F8E8M0:
		for i, v := range src {
			dst[i] = F32ToF8E8M0(v)
		}
	case F8E4M3FNUZ:
		for i, v := range src {
			dst[i] = e4m3fnuz.code(v, 0x80)
		}
	case F8E5M2FNUZ:
		for i, v := range src {
			dst[i] = e5m2fnuz.code(v, 0x80)
		}
	default:
		encode := encoders[t]
		if encode == nil && weightedEncoders[t] != nil {
			return fmt.Errorf("quantise: %v needs an importance matrix; see QuantizeWeighted", t)
		}
		if encode == nil {
			return fmt.Errorf("quantise: %v has no encoder from float32", t)
		}
		return eachBlock(t, src, dst, func(_ int, block []float32, out []byte) bool { return encode(block, out) })
	}
	return nil
}

// eachBlock packs block by block. Lengths have been checked.
func eachBlock(t Type, src []float32, dst []byte, encode func(first int, block []float32, out []byte) bool) error {
	blockSize, blockBytes := t.BlockSize(), t.BlockBytes()
	for first := 0; first < len(src); first += blockSize {
		block := src[first : first+blockSize : first+blockSize]
		for i, v := range block {
			if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
				return fmt.Errorf("quantise: value %d is %v; %v holds finite values only", first+i, v, t)
			}
		}
		if !encode(first, block, dst[:blockBytes:blockBytes]) {
			return fmt.Errorf("quantise: values %d to %d do not fit %v: their scale is out of its range", first, first+blockSize-1, t)
		}
		dst = dst[blockBytes:]
	}
	return nil
}

// CanDequantize reports whether Dequantize knows t.
func CanDequantize(t Type) bool { return t.Float() || t.Valid() && decoders[t] != nil }

// CanQuantize reports whether Quantize knows t. IQ1_S, IQ2_XXS and IQ2_XS are known
// to QuantizeWeighted only: without an importance matrix they would be useless.
func CanQuantize(t Type) bool { return t.Float() || t.Valid() && encoders[t] != nil }

// decoders write one block's values; slices are exactly one block long.
var decoders = [typeCount]func(src []byte, dst []float32){}

// encoders pack one block and report whether its scales fit their type, binary16 for most.
var encoders = [typeCount]func(src []float32, dst []byte) bool{}

func checkLengths(t Type, bytes, values int) error {
	if !t.Valid() {
		return fmt.Errorf("%v is no element type", t)
	}
	if want := t.Bytes(values); want < 0 {
		return fmt.Errorf("%d values are not whole blocks of %d (%v)", values, t.BlockSize(), t)
	} else if want != bytes {
		return fmt.Errorf("%d values of %v take %d bytes, found %d", values, t, want, bytes)
	}
	return nil
}
