package engine

import (
	"bytes"
	"slices"
)

// force appends the tokens of the text that a reply's constraint leaves no choice about, without asking the model; the next step
// computes their keys as a prompt's. The text is tokenised as it would be in a prompt, and its last token is left to the
// model where something may follow: what follows could be one token with it. With LogProbs nothing is forced, since only the model
// knows how likely a token is. taken is how many there were, stop why the reply ends with them.
func (e *Engine) force(q *sequence) (taken int, stop string) {
	if q.matcher == nil || q.request.LogProbs {
		return 0, ""
	}
	for _, id := range e.forced(q) {
		if q.matcher.Accept(id) != nil {
			return taken, "" // not a token of the constraint's vocabulary: the model chooses
		}
		q.sampler.Record(id)
		taken++
		q.forced++
		if stop = q.take(Token{ID: id}, e.Options.Context); stop != "" {
			return taken, stop
		}
	}
	return taken, ""
}

// forced are those tokens.
func (e *Engine) forced(q *sequence) []int32 {
	text := q.matcher.Forced()
	if len(text) < 2 {
		return nil
	}
	ids := e.Tokenizer.Encode(string(text))
	after := q.matcher.Clone()
	if after.AcceptBytes(text) == nil && !after.Done() && len(ids) > 0 {
		ids = ids[:len(ids)-1]
	}
	for i, id := range ids {
		piece := e.Tokenizer.TokenBytes(id)
		if slices.Contains(q.request.StopIDs, id) || !bytes.HasPrefix(text, piece) {
			return ids[:i] // a tokenizer that puts a space before every text
		}
		text = text[len(piece):]
	}
	return ids
}

// closes ends a reply of a constraint that would not be whole within its tokens if the token just chosen were taken: it is left out, and
// a shortest text that makes the reply whole is appended instead. A reply that could not be
// whole anyway is cut, and one with LogProbs too.
func (e *Engine) closes(q *sequence) bool {
	if q.matcher == nil || q.request.LogProbs {
		return false
	}
	left := e.Options.Context - len(q.ids)
	if q.request.MaxTokens > 0 {
		left = min(left, q.request.MaxTokens-len(q.reply()))
	}
	rest := q.matcher.Completion()
	if len(rest) <= left-1 || len(e.Tokenizer.Encode(string(rest))) <= left-1 {
		return false
	}
	text := q.before.Completion()
	ids := e.Tokenizer.Encode(string(text))
	if len(ids) == 0 || len(ids) > left {
		return false
	}
	after := q.before.Clone()
	for _, id := range ids {
		if slices.Contains(q.request.StopIDs, id) || after.Accept(id) != nil {
			return false // a tokenizer that puts a space before every text
		}
	}
	q.matcher = q.before
	for _, id := range ids {
		q.forced++
		q.matcher.Accept(id)
		q.take(Token{ID: id}, e.Options.Context)
	}
	return true
}
