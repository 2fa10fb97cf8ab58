package chat

import (
	"slices"
	"sort"
	"strings"

	"lian/tokenizer"
)

// Encode renders a conversation and gives its token ids, its loss mask and the
// origin of every token. It is the one function for this: fine-tuning, chat,
// serving, agents and evaluation all call it.
//
// The text is tokenised once. Special tokens are recognised only where the
// template wrote them, so a user who types one writes plain text.
func Encode(tok *tokenizer.Tokenizer, tpl *Template, messages []Message, o Options) (Encoding, error) {
	tpl = tpl.forTools(o)
	rendered, err := tpl.Render(messages, o)
	if err != nil {
		return Encoding{}, err
	}
	tokens := tok.EncodeWith(rendered.Text, rendered.trusted(messages))
	return newEncoding(rendered, tokens, labels(tok, tpl, rendered, tokens, messages, o)), nil
}

func newEncoding(rendered Rendered, tokens []tokenizer.Token, labelled []Range) Encoding {
	e := Encoding{
		IDs:     make([]int32, len(tokens)),
		Mask:    lossMask(tokens, labelled),
		Text:    rendered.Text,
		Origins: rendered.Origins,
	}
	next := 0 // the origin that holds the current token's first byte
	for i, t := range tokens {
		e.IDs[i] = t.ID
		for next+1 < len(rendered.Origins) && rendered.Origins[next].End <= t.Start {
			next++
		}
		from := rendered.Origins[next]
		if n := len(e.Spans); n > 0 && e.Spans[n-1].Message == from.Message && e.Spans[n-1].Field == from.Field {
			e.Spans[n-1].End = i + 1
		} else {
			e.Spans = append(e.Spans, Span{i, i + 1, from.Message, from.Field})
		}
	}
	return e
}

// trusted says of a range of bytes whether the template wrote all of it. A
// role counts as the template's when it is a plain word, because templates
// build tokens such as <|user|> around it.
func (r Rendered) trusted(messages []Message) func(start, end int) bool {
	return func(start, end int) bool {
		i := sort.Search(len(r.Origins), func(i int) bool { return r.Origins[i].End > start })
		for ; i < len(r.Origins) && r.Origins[i].Start < end; i++ {
			from := r.Origins[i]
			plainRole := from.Message >= 0 && from.Field == "role" && plainWord(messages[from.Message].Role)
			if from.Message != FromTemplate && !plainRole {
				return false
			}
		}
		return true
	}
}

func plainWord(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) < 0
}

// StopIDs are the tokens that end a reply: the special token that the template
// writes right after the content, its eos_token, and those with which the
// template's dialect ends a call.
func StopIDs(tok *tokenizer.Tokenizer, tpl *Template) []int32 {
	ids := turnEnds(tok, tpl, UserMessage("x"), AssistantMessage("y"))
	for _, text := range tpl.Dialect().Stop {
		if id, ok := tok.Special(text); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
