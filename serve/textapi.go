package serve

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"lian/engine"
)

// completions is POST /v1/completions.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) error {
	begun := time.Now()
	var q completionRequest
	ignored, err := s.decode(w, r, &q, completionKnown, completionRefused)
	if err != nil {
		return err
	}
	s.noteIgnored(w, ignored)
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	requests, n, err := s.completionRequests(m, &q)
	if err != nil {
		return err
	}
	best := n
	if q.BestOf != nil {
		best = *q.BestOf
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := &completion{server: s, model: m, id: identifier("cmpl-"), created: begun.Unix(), logProbs: q.LogProbs != nil, n: n, each: best}
	var streams []Stream
	for i, request := range requests {
		some, err := start(ctx, m, request, best)
		if err != nil {
			return err // cancel ends those that were started
		}
		streams = append(streams, some...)
		c.prompt += len(request.Prompt)
		for range some {
			part := &textPart{promptOnly: q.Echo && q.MaxTokens != nil && *q.MaxTokens == 0}
			if q.Echo {
				part.write(q.Prompt.text(m, i))
			}
			c.parts = append(c.parts, part)
		}
	}
	s.metrics.prompt.Add(int64(c.prompt))
	pieces := s.follow(ctx, m, streams, begun)
	if q.Stream {
		c.stream(newEvents(w), pieces, q.StreamOptions != nil && q.StreamOptions.IncludeUsage)
		return nil
	}
	answer, err := c.whole(pieces)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// defaultCompletion is OpenAI's number of tokens where a completion request names none.
const defaultCompletion = 16

// completionRequests checks a request and makes the engine's of it, one for each prompt.
func (s *Server) completionRequests(m Generator, q *completionRequest) (list []engine.Request, n int, err error) {
	var r engine.Request
	if n, err = s.count(q.N); err != nil {
		return nil, 0, err
	}
	if r.Sample, err = s.params(&q.sampling); err != nil {
		return nil, 0, err
	}
	if q.Echo && q.MaxTokens != nil && *q.MaxTokens == 0 { // the prompt alone: what comes after it is not shown
		r.MaxTokens = 1
	} else if r.MaxTokens, err = limit("max_tokens", q.MaxTokens); err != nil {
		return nil, 0, err
	}
	if err := s.bestOf(q, n); err != nil {
		return nil, 0, err
	}
	if r.Constraint, err = s.held(&q.constraints); err != nil {
		return nil, 0, err
	}
	if q.MaxTokens == nil {
		r.MaxTokens = defaultCompletion
	}
	if q.LogProbs != nil {
		if *q.LogProbs < 0 || *q.LogProbs > 20 {
			return nil, 0, invalid("logprobs", "logprobs is %d, expected 0 to 20", *q.LogProbs)
		}
		r.LogProbs, r.Top, r.PromptLogProbs = true, *q.LogProbs, q.Echo
		if q.Echo && q.Stream {
			return nil, 0, invalid("echo", "echo with logprobs cannot be streamed; ask without stream")
		}
	}
	r.LogProbs = r.LogProbs || q.BestOf != nil
	r.StopText, r.StopIDs = q.Stop, q.stopIDs(m)
	for _, text := range q.Prompt.texts {
		r.Prompt = m.Encode(text)
		list = append(list, r)
	}
	for _, ids := range q.Prompt.ids {
		r.Prompt = ids
		list = append(list, r)
	}
	switch {
	case len(list) == 0:
		return nil, 0, invalid("prompt", "prompt is missing or empty")
	case len(list)*n > s.options.MaxChoices*8:
		return nil, 0, invalid("prompt", "%d prompts with n %d are too many for one request; send several", len(list), n)
	}
	for i, r := range list {
		if len(r.Prompt) == 0 {
			return nil, 0, invalid("prompt", "prompt %d is empty", i)
		}
	}
	return list, n, nil
}

// bestOf checks best_of.
func (s *Server) bestOf(q *completionRequest, n int) error {
	switch {
	case q.BestOf == nil:
		return nil
	case *q.BestOf < n || *q.BestOf > s.options.MaxChoices:
		return invalid("best_of", "best_of is %d, expected n, which is %d, to %d", *q.BestOf, n, s.options.MaxChoices)
	case q.Stream && *q.BestOf > n:
		return invalid("best_of", "replies of which the best are chosen cannot be streamed; ask without stream")
	}
	return nil
}

// text is what a prompt says.
func (p *prompts) text(m Generator, i int) string {
	if i < len(p.texts) {
		return p.texts[i]
	}
	var b strings.Builder
	for _, id := range p.ids[i-len(p.texts)] {
		b.Write(m.TokenBytes(id))
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

func (c *completion) usage() *usage {
	u := &usage{PromptTokens: c.prompt, PromptDetails: &promptDetails{}}
	for i, part := range c.parts {
		u.CompletionTokens += part.tokens
		if i%c.each == 0 {
			u.PromptDetails.CachedTokens += part.cached
		}
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

func (c *completion) envelope() *envelope[textChoice] {
	return &envelope[textChoice]{ID: c.id, Object: "text_completion", Created: c.created, Model: c.model.Info().ID, Choices: []textChoice{}}
}

func (c *completion) whole(pieces <-chan piece) (*envelope[textChoice], error) {
	for p := range pieces {
		if _, err := c.add(p); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(c.parts, func(p *textPart) bool { return p.finish == "" }) {
		return nil, refusal(http.StatusServiceUnavailable, "server_error", "cancelled", "the request was cancelled")
	}
	answer := c.envelope()
	for i, part := range c.chosen() {
		choice := textChoice{Index: i, Text: part.text.String(), Finish: &part.finish}
		if c.logProbs {
			all, own := part.prompt, part.logProbs
			for j, token := range own.Tokens {
				all.add(token, own.LogProbs[j], own.Top[j], own.Offsets[j])
			}
			choice.LogProbs = &all
		}
		answer.Choices = append(answer.Choices, choice)
	}
	answer.Usage = c.usage()
	return answer, nil
}

func (c *completion) stream(e *events, pieces <-chan piece, withUsage bool) {
	var failure error
	for i, part := range c.parts {
		if part.runes > 0 { // an echoed prompt
			chunk := c.envelope()
			chunk.Choices = append(chunk.Choices, textChoice{Index: i, Text: part.text.String()})
			if e.send(chunk) != nil {
				return // nobody reads any more
			}
		}
	}
	err := pump(e, pieces, c.server.options.Heartbeat, func(p piece) error {
		news, err := c.add(p)
		if err != nil {
			failure = err
			return err
		}
		choice := textChoice{Index: p.index, Text: p.token.Text, LogProbs: news}
		if c.parts[p.index].promptOnly {
			choice.Text = ""
		}
		if p.result != nil {
			choice.Finish = &c.parts[p.index].finish
		} else if choice.Text == "" && news == nil {
			return nil
		}
		chunk := c.envelope()
		chunk.Choices = append(chunk.Choices, choice)
		return e.send(chunk)
	})
	switch {
	case failure != nil:
		e.fail(failure)
	case err != nil: // nobody reads any more
	case slices.ContainsFunc(c.parts, func(p *textPart) bool { return p.finish == "" }):
		e.fail(refusal(http.StatusServiceUnavailable, "server_error", "cancelled", "the server is stopping"))
	default:
		if withUsage {
			chunk := c.envelope()
			chunk.Usage = c.usage()
			e.send(chunk)
		}
		e.done()
	}
}
