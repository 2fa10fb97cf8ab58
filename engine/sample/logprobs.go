package sample

import (
	"math"

	"lian/compute/cpu"
)

// Likely is a token and the natural logarithm of its probability.
type Likely struct {
	ID      int32
	LogProb float32
}

// LogProbs looks at rows of logits as a model gave them; it owns its scratch memory.
type LogProbs struct{ pool pool }

// Of gives the log-probability of a token under a row of logits, appends the top most likely tokens to best, the most likely first,
// and how many tokens are more likely than id (its rank, 0 is the most likely). NaN counts as −∞.
func (l *LogProbs) Of(row []float32, id int32, top int, best []Likely) (logProb float32, rank int, _ []Likely) {
	c := &l.pool
	c.rows(row)
	largest := c.largest()
	if !finite(largest) {
		return minusInfinity, 0, best
	}
	lse := cpu.LogSumExp(row, largest)
	if math.IsNaN(lse) {
		lse = float64(largest) + math.Log(c.wholes(largest))
	}
	for i, m := range c.parts() {
		if m > row[id] {
			for _, x := range row[i*part : min((i+1)*part, len(row))] {
				if x > row[id] {
					rank++
				}
			}
		}
	}
	if top > 0 {
		c.most(top, false)
		c.all()
		for range min(top, len(c.list)) { // few: pick the best of the rest each time
			at := 0
			for i, x := range c.list {
				if x.logit > c.list[at].logit || x.logit == c.list[at].logit && x.id < c.list[at].id {
					at = i
				}
			}
			best = append(best, Likely{c.list[at].id, float32(float64(c.list[at].logit) - lse)})
			c.list[at] = c.list[len(c.list)-1]
			c.list = c.list[:len(c.list)-1]
		}
	}
	return float32(float64(row[id]) - lse), rank, best
}
