package serve

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"lian/chat"
	"lian/engine"
)

// chatCompletions is POST /v1/chat/completions.
func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) error {
	begun := time.Now()
	var q chatRequest
	ignored, err := s.decode(w, r, &q, chatKnown, chatRefused)
	if err != nil {
		return err
	}
	s.noteIgnored(w, ignored)
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	request, n, read, err := s.chatRequest(m, &q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	streams, err := start(ctx, m, request, n)
	if err != nil {
		return err
	}
	s.metrics.prompt.Add(int64(len(request.Prompt)))
	c := &conversation{server: s, model: m, id: identifier("chatcmpl-"), created: begun.Unix(), prompt: len(request.Prompt), logProbs: q.LogProbs}
	for range streams {
		c.replies = append(c.replies, newReply(m.Dialect(), read))
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

// chatRequest checks a request and makes the engine's of it. read is what the replies are read with.
func (s *Server) chatRequest(m Generator, q *chatRequest) (r engine.Request, n int, read chat.ParserOptions, err error) {
	fail := func(err error) (engine.Request, int, chat.ParserOptions, error) {
		return engine.Request{}, 0, chat.ParserOptions{}, err
	}
	if len(q.Messages) == 0 {
		return fail(invalid("messages", "messages is missing or empty"))
	}
	for i := range q.Messages {
		switch q.Messages[i].Role {
		case "developer": // OpenAI's newer name
			q.Messages[i].Role = chat.RoleSystem
		case chat.RoleSystem, chat.RoleUser, chat.RoleAssistant, chat.RoleTool:
		default:
			return fail(invalid("messages", "messages[%d].role is %q, expected system, developer, user, assistant or tool", i, q.Messages[i].Role))
		}
		for j, part := range q.Messages[i].Parts {
			if part.Type != "text" {
				return fail(invalid("messages", "messages[%d].content[%d] is of type %q; this model reads text only", i, j, part.Type))
			}
		}
	}
	if q.TopLogProbs < 0 || q.TopLogProbs > 20 {
		return fail(invalid("top_logprobs", "top_logprobs is %d, expected 0 to 20", q.TopLogProbs))
	}
	if q.TopLogProbs > 0 && !q.LogProbs {
		return fail(invalid("top_logprobs", "top_logprobs needs logprobs to be true"))
	}
	if q.MaxTokens != nil && q.MaxCompletionTokens != nil {
		return fail(invalid("max_tokens", "max_tokens and max_completion_tokens are one setting; give one"))
	}
	if n, err = s.count(q.N); err != nil {
		return fail(err)
	}
	if r.Sample, err = s.params(&q.sampling); err != nil {
		return fail(err)
	}
	if r.MaxTokens, err = limit("max_tokens", q.MaxTokens); err != nil {
		return fail(err)
	}
	if q.MaxCompletionTokens != nil {
		if r.MaxTokens, err = limit("max_completion_tokens", q.MaxCompletionTokens); err != nil {
			return fail(err)
		}
	}
	if r.Constraint, read.Tools, err = s.constraint(m, q); err != nil {
		return fail(err)
	}
	r.StopText, r.StopIDs, r.LogProbs, r.Top = q.Stop, q.stopIDs(m), q.LogProbs, q.TopLogProbs
	if r.Prompt, read.Prompt, err = m.EncodeChat(q.Messages, read.Tools); err != nil {
		return fail(invalid("messages", "%v", err))
	}
	if open, shut := m.Dialect().Thought(); r.Constraint != nil && open != "" && m.Dialect().Primed(read.Prompt) == open { // the reply begins within a thought
		if r.Constraint, err = r.Constraint.AfterThought(open, shut, true); err != nil {
			return fail(err)
		}
	}
	read.TextOnly = len(read.Tools) == 0
	return r, n, read, nil
}

// reply gathers one choice.
type reply struct {
	parser    *chat.ReplyParser
	content   strings.Builder
	reasoning strings.Builder
	calls     []toolCall
	logProbs  []tokenLogProb
	news      delta // since the last piece
	role      bool  // the role was sent
	finish    string
	tokens    int
	cached    int
}

func newReply(dialect *chat.Dialect, o chat.ParserOptions) *reply {
	r := &reply{}
	r.parser = dialect.NewParser(o, r.take)
	return r
}

// take receives what the parser made of the text.
func (r *reply) take(e chat.ReplyEvent) {
	switch e.Kind {
	case chat.ReplyReasoning:
		r.reasoning.WriteString(e.Text)
		r.news.Reasoning += e.Text
	case chat.ReplyCall:
		index := len(r.calls)
		arguments := string(e.Call.Arguments)
		if arguments == "" {
			arguments = "{}"
		}
		call := toolCall{Index: &index, ID: identifier("call_"), Type: "function", Function: toolFunction{e.Call.Name, arguments}}
		r.calls = append(r.calls, call)
		r.news.ToolCalls = append(r.news.ToolCalls, call)
	default: // content, and calls cut off by the length, which are shown as they are
		r.write(e.Text)
	}
}

func (r *reply) write(text string) {
	if text == "" {
		return
	}
	r.content.WriteString(text)
	if r.news.Content == nil {
		r.news.Content = new(string)
	}
	*r.news.Content += text
}

// end notes why the reply ended.
func (r *reply) end(result engine.Result) error {
	r.parser.Flush()
	reason, err := finish(result)
	if err != nil {
		return err
	}
	if len(r.calls) > 0 && reason == engine.FinishStop {
		reason = "tool_calls"
	}
	r.finish, r.tokens, r.cached = reason, len(result.IDs), result.CachedTokens
	return nil
}

// conversation is the replies to one request.
type conversation struct {
	server   *Server
	model    Generator
	id       string
	created  int64
	prompt   int
	logProbs bool
	replies  []*reply
}

// add takes a piece in and returns the log-probabilities that it brings.
func (c *conversation) add(p piece) ([]tokenLogProb, error) {
	r := c.replies[p.index]
	if p.result != nil {
		return nil, r.end(*p.result)
	}
	r.parser.Push(p.token.Text)
	if !c.logProbs || p.token.ID < 0 {
		return nil, nil
	}
	news := []tokenLogProb{logProb(c.model, p.token)}
	r.logProbs = append(r.logProbs, news...)
	return news, nil
}

func (c *conversation) usage() *usage {
	u := &usage{PromptTokens: c.prompt, PromptDetails: &promptDetails{c.replies[0].cached}}
	for _, r := range c.replies {
		u.CompletionTokens += r.tokens
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

func (c *conversation) whole(pieces <-chan piece) (*envelope[chatChoice], error) {
	for p := range pieces {
		if _, err := c.add(p); err != nil {
			return nil, err
		}
	}
	answer := &envelope[chatChoice]{ID: c.id, Object: "chat.completion", Created: c.created, Model: c.model.Info().ID, Usage: c.usage()}
	for i, r := range c.replies {
		if r.finish == "" { // the client hung up
			return nil, refusal(http.StatusServiceUnavailable, "server_error", "cancelled", "the request was cancelled")
		}
		choice := chatChoice{Index: i, Finish: r.finish, Message: chatMessage{Role: chat.RoleAssistant, Reasoning: r.reasoning.String(), ToolCalls: r.calls}}
		for j := range choice.Message.ToolCalls {
			choice.Message.ToolCalls[j].Index = nil
		}
		if text := r.content.String(); text != "" || len(r.calls) == 0 {
			choice.Message.Content = &text
		}
		if c.logProbs {
			choice.LogProbs = &chatLogProbs{Content: r.logProbs}
		}
		answer.Choices = append(answer.Choices, choice)
	}
	return answer, nil
}

func (c *conversation) stream(e *events, pieces <-chan piece, withUsage bool) {
	chunk := func(choice *deltaChoice, u *usage) error {
		out := envelope[deltaChoice]{ID: c.id, Object: "chat.completion.chunk", Created: c.created, Model: c.model.Info().ID, Choices: []deltaChoice{}, Usage: u}
		if choice != nil {
			out.Choices = append(out.Choices, *choice)
		}
		return e.send(out)
	}
	var failure error
	err := pump(e, pieces, c.server.options.Heartbeat, func(p piece) error {
		news, err := c.add(p)
		if err != nil {
			failure = err
			return err
		}
		r := c.replies[p.index]
		d := r.news
		r.news = delta{}
		if !r.role {
			r.role, d.Role = true, chat.RoleAssistant
			if d.Content == nil {
				d.Content = new(string)
			}
		}
		choice := &deltaChoice{Index: p.index, Delta: d}
		if len(news) > 0 {
			choice.LogProbs = &chatLogProbs{Content: news}
		}
		if d.Role != "" || d.Content != nil || d.Reasoning != "" || len(d.ToolCalls) > 0 || choice.LogProbs != nil {
			if err := chunk(choice, nil); err != nil {
				return err
			}
		}
		if p.result == nil {
			return nil
		}
		return chunk(&deltaChoice{Index: p.index, Finish: &r.finish}, nil)
	})
	switch {
	case failure != nil:
		e.fail(failure)
	case err != nil: // nobody reads any more
	case slices.ContainsFunc(c.replies, func(r *reply) bool { return r.finish == "" }):
		e.fail(refusal(http.StatusServiceUnavailable, "server_error", "cancelled", "the server is stopping"))
	default:
		if withUsage {
			chunk(nil, c.usage())
		}
		e.done()
	}
}

// logProb is a token with its log-probability in the API's form.
func logProb(m Generator, t engine.Token) tokenLogProb {
	one := func(id int32, p float32) topLogProb {
		raw := m.TokenBytes(id)
		bytes := make([]int, len(raw))
		for i, b := range raw {
			bytes[i] = int(b)
		}
		return topLogProb{Token: strings.ToValidUTF8(string(raw), "\uFFFD"), LogProb: max(p, -9999), Bytes: bytes}
	}
	out := tokenLogProb{topLogProb: one(t.ID, t.LogProb), Top: []topLogProb{}}
	for _, top := range t.Top {
		out.Top = append(out.Top, one(top.ID, top.LogProb))
	}
	return out
}
