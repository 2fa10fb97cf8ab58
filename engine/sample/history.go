package sample

// history is what a sampler knows of the tokens before, as far as its parameters need it.
type history struct {
	ids    []int32 // prompt and reply; empty if nothing needs them
	prompt int     // of ids
	reply  int     // tokens chosen or recorded

	keeps     bool
	last      int           // tokens that counts look back on; 0 is all
	counts    map[int32]int // of the last tokens, prompt and reply
	generated map[int32]int // of the last tokens of the reply
}

func newHistory(p *Params) history {
	h := history{last: p.RepeatLastN}
	if p.repeats() || p.PresencePenalty != 0 || p.FrequencyPenalty != 0 {
		h.counts, h.generated = map[int32]int{}, map[int32]int{}
	}
	h.keeps = h.counts != nil && h.last > 0 || p.NoRepeatNGram > 0 || p.DRYMultiplier > 0 || len(p.Banned) > 0 || len(p.SequenceBias) > 0
	return h
}

// add takes a token of the prompt or of the reply.
func (h *history) add(id int32, reply bool) {
	if reply {
		h.reply++
	}
	if h.keeps {
		h.ids = append(h.ids, id)
		if !reply {
			h.prompt = len(h.ids)
		}
	}
	if h.counts == nil {
		return
	}
	h.counts[id]++
	if reply {
		h.generated[id]++
	}
	if h.last > 0 && len(h.ids) > h.last {
		at := len(h.ids) - h.last - 1
		forget(h.counts, h.ids[at])
		if at >= h.prompt {
			forget(h.generated, h.ids[at])
		}
	}
}

func forget(counts map[int32]int, id int32) {
	if counts[id]--; counts[id] <= 0 {
		delete(counts, id)
	}
}

// endsWith says whether the last tokens are these.
func (h *history) endsWith(ids []int32) bool {
	if len(ids) > len(h.ids) {
		return false
	}
	for i, id := range h.ids[len(h.ids)-len(ids):] {
		if id != ids[i] {
			return false
		}
	}
	return true
}
