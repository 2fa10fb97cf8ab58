package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"lian/engine/grammar"
	"lian/engine/sample"
	"lian/model"
	"lian/tokenizer"
)

// sequence is a request being worked on.
type sequence struct {
	request Request
	prompt  []PromptToken // if asked for
	adapter model.Adapter // nil: the model as it is
	ctx     context.Context
	stream  *Stream
	arrived time.Time
	first   time.Duration

	ids      []int32 // prompt and reply
	computed int     // ids whose keys are in the cache
	drafts   []int32 // what may come after ids; the next step computes them along, see guess
	drafting drafting
	table    table
	root     rootKey
	place    place
	begun    bool // cached and miss are known
	cached   int
	miss     string

	sampler  *sample.Sampler
	logProbs sample.LogProbs
	matcher  *grammar.Matcher
	before   *grammar.Matcher // without the token chosen last
	forced   int              // tokens that the constraint left no choice about
	decoder  *tokenizer.Stream
	text     strings.Builder // shown
	held     string          // not shown yet: it may begin a stop text
}

// missing is how many ids have no keys yet.
func (q *sequence) missing() int { return len(q.ids) - q.computed }

func (q *sequence) reply() []int32 { return q.ids[len(q.request.Prompt):] }

// choose takes the next token of a row of logits. stop is why the reply ends before or with this token.
func (q *sequence) choose(logits []float32, mask []uint64) (t Token, stop string) {
	if q.matcher == nil {
		mask = nil
	} else if q.matcher.Mask(mask) == 0 {
		return t, q.deadEnd()
	}
	t.ID = q.sampler.NextWithin(logits, mask, len(q.ids))
	if t.ID < 0 {
		return t, q.deadEnd()
	}
	if slices.Contains(q.request.StopIDs, t.ID) {
		return t, FinishStop
	}
	if q.matcher != nil {
		q.before = q.matcher.Clone()
		if q.matcher.Accept(t.ID) != nil {
			return t, FinishConstraint
		}
	}
	if q.request.LogProbs {
		t.LogProb, _, t.Top = q.logProbs.Of(logits, t.ID, q.request.Top, nil)
	}
	return t, ""
}

func (q *sequence) deadEnd() string {
	if q.matcher != nil && q.matcher.Complete() {
		return FinishStop
	}
	return FinishConstraint
}

// take appends a token and returns why the reply ends with it, or "".
func (q *sequence) take(t Token, context int) string {
	if len(q.reply()) == 0 {
		q.first = time.Since(q.arrived)
	}
	q.ids = append(q.ids, t.ID)
	shown, stopped := q.show(q.decoder.Push(t.ID))
	t.Text = shown
	q.stream.push(t)
	switch {
	case stopped, q.matcher != nil && q.matcher.Done():
		return FinishStop
	case q.request.MaxTokens > 0 && len(q.reply()) >= q.request.MaxTokens, len(q.ids) >= context:
		return FinishLength
	}
	return ""
}

// show is what of the held and the new text can be shown: all but the longest end that begins a stop text. The stop that is complete
// first ends the reply, and of two that end together the longer, so that nothing depends on where tokens are cut.
func (q *sequence) show(piece string) (shown string, stopped bool) {
	q.held += piece
	keep, from, end := 0, 0, len(q.held)+1
	for _, stop := range q.request.StopText {
		if at := strings.Index(q.held, stop); stop != "" && at >= 0 && len(q.reply()) >= q.request.Sample.MinTokens {
			if to := at + len(stop); to < end || to == end && at < from {
				from, end = at, to
			}
		}
		for n := min(len(stop)-1, len(q.held)); n > keep; n-- {
			if strings.HasSuffix(q.held, stop[:n]) {
				keep = n
			}
		}
	}
	if end <= len(q.held) {
		shown, q.held = q.held[:from], ""
		q.text.WriteString(shown)
		return shown, true
	}
	shown, q.held = q.held[:len(q.held)-keep], q.held[len(q.held)-keep:]
	q.text.WriteString(shown)
	return shown, false
}

// end closes the stream.
func (q *sequence) end(why string, err error) {
	if why != FinishStop || q.held != "" {
		if rest := q.held + q.decoder.Flush(); rest != "" {
			q.text.WriteString(rest)
			q.stream.push(Token{ID: -1, Text: rest})
		}
	}
	q.stream.finish(Result{IDs: slices.Clone(q.reply()), Text: q.text.String(), Finish: why, Err: err, Prompt: q.prompt, PromptTokens: len(q.request.Prompt),
		CachedTokens: q.cached, Miss: q.miss, Drafted: q.drafting.drafted, Accepted: q.drafting.accepted, Forced: q.forced, First: q.first, Total: time.Since(q.arrived)})
}
