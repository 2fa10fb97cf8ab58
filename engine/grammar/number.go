package grammar

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxDigits bounds the digits before and after the point of generated numbers: what a float64 can tell apart.
const maxDigits = 16

// integer reads a whole number without point and exponent.
func (b *builder) integer(from int32) int32 {
	return b.invoke(from, b.named("integer", func(from int32) int32 {
		return b.alternatives(from,
			func(s int32) int32 { return b.literal(s, "0") },
			func(s int32) int32 { b.joinMinus(s, &s); return b.digits(b.nonzero(s), 0, maxDigits-1) })
	}))
}

// joinMinus makes an optional minus sign before a new state, stored in after.
func (b *builder) joinMinus(from int32, after *int32) {
	next := b.state()
	b.join(from, next)
	b.edge(from, '-', '-', next)
	*after = next
}

func (b *builder) nonzero(from int32) int32 {
	to := b.state()
	b.edge(from, '1', '9', to)
	return to
}

// number reads any JSON number of bounded length.
func (b *builder) number(from int32) int32 {
	return b.invoke(from, b.named("number", func(from int32) int32 {
		b.joinMinus(from, &from)
		whole := b.alternatives(from,
			func(s int32) int32 { return b.literal(s, "0") },
			func(s int32) int32 { return b.digits(b.nonzero(s), 0, maxDigits-1) })
		fraction := b.state()
		b.join(whole, fraction)
		b.join(b.digits(b.literal(whole, "."), 1, maxDigits), fraction)
		to, e := b.state(), b.state()
		b.join(fraction, to)
		b.edge(fraction, 'e', 'e', e)
		b.edge(fraction, 'E', 'E', e)
		sign := b.state()
		b.join(e, sign)
		b.edge(e, '+', '+', sign)
		b.edge(e, '-', '-', sign)
		b.join(b.digits(sign, 1, 2), to)
		return to
	}))
}

// bound is one end of a range of numbers; a nil value is no bound.
type bound struct {
	value  *big.Rat
	strict bool // the value itself is outside
}

// tighter replaces the bound by (value, strict) if that allows less; sign is +1 for lower, -1 for upper bounds.
func (o *bound) tighter(value *big.Rat, strict bool, sign int) {
	if o.value == nil {
		*o = bound{value, strict}
		return
	}
	if c := value.Cmp(o.value) * sign; c > 0 || c == 0 && strict {
		*o = bound{value, strict}
	}
}

// parseBound reads a number of a schema exactly; numbers too large or too long to be generated are refused.
func parseBound(text string) (*big.Rat, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) > 1e300 || len(text) > 400 {
		return nil, fmt.Errorf("%s is too large", text)
	}
	if f != 0 && math.Abs(f) < 1e-300 {
		return nil, fmt.Errorf("%s is too small", text)
	}
	if f == 0 { // keeps "0e-999999999" from becoming a huge denominator
		return new(big.Rat), nil
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%s is not a number", text)
	}
	return value, nil
}

// largest is the largest whole number with maxDigits digits.
var largest = new(big.Int).Sub(new(big.Int).Exp(big.NewInt(10), big.NewInt(maxDigits), nil), big.NewInt(1))

// integerRange reads the whole numbers between the bounds.
func (b *builder) integerRange(from int32, low, high bound) int32 {
	first, last := new(big.Int).Neg(largest), new(big.Int).Set(largest)
	if low.value != nil {
		n := floor(low.value)
		if !low.value.IsInt() || low.strict {
			n.Add(n, big.NewInt(1))
		}
		if n.Cmp(first) > 0 {
			first = n
		}
	}
	if high.value != nil {
		n := floor(high.value)
		if high.value.IsInt() && high.strict {
			n.Sub(n, big.NewInt(1))
		}
		if n.Cmp(last) < 0 {
			last = n
		}
	}
	to := b.state()
	if last.Sign() >= 0 {
		b.natural(from, maximum(first, new(big.Int)), last, to)
	}
	if first.Sign() < 0 {
		minus := b.literal(from, "-")
		b.natural(minus, maximum(new(big.Int).Neg(last), big.NewInt(1)), new(big.Int).Neg(first), to)
	}
	return to
}

func floor(x *big.Rat) *big.Int {
	return new(big.Int).Div(x.Num(), x.Denom()) // Euclidean, and the denominator is positive: rounds down
}

