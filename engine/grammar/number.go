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

// digits is low … high decimal digits.
func (a *algebra) digits(low, high int) *language { return a.repeat(a.one(asciiDigits), low, high) }

// whole is the whole numbers without a sign.
func (a *algebra) whole() *language {
	return a.union(a.text("0"), a.sequence(a.one(ranges{{'1', '9'}}), a.digits(0, a.wholeDigits-1)))
}

// integer is the whole numbers without point and exponent.
func (a *algebra) integer() *language {
	return a.union(a.text("0"), a.sequence(a.optional(a.text("-")), a.one(ranges{{'1', '9'}}), a.digits(0, a.wholeDigits-1)))
}

func (a *algebra) optional(l *language) *language { return a.union(a.empty, l) }

// number is the JSON numbers of bounded length.
func (a *algebra) number() *language {
	exponent := a.sequence(a.one(ranges{{'E', 'E'}, {'e', 'e'}}), a.optional(a.one(ranges{{'+', '+'}, {'-', '-'}})), a.digits(1, 2))
	return a.sequence(a.decimal(), a.optional(exponent))
}

// decimal is the numbers without exponent.
func (a *algebra) decimal() *language {
	return a.sequence(a.optional(a.text("-")), a.whole(), a.optional(a.sequence(a.text("."), a.digits(1, a.places))))
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

// largest is the largest whole number that is written.
func (a *algebra) largest() *big.Int {
	return new(big.Int).Sub(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(a.wholeDigits)), nil), big.NewInt(1))
}

// integerRange is the whole numbers between the bounds.
func (a *algebra) integerRange(low, high bound) *language {
	first, last := new(big.Int).Neg(a.largest()), a.largest()
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
	all := a.none
	if last.Sign() >= 0 {
		all = a.natural(maximum(first, new(big.Int)), last)
	}
	if first.Sign() < 0 {
		all = a.union(all, a.sequence(a.text("-"), a.natural(maximum(new(big.Int).Neg(last), big.NewInt(1)), new(big.Int).Neg(first))))
	}
	return all
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

// natural is the decimal forms of first … last, both at least 0 and at most largest; an empty range is no text.
func (a *algebra) natural(first, last *big.Int) *language {
	if first.Cmp(last) > 0 {
		return a.none
	}
	low, high := first.String(), last.String()
	all := a.none
	for n := len(low); n <= len(high); n++ {
		l, h := low, high
		if n > len(low) {
			l = "1" + strings.Repeat("0", n-1)
		}
		if n < len(high) {
			h = strings.Repeat("9", n)
		}
		all = a.union(all, a.sameLength(l, h))
	}
	return all
}

// sameLength is the digit strings between two of equal length.
func (a *algebra) sameLength(low, high string) *language {
	switch {
	case low == "":
		return a.empty
	case strings.Trim(low, "0") == "" && strings.Trim(high, "9") == "":
		return a.digits(len(low), len(low))
	case low[0] == high[0]:
		return a.sequence(a.text(low[:1]), a.sameLength(low[1:], high[1:]))
	}
	zeros, nines := strings.Repeat("0", len(low)-1), strings.Repeat("9", len(low)-1)
	all := a.union(a.sequence(a.text(low[:1]), a.sameLength(low[1:], nines)), a.sequence(a.text(high[:1]), a.sameLength(zeros, high[1:])))
	if low[0]+1 < high[0] {
		all = a.union(all, a.sequence(a.one(ranges{{rune(low[0] + 1), rune(high[0] - 1)}}), a.sameLength(zeros, nines)))
	}
	return all
}

// numberRange is the decimal numbers without exponent between the bounds. Bounds with more than maxDigits digits after
// the point are refused.
func (a *algebra) numberRange(low, high bound) (*language, error) {
	all := a.none
	zero := new(big.Rat)
	if high.value == nil || high.value.Sign() >= 0 {
		l := low
		if l.value == nil || l.value.Sign() < 0 {
			l = bound{value: zero}
		}
		part, err := a.magnitude(l, high)
		if err != nil {
			return nil, err
		}
		all = part
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
		part, err := a.magnitude(l, h)
		if err != nil {
			return nil, err
		}
		all = a.union(all, a.sequence(a.text("-"), part))
	}
	return all, nil
}

// magnitude is the numbers between two bounds that are not negative.
func (a *algebra) magnitude(low, high bound) (*language, error) {
	lowWhole, lowDigits, err := split(low)
	if err != nil {
		return nil, err
	}
	highWhole, highDigits, err := split(high)
	if err != nil {
		return nil, err
	}
	largest := a.largest()
	if high.value == nil || highWhole.Cmp(largest) > 0 {
		highWhole, high = new(big.Int).Add(largest, big.NewInt(1)), bound{}
	}
	if lowWhole.Cmp(highWhole) > 0 {
		return a.none, nil
	}
	one := big.NewInt(1)
	fraction := func(whole *big.Int, l, h *bound) *language {
		if whole.Cmp(largest) > 0 {
			return a.none
		}
		return a.sequence(a.text(whole.String()), a.fraction(l, lowDigits, h, highDigits))
	}
	upper := &high
	if high.value == nil {
		upper = nil
	}
	if lowWhole.Cmp(highWhole) == 0 {
		return fraction(lowWhole, &low, upper), nil
	}
	between := a.natural(new(big.Int).Add(lowWhole, one), new(big.Int).Sub(highWhole, one))
	all := a.union(fraction(lowWhole, &low, nil), a.sequence(between, a.fraction(nil, "", nil, "")))
	if upper != nil {
		all = a.union(all, fraction(highWhole, nil, upper))
	}
	return all, nil
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

// fraction is an optional point and digits such that, after an equal whole part, the number keeps the bounds; nil
// is no bound. A walk over (digit, still equal to low, still equal to high), from the last digit.
func (a *algebra) fraction(low *bound, lowDigits string, high *bound, highDigits string) *language {
	type place struct {
		digit       int
		onLow, onUp bool
	}
	mayEnd := func(p place) bool {
		if p.onLow && (low.strict || strings.Trim(lowDigits[p.digit:], "0") != "") {
			return false
		}
		return !(p.onUp && high.strict && strings.Trim(highDigits[p.digit:], "0") == "")
	}
	known := map[place]*language{}
	var at func(p place) *language
	at = func(p place) *language {
		if l, ok := known[p]; ok {
			return l
		}
		all := a.none
		if p.digit > 0 && mayEnd(p) {
			all = a.empty
		}
		if p.digit < a.places {
			if !p.onLow && !p.onUp {
				all = a.digits(map[bool]int{true: 0, false: 1}[p.digit > 0], a.places-p.digit)
			} else {
				for d := byte('0'); d <= '9'; d++ {
					if p.onLow && d < lowDigits[p.digit] || p.onUp && d > highDigits[p.digit] {
						continue
					}
					next := place{p.digit + 1, p.onLow && d == lowDigits[p.digit], p.onUp && d == highDigits[p.digit]}
					all = a.union(all, a.sequence(a.text(string(rune(d))), at(next)))
				}
			}
		}
		known[p] = all
		return all
	}
	start := place{0, low != nil, high != nil}
	all := a.sequence(a.text("."), at(start))
	if mayEnd(start) {
		all = a.optional(all)
	}
	return all
}
