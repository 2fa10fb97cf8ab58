package sample

import (
	"math"

	"lian/compute/cpu"
)

// candidate is a token that may still be chosen.
type candidate struct {
	id    int32
	logit float32
}

var minusInfinity = float32(math.Inf(-1))

// pool is what may still be chosen: a whole row of logits times `by`, until a step leaves tokens out; from then on a list of
// candidates by ascending id. The most a step does to a row is to look at the parts of it that matter.
type pool struct {
	row    []float32
	by     float32   // what the row's logits are times: one over the temperature
	maxima []float32 // of the row's parts, not yet times by; see parts
	listed bool
	list   []candidate
	size   int // tokens there were before any was left out, banned ones included

	weights, sums []float32 // of all tokens of the row, see wholes
	base          float32   // the largest logit that weights are relative to; NaN: there are none
	items         []item    // scratch of selections
}

// part is the number of logits of a row whose largest is known.
const part = 128

// rows begins with all of a row.
func (c *pool) rows(row []float32) {
	c.row, c.by, c.listed, c.list, c.maxima, c.size = row, 1, false, c.list[:0], c.maxima[:0], len(row)
	c.base = float32(math.NaN())
}

// within begins with the tokens of a row that a mask has.
func (c *pool) within(row []float32, mask []uint64) {
	c.rows(row)
	c.listed = true
	for w, bits := range mask {
		for at := w * 64; bits != 0; bits, at = bits>>1, at+1 {
			if bits&1 != 0 && at < len(row) && row[at] > minusInfinity {
				c.list = append(c.list, candidate{int32(at), row[at]})
			}
		}
	}
}

// parts are the largest logits of the row's parts.
func (c *pool) parts() []float32 {
	if n := (len(c.row) + part - 1) / part; len(c.maxima) != n {
		c.maxima = grown(c.maxima, n)
		cpu.Maxima(c.maxima, c.row, part)
	}
	return c.maxima
}

// grown is a slice of n values, whatever they are, with room for some more.
func grown[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n, n+n/4)
	}
	return s[:n]
}

// largest is the largest logit.
func (c *pool) largest() float32 {
	most := minusInfinity
	if c.listed {
		for _, x := range c.list {
			most = max(most, x.logit)
		}
		return most
	}
	for _, m := range c.parts() {
		most = max(most, m)
	}
	return most * c.by
}

// atLeast keeps the tokens whose logit is at least limit.
func (c *pool) atLeast(limit float32) {
	if c.listed {
		kept := c.list[:0]
		for _, x := range c.list {
			if x.logit >= limit {
				kept = append(kept, x)
			}
		}
		c.list = kept
		return
	}
	c.gather(limit)
}

// gather lists the tokens of the row whose logit is at least limit.
func (c *pool) gather(limit float32) {
	c.list, c.listed = c.list[:0], true
	for i, m := range c.parts() {
		if !(m*c.by >= limit) {
			continue
		}
		from := i * part
		for at, l := range c.row[from:min(from+part, len(c.row))] {
			if l *= c.by; l >= limit && l > minusInfinity {
				c.list = append(c.list, candidate{int32(from + at), l})
			}
		}
	}
}

// all lists every token.
func (c *pool) all() []candidate {
	if !c.listed {
		c.gather(minusInfinity)
	}
	return c.list
}

// wholes are e to the power of each logit less the largest of the row, and their sum.
func (c *pool) wholes(largest float32) (total float64) {
	c.weights, c.sums = grown(c.weights, len(c.row)), grown(c.sums, (len(c.row)+cpu.ScanPart-1)/cpu.ScanPart)
	cpu.Exponentials(c.weights, c.sums, c.row, c.by, largest)
	c.base = largest
	for _, s := range c.sums {
		total += float64(s)
	}
	if math.IsNaN(total) { // a logit that is no number counts for nothing
		total = 0
		for i, w := range c.weights {
			if w != w {
				c.weights[i] = 0
			}
		}
		for i := range c.sums {
			c.sums[i] = 0
			for _, w := range c.weights[i*cpu.ScanPart : min((i+1)*cpu.ScanPart, len(c.weights))] {
				c.sums[i] += w
			}
			total += float64(c.sums[i])
		}
	}
	return total
}

// weight is e to the power of a candidate's logit less the largest.
func (c *pool) weight(x candidate, largest float32) float64 {
	switch {
	case largest == c.base:
		return float64(c.weights[x.id])
	case x.logit == largest:
		return 1 // also where both are infinite
	}
	return math.Exp(float64(x.logit) - float64(largest))
}

// total is the sum of the weights of all tokens.
func (c *pool) total(largest float32) (total float64) {
	if !c.listed {
		return c.wholes(largest)
	}
	for _, x := range c.list {
		total += c.weight(x, largest)
	}
	return total
}
