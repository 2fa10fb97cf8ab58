package dtype

import "math"

// narrow is a small float with a sign: bits of exponent bias and mantissa.
// Without infinity and without −0, whose code is NaN, it is one of the "fnuz"
// types that AMD's accelerators read. Source: arXiv 2206.02915.
type narrow struct {
	mantissa, bias int
	most           float64 // largest value
	fnuz           bool
}

var (
	e4m3fnuz = narrow{3, 8, 240, true}
	e5m2fnuz = narrow{2, 16, 57344, true}
	e2m1     = narrow{1, 1, 6, false} // no NaN either
)

// value is what a code stands for; sign is the code's sign bit.
func (n narrow) value(c, sign uint8) float32 {
	if n.fnuz && c == sign {
		return float32(math.NaN())
	}
	exponent, mantissa := int(c&(sign-1))>>n.mantissa, int(c)&(1<<n.mantissa-1)
	if exponent == 0 {
		exponent = 1
	} else {
		mantissa |= 1 << n.mantissa
	}
	v := math.Ldexp(float64(mantissa), exponent-n.bias-n.mantissa)
	if c&sign != 0 {
		v = math.Copysign(v, -1)
	}
	return float32(v)
}

// code is the nearest value's, ties to even. What does not fit is NaN where the
// type has one, as in PyTorch, and the largest value where it has none.
func (n narrow) code(f float32, sign uint8) uint8 {
	x := math.Abs(float64(f))
	exponent := 1 - n.bias
	if x > 0 && !math.IsInf(x, 0) {
		_, e := math.Frexp(x)
		exponent = max(e-1, exponent)
	}
	steps := math.RoundToEven(math.Ldexp(x, n.mantissa-exponent))
	c := uint8(0)
	switch value := math.Ldexp(steps, exponent-n.mantissa); {
	case n.fnuz && !(value <= n.most):
		return sign
	case !(value <= n.most): // a NaN too: there is no code for it
		c = uint8((math.Ilogb(n.most)+n.bias)<<n.mantissa | (1<<n.mantissa - 1))
	default:
		c = uint8((exponent+n.bias-1)<<n.mantissa + int(steps))
	}
	if math.Signbit(float64(f)) && !(n.fnuz && c == 0) {
		c |= sign
	}
	return c
}

// F8E8M0ToF32 is the power of two 2^(c − 127) that block scales are; 255 is NaN.
// Source: OCP microscaling formats 1.0, section 5.4.1.
func F8E8M0ToF32(c uint8) float32 {
	switch c {
	case 0:
		return 0x1p-127
	case 255:
		return float32(math.NaN())
	}
	return math.Float32frombits(uint32(c) << 23)
}

// F32ToF8E8M0 rounds the magnitude to a power of two, in the exponent's half up,
// as PyTorch does; what does not fit is NaN.
func F32ToF8E8M0(f float32) uint8 {
	b := math.Float32bits(f) & 0x7fffffff
	if b >= 0x7f800000 {
		return 255
	}
	return uint8((b + 0x400000) >> 23)
}

// decodeF4 takes the lower half of a byte first, as PyTorch packs them.
func decodeF4(src []byte, dst []float32) {
	dst[0], dst[1] = e2m1.value(src[0]&15, 8), e2m1.value(src[0]>>4, 8)
}

func encodeF4(src []float32, dst []byte) bool {
	dst[0] = e2m1.code(src[0], 8) | e2m1.code(src[1], 8)<<4
	return true
}

func init() {
	decoders[F4], encoders[F4] = decodeF4, encodeF4
}
