package sample

import (
	"bytes"
	"math"
)

// breakers finds the last place that a repeated run cannot go beyond.
type breakers struct {
	texts   [][]byte
	longest int
	tail    []byte // of the text: as much as a breaker may have begun in
	at      int    // tokens up to and with the one in which the last breaker ended
}

func newBreakers(texts []string) breakers {
	var b breakers
	for _, t := range texts {
		if t != "" {
			b.texts = append(b.texts, []byte(t))
			b.longest = max(b.longest, len(t))
		}
	}
	return b
}

// add takes the text of the token that makes the tokens n in number.
func (b *breakers) add(text []byte, n int) {
	if len(b.texts) == 0 {
		return
	}
	before := len(b.tail)
	b.tail = append(b.tail, text...)
	for _, t := range b.texts {
		if at := bytes.LastIndex(b.tail, t); at >= 0 && at+len(t) > before {
			b.at = n
		}
	}
	if extra := len(b.tail) - (b.longest - 1); extra > 0 {
		b.tail = b.tail[:copy(b.tail, b.tail[extra:])]
	}
}

// in says whether a token has a breaker all to itself.
func (b *breakers) in(text []byte) bool {
	for _, t := range b.texts {
		if bytes.Contains(text, t) {
			return true
		}
	}
	return false
}

// dry takes off tokens that would go on with a run that was there before: multiplier · base^(length − allowed) for the longest
// run of at least the allowed length that the text ends with, that stands elsewhere too, and that the token followed there. A
// run stops at a breaker.
func (s *Sampler) dry(row []float32) {
	p := &s.params
	ids := s.history.ids
	limit := len(ids) - s.breakers.at
	if p.DRYLastN > 0 && len(ids) > p.DRYLastN {
		ids = ids[len(ids)-p.DRYLastN:]
	}
	limit = min(limit, len(ids))
	if len(ids) <= p.DRYAllowedLength || limit < p.DRYAllowedLength {
		return
	}
	clear(s.runs)
	s.lengths = suffixes(grown(s.lengths, len(ids)), ids)
	for end, n := range s.lengths[:len(ids)-1] {
		if n = min(n, int32(limit)); n >= int32(p.DRYAllowedLength) {
			next := ids[end+1]
			s.runs[next] = max(s.runs[next], n)
		}
	}
	most := int32(0) // so that the power stays a number
	if p.DRYBase > 1.000001 {
		most = int32(math.Log(math.MaxFloat32) / math.Log(float64(p.DRYBase)))
	}
	for id, n := range s.runs {
		if s.text != nil && s.breakers.in(s.text(id)) {
			continue
		}
		exponent := n - int32(p.DRYAllowedLength)
		if most > 0 {
			exponent = min(exponent, most)
		}
		penalty := p.DRYMultiplier * float32(math.Pow(float64(p.DRYBase), float64(exponent)))
		s.change(row, id, func(l float32) float32 { return l - penalty })
	}
}

// suffixes writes for each place how long a run that ends there is also what the ids end with: Gusfield's Z algorithm from the
// end, in linear time. The last place, which is the end itself, has 0.
func suffixes(z []int32, ids []int32) []int32 {
	n := len(ids)
	at := func(i int) int32 { return ids[n-1-i] } // from the end
	z[n-1] = 0
	left, right := 0, 0 // the match that reaches furthest is [left, right)
	for k := 1; k < n; k++ {
		length := 0
		if k < right {
			length = min(right-k, int(z[n-1-(k-left)]))
		}
		for k+length < n && at(length) == at(k+length) {
			length++
		}
		if k+length > right {
			left, right = k, k+length
		}
		z[n-1-k] = int32(length)
	}
	return z
}
