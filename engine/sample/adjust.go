package sample

import "slices"

// edit is a logit as it was before it was changed.
type edit struct {
	id    int32
	logit float32
}

// change gives a token another logit until restore. Tokens outside the row are left alone.
func (s *Sampler) change(row []float32, id int32, to func(float32) float32) {
	if int(id) < len(row) && row[id] > minusInfinity {
		s.edits = append(s.edits, edit{id, row[id]})
		row[id] = to(row[id])
	}
}

// ban leaves a token no chance.
func (s *Sampler) ban(row []float32, id int32) {
	if int(id) < len(row) {
		s.edits = append(s.edits, edit{id, row[id]})
		row[id] = minusInfinity
	}
}

// restore undoes all changes, the last first.
func (s *Sampler) restore(row []float32) {
	for i := len(s.edits) - 1; i >= 0; i-- {
		row[s.edits[i].id] = s.edits[i].logit
	}
	s.edits = s.edits[:0]
}

// biases adds what is added whatever the steps are.
func (s *Sampler) biases(row []float32) {
	for id, bias := range s.params.LogitBias {
		s.change(row, id, func(l float32) float32 { return l + bias })
	}
	for _, b := range s.params.SequenceBias {
		if s.history.endsWith(b.IDs[:len(b.IDs)-1]) {
			s.change(row, b.IDs[len(b.IDs)-1], func(l float32) float32 { return l + b.Bias })
		}
	}
}

// bans leaves out what must not come now.
func (s *Sampler) bans(row []float32) {
	for _, ids := range s.params.Banned {
		if len(ids) == 1 && slices.Contains(s.stops, ids[0]) {
			continue
		}
		if s.history.endsWith(ids[:len(ids)-1]) {
			s.ban(row, ids[len(ids)-1])
		}
	}
	if n := s.params.NoRepeatNGram; n > 0 && len(s.history.ids) >= n {
		ids := s.history.ids
		beginning := ids[len(ids)-n+1:]
		for at := 0; at+n <= len(ids); at++ {
			if slices.Equal(ids[at:at+n-1], beginning) {
				s.ban(row, ids[at+n-1])
			}
		}
	}
	if s.history.reply < s.params.MinTokens {
		for _, id := range s.stops {
			s.ban(row, id)
		}
	}
}

// presenceFrequency takes the OpenAI API's penalties off tokens of the reply.
func (s *Sampler) presenceFrequency(row []float32) {
	for id, n := range s.history.generated {
		s.change(row, id, func(l float32) float32 { return l - (s.params.PresencePenalty + s.params.FrequencyPenalty*float32(n)) })
	}
}

// repetition is CTRL's penalty on tokens of prompt and reply.
func (s *Sampler) repetition(row []float32) {
	for id := range s.history.counts {
		s.change(row, id, s.repeated)
	}
}

func (s *Sampler) repeated(l float32) float32 {
	if l > 0 {
		return l / s.params.RepetitionPenalty
	}
	return l * s.params.RepetitionPenalty
}

// penalties is llama.cpp's step: all three on tokens of prompt and reply, repetition first.
func (s *Sampler) penalties(row []float32) {
	p := &s.params
	for id, n := range s.history.counts {
		s.change(row, id, func(l float32) float32 {
			if p.repeats() {
				l = s.repeated(l)
			}
			return l - (float32(n)*p.FrequencyPenalty + p.PresencePenalty)
		})
	}
}
