package sample

import "math"

// Steps that look at the entropy, and the temperature.

// typical keeps the tokens whose surprise is nearest to the entropy, until their probability reaches p.
func (s *Sampler) typical(c *pool) {
	largest := c.largest()
	if !finite(largest) {
		return
	}
	p, center := float64(s.params.TypicalP), 0.0
	key := func(x candidate) float64 { return math.Abs(center - float64(x.logit)) } // |−ln p − H|
	if c.listed {
		total, entropy := c.entropy(largest)
		center = float64(largest) + math.Log(total) - entropy
		c.items = c.items[:0]
		for _, x := range c.list {
			c.items = append(c.items, item{key(x), x.id, c.weight(x, largest)})
		}
		c.upTo(prefix(c.items, p*total, s.keep()), s.ties, key)
		return
	}
	total, mean := c.wholes(largest), 0.0
	for i, w := range c.weights {
		if w > 0 {
			mean += float64(w) * (float64(c.row[i]*c.by) - float64(largest))
		}
	}
	center = float64(largest) + mean/total // ln Σ − H
	width := float32(0)
	total = c.widen(1, func(w float32) float32 { width = w; return float32(center) - w }, func(x candidate) bool { return key(x) <= float64(width) }, p, total, s.keep())
	c.items = c.items[:0]
	for _, x := range c.list {
		c.items = append(c.items, item{key(x), x.id, float64(c.weights[x.id])})
	}
	c.upTo(prefix(c.items, p*total, s.keep()), s.ties, key)
}

// temperature divides the logits.
func (s *Sampler) temperature(c *pool) {
	t := s.params.Temperature
	if s.params.DynatempRange > 0 {
		if t = s.dynamicTemperature(c); len(c.list) == 1 { // nothing to weigh: left as it is, as llama.cpp does
			return
		}
	}
	by := 1 / t
	if !finite(by) { // so small that nothing but the best is left
		c.most(1, false)
		return
	}
	c.base = float32(math.NaN())
	if !c.listed {
		c.by *= by
		return
	}
	for i := range c.list {
		c.list[i].logit /= t
	}
}

// dynamicTemperature is between the temperature less and plus the range, by the entropy as a share of the largest there could be.
func (s *Sampler) dynamicTemperature(c *pool) float32 {
	t, r, most := s.params.Temperature, s.params.DynatempRange, c.size
	largest := c.largest()
	if c.listed {
		most = len(c.list)
	}
	if c.all(); most <= 1 || len(c.list) <= 1 || !finite(largest) {
		return t
	}
	_, entropy := c.entropy(largest)
	low := max(0, t-r)
	return low + (t+r-low)*float32(math.Pow(max(entropy, 0)/math.Log(float64(most)), float64(s.params.DynatempExponent)))
}

// xtc leaves out, now and then, the tokens above a probability but the least likely of them.
func (s *Sampler) xtc(c *pool) {
	if uniform(s.seed^xtcSite, s.position) > float64(s.params.XTCProbability) {
		return
	}
	largest := c.largest()
	if !finite(largest) {
		return
	}
	c.all()
	limit := float64(s.params.XTCThreshold) * c.total(largest)
	above, least := 0, candidate{}
	for _, x := range c.list {
		if c.weight(x, largest) >= limit {
			if above == 0 || x.logit < least.logit || x.logit == least.logit && x.id > least.id {
				least = x
			}
			above++
		}
	}
	if above < 2 || len(c.list)-above+1 < s.keep() {
		return
	}
	kept := c.list[:0]
	for _, x := range c.list {
		if x == least || c.weight(x, largest) < limit {
			kept = append(kept, x)
		}
	}
	c.list = kept
}

// mirostat draws from the tokens whose surprise is at most mu bits, and moves mu by how surprising the token was.
func (s *Sampler) mirostat(c *pool) int32 {
	largest := c.largest()
	if !finite(largest) {
		return c.draw(0)
	}
	total := c.total(largest)
	// −log2(w/total) ≤ mu, and the best whatever it is
	c.atLeast(min(float32(float64(largest)+math.Log(total)-s.mu*math.Ln2), largest))
	id := c.draw(uniform(s.seed, s.position))
	total = c.total(largest)
	for _, x := range c.list {
		if x.id == id {
			surprise := (math.Log(total) - (float64(x.logit) - float64(largest))) / math.Ln2
			s.mu -= float64(s.params.MirostatEta) * (surprise - float64(s.params.MirostatTau))
		}
	}
	return id
}
