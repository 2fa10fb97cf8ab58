package dtype

import (
	"encoding/binary"
	"math"
)

// Decoders of the 256-value block formats. Source: ggml src/ggml-quants.c,
// dequantize_row_*. See blocks_legacy.go on float32(a*b).

func init() {
	decoders[Q2_K] = decodeQ2_K
	decoders[Q3_K] = decodeQ3_K
	decoders[Q4_K] = decodeQ4_K
	decoders[Q5_K] = decodeQ5_K
	decoders[Q6_K] = decodeQ6_K
	decoders[Q8_K] = decodeQ8_K
}

// decodeQ2_K: scales[16] (low nibble scale, high nibble minimum), qs[64], d, dmin.
func decodeQ2_K(src []byte, dst []float32) {
	scales, qs := src[:16], src[16:80]
	d, dmin := scaleAt(src[80:]), scaleAt(src[82:])
	for group := range 16 { // of 16 values
		scale := d * float32(scales[group]&15)
		minimum := dmin * float32(scales[group]>>4)
		half, shift, odd := group/8, group%8/2*2, group%2
		codes := qs[32*half+16*odd:][:16]
		for l, q := range codes {
			dst[16*group+l] = float32(scale*float32(q>>shift&3)) - minimum
		}
	}
}

// decodeQ3_K: hmask[32], qs[64], scales[12], d. The high bit is stored inverted:
// where it is clear, 4 is taken off.
func decodeQ3_K(src []byte, dst []float32) {
	high, qs := src[:32], src[32:96]
	scales := unpackScalesQ3_K(src[96:108])
	d := scaleAt(src[108:])
	for group := range 16 {
		scale := d * float32(int(scales[group])-32)
		half, shift, odd := group/8, group%8/2*2, group%2
		codes := qs[32*half+16*odd:][:16]
		for l, q := range codes {
			v := int(q >> shift & 3)
			if high[16*odd+l]>>(group/2)&1 == 0 {
				v -= 4
			}
			dst[16*group+l] = scale * float32(v)
		}
	}
}

// unpackScalesQ3_K returns the 16 six-bit scales: low nibbles in bytes 0–7,
// two high bits each in bytes 8–11.
func unpackScalesQ3_K(packed []byte) (scales [16]byte) {
	for j := range 16 {
		low := packed[j%8] >> (j / 8 * 4) & 15
		high := packed[8+j%4] >> (j / 4 * 2) & 3
		scales[j] = low | high<<4
	}
	return scales
}

// scaleMinQ4_K returns the six-bit scale and minimum of sub-block j (0–7), which
// Q4_K and Q5_K pack into 12 bytes.
func scaleMinQ4_K(s []byte, j int) (scale, minimum byte) {
	if j < 4 {
		return s[j] & 63, s[j+4] & 63
	}
	return s[j+4]&15 | s[j-4]>>6<<4, s[j+4]>>4 | s[j]>>6<<4
}

// decodeQ4_K: d, dmin, scales[12], qs[128]; 32 bytes hold 64 values, the low
// nibbles one sub-block and the high nibbles the next.
func decodeQ4_K(src []byte, dst []float32) {
	d, dmin := scaleAt(src), scaleAt(src[2:])
	for j := range 8 { // sub-blocks of 32
		sc, mn := scaleMinQ4_K(src[4:16], j)
		scale, minimum := d*float32(sc), dmin*float32(mn)
		codes, shift := src[16+j/2*32:][:32], j%2*4
		for l, q := range codes {
			dst[32*j+l] = float32(scale*float32(q>>shift&15)) - minimum
		}
	}
}

// decodeQ5_K: as Q4_K with qh[32] before qs; bit j of qh[l] is the fifth bit of
// value l in sub-block j.
func decodeQ5_K(src []byte, dst []float32) {
	d, dmin := scaleAt(src), scaleAt(src[2:])
	fifth := src[16:48]
	for j := range 8 {
		sc, mn := scaleMinQ4_K(src[4:16], j)
		scale, minimum := d*float32(sc), dmin*float32(mn)
		codes, shift := src[48+j/2*32:][:32], j%2*4
		for l, q := range codes {
			v := q>>shift&15 | fifth[l]>>j&1<<4
			dst[32*j+l] = float32(scale*float32(v)) - minimum
		}
	}
}

// decodeQ6_K: ql[128], qh[64], int8 scales[16], d.
func decodeQ6_K(src []byte, dst []float32) {
	d := scaleAt(src[208:])
	for half := range 2 {
		low, high := src[64*half:][:64], src[128+32*half:][:32]
		scales, out := src[192+8*half:][:8], dst[128*half:][:128]
		for l := range 32 {
			for part := range 4 { // values l, l+32, l+64, l+96
				v := low[l+part%2*32]>>(part/2*4)&15 | high[l]>>(2*part)&3<<4
				scale := d * float32(int8(scales[l/16+2*part]))
				out[l+32*part] = scale * float32(int(v)-32)
			}
		}
	}
}

// decodeQ8_K: float32 d, int8 qs[256], int16 sums[16] (not needed to decode).
func decodeQ8_K(src []byte, dst []float32) {
	decodeInt8(src[4:260], math.Float32frombits(binary.LittleEndian.Uint32(src)), dst)
}
