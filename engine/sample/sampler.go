package sample

import "math"

// Sampler chooses the tokens of one sequence. It remembers the tokens seen, for the penalties, and owns its scratch
// memory; it is not safe for concurrent use.
type Sampler struct {
	params    Params
	seen      map[int32]struct{} // prompt and reply: repetition penalty
	generated map[int32]int      // reply only: presence and frequency penalty
	row       []float32
	list      []candidate
}

// New returns a sampler for one sequence. Parameters out of range should have been refused by Validate before.
func New(p Params) *Sampler {
	return &Sampler{params: p, seen: map[int32]struct{}{}, generated: map[int32]int{}}
}

// Prompt tells the sampler what was there before the reply; the repetition penalty counts it.
func (s *Sampler) Prompt(ids []int32) {
	for _, id := range ids {
		s.seen[id] = struct{}{}
	}
}

// Record adds a token of the reply that Next did not choose: one that was forced by a grammar, or that is replayed
// after a sequence was put aside.
func (s *Sampler) Record(id int32) {
	s.seen[id] = struct{}{}
	s.generated[id]++
}

// Next chooses and records the token at position, the index in the sequence of the token to be chosen. Tokens whose
// logit is -Inf or NaN are never chosen. It returns -1 when no token is left. logits is not changed.
func (s *Sampler) Next(logits []float32, position int) int32 {
	row := s.adjust(logits)
	var id int32
	if s.params.Temperature <= 0 {
		id = argmax(row)
	} else {
		id = draw(s.candidates(row), uniform(s.params.Seed, position))
	}
	if id >= 0 {
		s.Record(id)
	}
	return id
}

// adjust applies bias and penalties to a copy of the row, or returns the row itself where there are none.
func (s *Sampler) adjust(logits []float32) []float32 {
	p := &s.params
	repeats := p.RepetitionPenalty != 0 && p.RepetitionPenalty != 1
	counts := p.PresencePenalty != 0 || p.FrequencyPenalty != 0
	if !repeats && !counts && len(p.LogitBias) == 0 {
		return logits
	}
	s.row = append(s.row[:0], logits...)
	row := s.row
	for id, bias := range p.LogitBias {
		if int(id) < len(row) {
			row[id] += bias
		}
	}
	if counts {
		for id, n := range s.generated {
			if int(id) < len(row) {
				row[id] -= p.PresencePenalty + p.FrequencyPenalty*float32(n)
			}
		}
	}
	if repeats {
		for id := range s.seen {
			if int(id) >= len(row) {
				continue
			}
			if row[id] > 0 {
				row[id] /= p.RepetitionPenalty
			} else {
				row[id] *= p.RepetitionPenalty
			}
		}
	}
	return row
}

// candidates applies temperature and the truncations; what is left is what may be drawn.
func (s *Sampler) candidates(row []float32) []candidate {
	list := s.list[:0]
	for id, logit := range row {
		if logit > float32(math.Inf(-1)) {
			list = append(list, candidate{id: int32(id), logit: logit / s.params.Temperature})
		}
	}
	s.list = list
	list = topK(list, s.params.TopK)
	list = topP(list, s.params.TopP)
	return minP(list, s.params.MinP)
}

// argmax returns the id of the largest value, the lowest id among equals, -1 if all are -Inf or NaN.
func argmax(row []float32) int32 {
	best, value := int32(-1), float32(math.Inf(-1))
	for id, logit := range row {
		if logit > value {
			best, value = int32(id), logit
		}
	}
	return best
}
