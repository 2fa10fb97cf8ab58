package grammar

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// numeric is what is asked of a number.
type numeric struct {
	integer, broken bool // whole numbers only, others only
	low, high       bound
	multiples       []*big.Rat
	notMultiples    []*big.Rat
	excluded        []*big.Rat
	share           *share
}

// share is one of several disjoint parts of a language, number place of of: what gives the items of an array with uniqueItems
// and the further keys of an object, place by place, values that differ.
type share struct{ place, of int }

func (n *numeric) plain() bool {
	return n.low.value == nil && n.high.value == nil && len(n.multiples)+len(n.notMultiples)+len(n.excluded) == 0 && !n.broken && n.share == nil
}

// language is the numbers asked, spelled without exponent unless nothing but a number is asked.
func (n *numeric) language(a *algebra) (all *language, err error) {
	if !n.plain() {
		defer func(whole, places int) { a.wholeDigits, a.places = whole, places }(a.wholeDigits, a.places)
		a.wholeDigits, a.places = n.room()
	}
	bounded := n.low.value != nil || n.high.value != nil
	switch {
	case n.integer && bounded:
		all = a.integerRange(n.low, n.high)
	case n.integer:
		all = a.integer()
	case n.plain():
		return a.number(), nil
	case bounded:
		if all, err = a.numberRange(n.low, n.high); err != nil {
			return nil, err
		}
	default:
		all = a.decimal()
	}
	parts := []*language{all}
	minus := a.optional(a.text("-"))
	zeros := a.optional(a.sequence(a.text("."), a.repeat(a.text("0"), 1, -1)))
	for i, m := range append(append([]*big.Rat(nil), n.multiples...), n.notMultiples...) {
		l, err := a.multiplesOf(m)
		if err != nil {
			return nil, err
		}
		if l = a.sequence(minus, l); i >= len(n.multiples) {
			l = a.not(l)
		}
		parts = append(parts, l)
	}
	if n.broken {
		parts = append(parts, a.not(a.sequence(minus, a.digits(1, -1), zeros)))
	}
	for _, x := range n.excluded {
		parts = append(parts, a.not(a.spellings(x)))
	}
	if s := n.share; s != nil {
		if n.integer {
			parts = append(parts, a.sequence(minus, a.numeral(multiple{of: int64(s.of), want: int64(s.place)})))
		} else { // by the number of digits after the point
			end := a.empty
			if s.place > 0 {
				end = a.sequence(a.text("."), a.digits(s.place-1, s.place-1), a.one(ranges{{'1', '9'}}))
			}
			parts = append(parts, a.sequence(minus, a.digits(1, -1), end))
		}
	}
	return a.intersect(parts...), nil
}

// room is how many digits are written before and after the point where something is asked of the value: together what a float64
// keeps, so that a validator that computes in it comes to the same result.
func (n *numeric) room() (whole, places int) {
	const kept = 15
	whole, places = 9, 0
	if n.integer {
		whole = kept
	}
	for _, x := range slices.Concat(n.multiples, n.notMultiples, n.excluded, []*big.Rat{n.low.value, n.high.value}) {
		if x == nil {
			continue
		}
		text := strings.TrimRight(new(big.Rat).Abs(x).FloatString(maxDigits), "0")
		before, after, _ := strings.Cut(text, ".")
		whole, places = max(whole, min(len(before)+1, maxDigits)), max(places, len(after))
	}
	return whole, max(places, kept-whole)
}

// multiplesOf is the numerals without sign that are a multiple of m.
func (a *algebra) multiplesOf(m *big.Rat) (*language, error) {
	places, unit := 0, new(big.Rat).Set(m)
	for !unit.IsInt() {
		if places++; places > maxDigits {
			return nil, fmt.Errorf("%s has more than %d digits after the point", m.RatString(), maxDigits)
		}
		unit.Mul(unit, big.NewRat(10, 1))
	}
	if !unit.Num().IsInt64() || unit.Num().Int64() > 1<<53 {
		return nil, fmt.Errorf("%s is too large", m.RatString())
	}
	if n := unit.Num().Int64(); places > 0 {
		return a.numeral(multiple{of: n, places: places}), nil
	}
	end := a.optional(a.sequence(a.text("."), a.repeat(a.text("0"), 1, -1)))
	return a.sequence(a.wholeMultiples(unit.Num().Int64()), end), nil
}

// wholeMultiples is the numerals without point that are a multiple of m. Zeros at the end of m are zeros at the end of them.
func (a *algebra) wholeMultiples(m int64) *language {
	if m == 1 {
		return a.digits(1, -1)
	}
	if m%10 == 0 {
		return a.union(a.text("0"), a.sequence(a.wholeMultiples(m/10), a.text("0")))
	}
	return a.numeral(multiple{of: m})
}

// spellings is the ways to write a number without exponent.
func (a *algebra) spellings(x *big.Rat) *language {
	zeros := a.repeat(a.text("0"), 0, -1)
	text := x.FloatString(maxDigits)
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	sign := a.empty
	if x.Sign() == 0 {
		sign = a.optional(a.text("-"))
	}
	if text[len(text)-1] == '.' {
		return a.sequence(sign, a.text(text[:len(text)-1]), a.optional(a.sequence(a.text("."), a.repeat(a.text("0"), 1, -1))))
	}
	if back, ok := new(big.Rat).SetString(text); !ok || back.Cmp(x) != 0 {
		return a.none // finer than what is generated
	}
	return a.sequence(a.text(text), zeros)
}
