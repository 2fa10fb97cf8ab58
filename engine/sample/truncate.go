package sample

import (
	"math"
	"slices"
)

// topK keeps the k most likely tokens.
func (s *Sampler) topK(c *pool) { c.most(s.params.TopK, s.ties) }

// most keeps the k most likely tokens; with ties also those as likely as the last of them.
func (c *pool) most(k int, ties bool) {
	if !c.listed {
		parts := c.parts()
		if k >= len(c.row) {
			return
		}
		limit := minusInfinity
		if k < len(parts) { // k parts have a token at least as likely as the k-th largest of all parts' largest
			c.items = c.items[:0]
			for i, m := range parts {
				c.items = append(c.items, item{-float64(m), int32(i), 1})
			}
			limit = float32(-prefix(c.items, 0, k).key) * c.by
		}
		c.gather(limit)
	}
	if k >= len(c.list) {
		return
	}
	c.upTo(prefix(c.byRank(), 0, k), ties, fallingLogit)
}

// keep is MinKeep with its default.
func (s *Sampler) keep() int { return max(s.params.MinKeep, 1) }

// topP keeps the most likely tokens until their probability reaches p.
func (s *Sampler) topP(c *pool) {
	p, largest := float64(s.params.TopP), c.largest()
	if !finite(largest) {
		return
	}
	if c.listed {
		c.upTo(prefix(c.byLogit(largest), p*c.total(largest), s.keep()), false, fallingLogit)
		return
	}
	total := c.wholes(largest)
	for _, width := range []float32{4, 8} { // a sure model has it all there
		c.gather(largest - width)
		have := 0.0
		for _, x := range c.list {
			have += float64(c.weights[x.id])
		}
		if have >= p*total && len(c.list) >= s.keep() {
			c.upTo(prefix(c.byLogit(largest), p*total, s.keep()), false, fallingLogit)
			return
		}
	}
	s.topPOfMany(c, p, largest)
}

// shelves of 1/16 nat below the largest logit.
const (
	shelves = 1024
	perNat  = 16
)

func shelf(logit, largest float32) int { return min(int((largest-logit)*perNat), shelves-1) }

// topPOfMany is topP where many tokens are kept: which shelf the last of them is on is known after one look at all, and only that
// shelf's tokens are put in order.
func (s *Sampler) topPOfMany(c *pool, p float64, largest float32) {
	var mass [shelves]float64
	var count [shelves]int
	total := 0.0
	for i, w := range c.weights {
		if w > 0 {
			at := shelf(c.row[i]*c.by, largest)
			mass[at] += float64(w)
			count[at]++
		}
	}
	for _, m := range mass {
		total += m
	}
	rest, keep, at := p*total, s.keep(), 0
	for at < shelves-1 && (mass[at] < rest || count[at] < keep) {
		rest, keep, at = rest-mass[at], keep-count[at], at+1
	}
	c.gather(largest - float32(at+2)/perNat)
	if at == shelves-1 {
		c.gather(minusInfinity)
	}
	c.items = c.items[:0]
	for _, x := range c.list {
		if shelf(x.logit, largest) == at {
			c.items = append(c.items, item{fallingLogit(x), x.id, float64(c.weights[x.id])})
		}
	}
	if len(c.items) > 0 {
		c.upTo(prefix(c.items, rest, keep), false, fallingLogit)
	}
}

// widen lists the tokens of a row within ever larger ranges, the first of this width and each twice as wide, until what is in
// one has the share p of the total weight and enough tokens. It returns the total: where all tokens had to be looked at, that of
// the very weights that were added.
func (c *pool) widen(width float32, limit func(width float32) float32, in func(candidate) bool, p, total float64, keep int) float64 {
	for {
		whole := width > 128 || len(c.list) > len(c.row)/8
		if whole {
			c.gather(minusInfinity)
		} else {
			c.gather(limit(width))
		}
		have, kept := 0.0, c.list[:0]
		for _, x := range c.list {
			if whole || in(x) {
				have += float64(c.weights[x.id])
				kept = append(kept, x)
			}
		}
		c.list = kept
		if whole {
			return have
		}
		if have >= p*total && len(c.list) >= keep {
			return total
		}
		width *= 2
	}
}

// minP keeps tokens at least p times as likely as the most likely one.
func (s *Sampler) minP(c *pool) {
	largest := c.largest()
	if finite(largest) {
		s.least(c, largest, largest+float32(math.Log(float64(s.params.MinP))))
	}
}

// least keeps tokens whose logit is at least limit, and the most likely ones to have min_keep.
func (s *Sampler) least(c *pool, largest, limit float32) {
	limit = min(limit, largest)
	if keep := s.keep(); keep > 1 {
		c.all()
		if keep >= len(c.list) {
			return
		}
		limit = min(limit, float32(-prefix(c.byRank(), 0, keep).key))
	}
	c.atLeast(limit)
}

// epsilon keeps tokens of at least a probability.
func (s *Sampler) epsilon(c *pool) { s.probable(c, float64(s.params.EpsilonCutoff)) }

// eta keeps tokens of at least min(ε, √ε·e^−H) for the entropy H in nats.
func (s *Sampler) eta(c *pool) {
	largest := c.largest()
	if !finite(largest) {
		return
	}
	c.all()
	e := float64(s.params.EtaCutoff)
	_, entropy := c.entropy(largest)
	s.probable(c, min(e, math.Sqrt(e)*math.Exp(-entropy)))
}

func (s *Sampler) probable(c *pool, p float64) {
	largest := c.largest()
	if !finite(largest) {
		return
	}
	s.least(c, largest, largest+float32(math.Log(p*c.total(largest))))
}

// topH keeps the most likely of the hundred best tokens while their terms of the entropy stay within a share of it.
func (s *Sampler) topH(c *pool) {
	largest := c.largest()
	if !finite(largest) {
		return
	}
	c.most(100, false)
	c.all()
	total, entropy := c.entropy(largest)
	items := c.byLogit(largest)
	slices.SortFunc(items, func(a, b item) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	end, sum := items[0], 0.0
	for _, x := range items {
		if p := x.weight / total; p > 0 {
			sum -= p * math.Log(p)
		}
		if sum > entropy*float64(s.params.TopH) {
			break
		}
		end = x
	}
	c.upTo(end, false, fallingLogit)
}

// topNSigma keeps logits at most n standard deviations below the largest.
func (s *Sampler) topNSigma(c *pool) {
	largest := c.largest()
	if !finite(largest) {
		return
	}
	sum, squares, n := 0.0, 0.0, 0.0
	each := func(l float32) {
		if l > minusInfinity {
			d := float64(l) - float64(largest)
			sum, squares, n = sum+d, squares+d*d, n+1
		}
	}
	if c.listed {
		for _, x := range c.list {
			each(x.logit)
		}
	} else {
		for _, l := range c.row {
			each(l * c.by)
		}
	}
	if n > 1 {
		deviation := math.Sqrt(max(squares/n-sum/n*(sum/n), 0))
		c.atLeast(largest - float32(float64(s.params.TopNSigma)*deviation))
	}
}

// entropy is that of the list in nats, and the sum of its weights.
func (c *pool) entropy(largest float32) (total, entropy float64) {
	total = c.total(largest)
	for _, x := range c.list {
		if w := c.weight(x, largest); w > 0 {
			entropy -= w / total * (float64(x.logit) - float64(largest))
		}
	}
	return total, entropy + math.Log(total)
}

func finite(x float32) bool { return !math.IsInf(float64(x), 0) }
