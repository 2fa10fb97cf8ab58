package serve

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := &completion{server: s, model: m, id: identifier("cmpl-"), created: begun.Unix(), logProbs: q.LogProbs != nil}
	var streams []Stream
	for _, request := range requests {
		some, err := start(ctx, m, request, n)
		if err != nil {
			return err // cancel ends those that were started
		}
		streams = append(streams, some...)
		c.prompt += len(request.Prompt)
	}
	s.metrics.prompt.Add(int64(c.prompt))
	for range streams {
		c.parts = append(c.parts, &textPart{})
	}
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
	if r.MaxTokens, err = limit("max_tokens", q.MaxTokens); err != nil {
		return nil, 0, err
	}
	if q.MaxTokens == nil {
		r.MaxTokens = defaultCompletion
	}
	if q.LogProbs != nil {
		if *q.LogProbs < 0 || *q.LogProbs > 20 {
			return nil, 0, invalid("logprobs", "logprobs is %d, expected 0 to 20", *q.LogProbs)
		}
		r.LogProbs, r.Top = true, *q.LogProbs
	}
	r.StopText = q.Stop
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

// textPart gathers one choice.
type textPart struct {
	text     strings.Builder
	runes    int // code points of text, which text_offset counts
	logProbs textLogProbs
	finish   string
	tokens   int
}

// completion is the replies to one request.
type completion struct {
	server   *Server
	model    Generator
	id       string
	created  int64
	prompt   int
	logProbs bool
	parts    []*textPart
}

// add takes a piece in and returns its log-probabilities, nil where they were not asked for.
func (c *completion) add(p piece) (*textLogProbs, error) {
	part := c.parts[p.index]
	if p.result != nil {
		reason, err := finish(*p.result)
		part.finish, part.tokens = reason, len(p.result.IDs)
		return nil, err
	}
	offset := part.runes
	part.text.WriteString(p.token.Text)
	part.runes += utf8.RuneCountInString(p.token.Text)
	if !c.logProbs || p.token.ID < 0 {
		return nil, nil
	}
	one := logProb(c.model, p.token)
	top := map[string]float32{}
	for _, t := range one.Top {
		if _, ok := top[t.Token]; !ok { // different halves of characters look alike; the likelier stays
			top[t.Token] = t.LogProb
		}
	}
	all := &part.logProbs
	all.Tokens, all.LogProbs = append(all.Tokens, one.Token), append(all.LogProbs, one.LogProb)
	all.Top, all.Offsets = append(all.Top, top), append(all.Offsets, offset)
	return &textLogProbs{[]string{one.Token}, []float32{one.LogProb}, []map[string]float32{top}, []int{offset}}, nil
}

func (c *completion) usage() *usage {
	u := &usage{PromptTokens: c.prompt}
	for i := range c.parts {
		u.CompletionTokens += c.parts[i].tokens
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
	answer := c.envelope()
	for i := range c.parts {
		part := c.parts[i]
		if part.finish == "" {
			return nil, refusal(http.StatusServiceUnavailable, "server_error", "cancelled", "the request was cancelled")
		}
		choice := textChoice{Index: i, Text: part.text.String(), Finish: &part.finish}
		if c.logProbs {
			choice.LogProbs = &part.logProbs
		}
		answer.Choices = append(answer.Choices, choice)
	}
	answer.Usage = c.usage()
	return answer, nil
}

func (c *completion) stream(e *events, pieces <-chan piece, withUsage bool) {
	var failure error
	err := pump(e, pieces, c.server.options.Heartbeat, func(p piece) error {
		news, err := c.add(p)
		if err != nil {
			failure = err
			return err
		}
		choice := textChoice{Index: p.index, Text: p.token.Text, LogProbs: news}
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
