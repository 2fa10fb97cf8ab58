package serve

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"lian/engine"
)

// textPart gathers one choice.
type textPart struct {
	text       strings.Builder
	runes      int // code points of text, which text_offset counts
	logProbs   textLogProbs
	prompt     textLogProbs // of an echoed prompt
	sum        float64      // of the tokens' log-probabilities
	finish     string
	tokens     int
	cached     int
	promptOnly bool // nothing of the reply is shown
}

func (p *textPart) write(text string) {
	p.text.WriteString(text)
	p.runes += utf8.RuneCountInString(text)
}

// score is the mean log-probability of a reply's tokens.
func (p *textPart) score() float64 { return p.sum / float64(max(p.tokens, 1)) }

func (l *textLogProbs) add(token string, p *float32, top map[string]float32, offset int) {
	l.Tokens, l.LogProbs = append(l.Tokens, token), append(l.LogProbs, p)
	l.Top, l.Offsets = append(l.Top, top), append(l.Offsets, offset)
}

// completion is the replies to one request.
type completion struct {
	server   *Server
	model    Generator
	id       string
	created  int64
	prompt   int
	logProbs bool
	n, each  int // replies that are given, and that are made, of each prompt
	parts    []*textPart
}

// add takes a piece in and returns its log-probabilities, nil where they were not asked for.
func (c *completion) add(p piece) (*textLogProbs, error) {
	part := c.parts[p.index]
	if p.result != nil {
		reason, err := finish(*p.result)
		part.finish, part.tokens, part.cached = reason, len(p.result.IDs), p.result.CachedTokens
		if part.promptOnly {
			part.finish, part.tokens = engine.FinishLength, 0
		}
		c.echoed(part, p.result.Prompt)
		return nil, err
	}
	if part.promptOnly {
		return nil, nil
	}
	offset := part.runes
	part.write(p.token.Text)
	if p.token.ID < 0 {
		return nil, nil
	}
	part.sum += float64(p.token.LogProb)
	if !c.logProbs {
		return nil, nil
	}
	var news textLogProbs
	c.token(&news, p.token, offset)
	part.logProbs.add(news.Tokens[0], news.LogProbs[0], news.Top[0], offset)
	return &news, nil
}

// token adds a token's log-probabilities.
func (c *completion) token(to *textLogProbs, t engine.Token, offset int) {
	one := logProb(c.model, t)
	top := map[string]float32{}
	for _, t := range one.Top {
		if _, ok := top[t.Token]; !ok { // different halves of characters look alike; the likelier stays
			top[t.Token] = t.LogProb
		}
	}
	to.add(one.Token, &one.LogProb, top, offset)
}

// echoed takes in the log-probabilities of an echoed prompt; its first token has none.
func (c *completion) echoed(part *textPart, prompt []engine.PromptToken) {
	bytes := 0
	var text []byte
	for i, t := range prompt {
		offset := utf8.RuneCount(text[:bytes])
		raw := c.model.TokenBytes(t.ID)
		if text = append(text, raw...); utf8.Valid(text) { // half a character stands where it began
			bytes = len(text)
		}
		if i == 0 {
			part.prompt.add(strings.ToValidUTF8(string(raw), "\uFFFD"), nil, nil, offset)
			continue
		}
		c.token(&part.prompt, engine.Token{ID: t.ID, LogProb: t.LogProb, Top: t.Top}, offset)
	}
}

// chosen are the parts that are given: of each prompt's replies the n best, in the order of their scores where more were made.
func (c *completion) chosen() (list []*textPart) {
	for from := 0; from < len(c.parts); from += c.each {
		replies := slices.Clone(c.parts[from : from+c.each])
		if c.each > c.n {
			slices.SortStableFunc(replies, func(a, b *textPart) int { return cmp.Compare(b.score(), a.score()) })
		}
		for _, part := range replies[:c.n] {
			part.prompt = c.parts[from].prompt // that of one serves all
			list = append(list, part)
		}
	}
	return list
}
