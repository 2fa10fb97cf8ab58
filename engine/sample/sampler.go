package sample

import (
	"math/bits"

	"lian/compute/cpu"
)

// Sampler chooses the tokens of one sequence. It remembers the tokens seen, for the penalties, and owns its scratch
// memory; it is not safe for concurrent use.
type Sampler struct {
	params Params
	steps  []*step
	ties   bool
	seed   uint64
	stops  []int32
	text   func(id int32) []byte

	history  history
	breakers breakers
	mu       float64 // of mirostat

	position int // of the token being chosen
	pool     pool
	edits    []edit
	masked   []float32
	lengths  []int32         // scratch of dry
	runs     map[int32]int32 // scratch of dry
}

// New returns a sampler for one sequence. Parameters out of range should have been refused by Validate before.
func New(p Params) *Sampler {
	s := &Sampler{params: p, seed: p.Seed, ties: p.keepsTies(), history: newHistory(&p), mu: 2 * float64(p.MirostatTau)}
	s.steps, _ = p.steps()
	if p.DRYMultiplier > 0 {
		s.breakers, s.runs = newBreakers(p.DRYBreakers), map[int32]int32{}
	}
	return s
}

// Texts tells the sampler the bytes of tokens, for dry's breakers.
func (s *Sampler) Texts(of func(id int32) []byte) { s.text = of }

// Stops tells the sampler the tokens that end the reply, for min_tokens.
func (s *Sampler) Stops(ids []int32) { s.stops = ids }

// Prompt tells the sampler what was there before the reply; penalties and bans count it.
func (s *Sampler) Prompt(ids []int32) {
	for _, id := range ids {
		s.add(id, false)
	}
}

// Record adds a token of the reply that Next did not choose: one that was forced by a grammar, or that is replayed
// after a sequence was put aside.
func (s *Sampler) Record(id int32) { s.add(id, true) }

func (s *Sampler) add(id int32, reply bool) {
	s.history.add(id, reply)
	if s.params.DRYMultiplier > 0 && s.text != nil {
		s.breakers.add(s.text(id), len(s.history.ids))
	}
}

// Next chooses and records the token at position, the index in the sequence of the token to be chosen. Tokens whose
// logit is −Inf or NaN are never chosen. It returns −1 when no token is left. logits are as they were when it returns.
func (s *Sampler) Next(logits []float32, position int) int32 {
	return s.NextWithin(logits, nil, position)
}

// NextWithin is Next among the tokens whose bit is set in mask; nil is all.
func (s *Sampler) NextWithin(logits []float32, mask []uint64, position int) int32 {
	s.position = position
	id := s.choose(logits, mask)
	s.restore(logits)
	if id >= 0 {
		s.Record(id)
	}
	return id
}

func (s *Sampler) choose(row []float32, mask []uint64) int32 {
	if len(row) == 0 {
		return -1
	}
	s.adjust(row)
	s.begin(row, mask)
	if s.params.Temperature <= 0 {
		if !s.pool.listed {
			return argmax(s.pool.row)
		}
		return s.pool.best()
	}
	s.narrow()
	id := int32(-1)
	if s.params.Mirostat == 2 {
		id = s.mirostat(&s.pool)
	} else {
		id = s.pool.draw(uniform(s.seed, s.position))
	}
	if id < 0 { // dividing by the temperature may have made all logits infinite
		s.begin(row, mask)
		s.pool.all()
		return s.pool.best()
	}
	return id
}

// adjust changes the logits of single tokens, until restore.
func (s *Sampler) adjust(row []float32) {
	s.biases(row)
	for _, step := range s.steps {
		if step.adjust != nil {
			step.adjust(s, row)
		}
	}
	s.bans(row)
}

// begin fills the pool. A mask that leaves few tokens makes a list, another a row of its own.
func (s *Sampler) begin(row []float32, mask []uint64) {
	if mask == nil {
		s.pool.rows(row)
		return
	}
	left := 0
	for _, w := range mask {
		left += bits.OnesCount64(w)
	}
	if left*8 <= len(row) {
		s.pool.within(row, mask)
		return
	}
	s.masked = append(s.masked[:0], row...)
	for at := 0; at < len(row); at += 64 {
		w, part := uint64(0), s.masked[at:min(at+64, len(row))]
		if at/64 < len(mask) {
			w = mask[at/64]
		}
		for none := ^w; none != 0; none &= none - 1 {
			if i := bits.TrailingZeros64(none); i < len(part) {
				part[i] = minusInfinity
			}
		}
	}
	s.pool.rows(s.masked)
}

// narrow runs the steps that leave tokens out, and the temperature.
func (s *Sampler) narrow() {
	for _, step := range s.steps {
		if step.narrow != nil && !(s.pool.listed && len(s.pool.list) == 0) {
			step.narrow(s, &s.pool)
		}
	}
}

// best is the most likely token of the list, the lowest id among equals, −1 of none.
func (c *pool) best() int32 {
	best := candidate{-1, minusInfinity}
	for _, x := range c.list {
		if x.logit > best.logit {
			best = x
		}
	}
	return best.id
}

// argmax returns the id of the largest value, the lowest id among equals, −1 if all are −Inf or NaN.
func argmax(row []float32) int32 {
	var maxima [64]float32
	const wide = 4096
	value, from := minusInfinity, -1
	for at := 0; at < len(row); at += len(maxima) * wide { // more than one turn for a quarter of a million tokens
		n := min(len(maxima), (len(row)-at+wide-1)/wide)
		cpu.Maxima(maxima[:n], row[at:], wide)
		for i, m := range maxima[:n] {
			if m > value {
				value, from = m, at+i*wide
			}
		}
	}
	if from < 0 {
		return -1
	}
	for i, l := range row[from:] {
		if l == value {
			return int32(from + i)
		}
	}
	return -1
}