func maximum(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// natural reads the decimal forms of first … last, both at least 0 and at most largest; an empty range reads nothing.
func (b *builder) natural(from int32, first, last *big.Int, to int32) {
	if first.Cmp(last) > 0 {
		return
	}
	low, high := first.String(), last.String()
	for n := len(low); n <= len(high); n++ {
		l, h := low, high
		if n > len(low) {
			l = "1" + strings.Repeat("0", n-1)
		}
		if n < len(high) {
			h = strings.Repeat("9", n)
		}
		b.sameLength(from, l, h, to)
	}
}

// sameLength reads the digit strings between two of equal length.
func (b *builder) sameLength(from int32, low, high string, to int32) {
	switch {
	case low == "":
		b.join(from, to)
	case strings.Trim(low, "0") == "" && strings.Trim(high, "9") == "":
		b.join(b.digits(from, len(low), len(low)), to)
	case low[0] == high[0]:
		b.sameLength(b.literal(from, low[:1]), low[1:], high[1:], to)
	default:
		zeros, nines := strings.Repeat("0", len(low)-1), strings.Repeat("9", len(low)-1)
		b.sameLength(b.literal(from, low[:1]), low[1:], nines, to)
		if low[0]+1 < high[0] {
			next := b.state()
			b.edge(from, low[0]+1, high[0]-1, next)
			b.sameLength(next, zeros, nines, to)
		}
		b.sameLength(b.literal(from, high[:1]), zeros, high[1:], to)
	}
}

// numberRange reads decimal numbers without exponent between the bounds. Bounds with more than maxDigits digits after
// the point are refused.
func (b *builder) numberRange(from int32, low, high bound) (int32, error) {
	to := b.state()
	zero := new(big.Rat)
	if high.value == nil || high.value.Sign() >= 0 {
		l := low
		if l.value == nil || l.value.Sign() < 0 {
			l = bound{value: zero}
		}
		if err := b.magnitude(from, l, high, to); err != nil {
			return 0, err
		}
	}
	if low.value == nil || low.value.Sign() < 0 {
		negate := func(o bound) bound {
			if o.value == nil {
				return o
			}
			return bound{new(big.Rat).Neg(o.value), o.strict}
		}
		l, h := negate(high), negate(low)
		if l.value == nil || l.value.Sign() < 0 {
			l = bound{value: zero} // -0.0 is 0
		}
		if err := b.magnitude(b.literal(from, "-"), l, h, to); err != nil {
			return 0, err
		}
	}
	return to, nil
}

// magnitude reads numbers between two bounds that are not negative.
func (b *builder) magnitude(from int32, low, high bound, to int32) error {
	lowWhole, lowDigits, err := split(low)
	if err != nil {
		return err
	}
	highWhole, highDigits, err := split(high)
	if err != nil {
		return err
	}
	if high.value == nil || highWhole.Cmp(largest) > 0 {
		highWhole, high = new(big.Int).Add(largest, big.NewInt(1)), bound{}
	}
	if lowWhole.Cmp(highWhole) > 0 {
		return nil
	}
	one := big.NewInt(1)
	fraction := func(whole *big.Int, l, h *bound) {
		if whole.Cmp(largest) > 0 {
			return
		}
		s := b.literal(from, whole.String())
		b.fraction(s, l, lowDigits, h, highDigits, to)
	}
	upper := &high
	if high.value == nil {
		upper = nil
	}
	if lowWhole.Cmp(highWhole) == 0 {
		fraction(lowWhole, &low, upper)
		return nil
	}
	fraction(lowWhole, &low, nil)
	between := b.state()
	b.natural(from, new(big.Int).Add(lowWhole, one), new(big.Int).Sub(highWhole, one), between)
	b.fraction(between, nil, "", nil, "", to)
	if upper != nil {
		fraction(highWhole, nil, upper)
	}
	return nil
}

// split cuts a bound into its whole part and its digits after the point.
func split(o bound) (whole *big.Int, digits string, err error) {
	if o.value == nil {
		return new(big.Int), "", nil
	}
	whole = floor(o.value)
	text := new(big.Rat).Sub(o.value, new(big.Rat).SetInt(whole)).FloatString(maxDigits)
	back, _ := new(big.Rat).SetString(whole.String() + text[1:])
	if back.Cmp(o.value) != 0 {
		return nil, "", fmt.Errorf("%s has more than %d digits after the point", o.value.RatString(), maxDigits)
	}
	return whole, text[2:], nil
}

// fraction reads an optional point and digits such that, after an equal whole part, the number keeps the bounds; nil
// is no bound. A walk over (digit, still equal to low, still equal to high).
func (b *builder) fraction(from int32, low *bound, lowDigits string, high *bound, highDigits string, to int32) {
	type place struct {
		digit       int
		onLow, onUp bool
	}
	states := map[place]int32{}
	mayEnd := func(p place) bool {
		if p.onLow && (low.strict || strings.Trim(lowDigits[p.digit:], "0") != "") {
			return false
		}
		return !(p.onUp && high.strict && strings.Trim(highDigits[p.digit:], "0") == "")
	}
	start := place{0, low != nil, high != nil}
	if mayEnd(start) {
		b.join(from, to)
	}
	var at func(p place) int32
	at = func(p place) int32 {
		if s, ok := states[p]; ok {
			return s
		}
		s := b.state()
		states[p] = s
		if p.digit > 0 && mayEnd(p) {
			b.join(s, to)
		}
		if p.digit == maxDigits {
			return s
		}
		for d := byte('0'); d <= '9'; d++ {
			next := place{p.digit + 1, p.onLow && d == lowDigits[p.digit], p.onUp && d == highDigits[p.digit]}
			if p.onLow && d < lowDigits[p.digit] || p.onUp && d > highDigits[p.digit] {
				continue
			}
			b.edge(s, d, d, at(next))
		}
		return s
	}
	b.join(b.literal(from, "."), at(start))
}
