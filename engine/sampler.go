package engine

import "lian/engine/sample"

// sampler is what chooses a reply's tokens: it knows the prompt, the tokens that end a reply, and what texts they stand for.
func (e *Engine) sampler(r *Request) *sample.Sampler {
	p := r.Sample
	for _, word := range p.BadWords {
		for _, text := range []string{word, " " + word} {
			if ids := e.Tokenizer.Encode(text); len(ids) > 0 {
				p.Banned = append(p.Banned[:len(p.Banned):len(p.Banned)], ids)
			}
		}
	}
	s := sample.New(p)
	s.Stops(r.StopIDs)
	s.Texts(func(id int32) []byte {
		if int(id) >= e.Tokenizer.VocabSize() || e.Tokenizer.IsSpecial(id) {
			return nil
		}
		return e.Tokenizer.TokenBytes(id)
	})
	s.Prompt(r.Prompt)
	return s
}
