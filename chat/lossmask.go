package chat

import (
	"slices"
	"strings"

	"lian/tokenizer"
)

// Loss masks are made here and nowhere else.
//
// A token is a label when it overlaps a labelled range of the rendered text.
// With {% generation %} marks, those are the labelled ranges, as in
// transformers. Without them, provenance tells: an assistant's turn is labelled
// from the end of the generation prompt (or its first byte of data, where the
// template has no such prompt) to the end-of-turn token right after its last
// byte of data. Either way only what a model would have to write itself is
// learnt, and a turn whose message says loss false is not learnt at all.

// lossMask marks the tokens that overlap a labelled range. Ranges are in order.
func lossMask(tokens []tokenizer.Token, labelled []Range) []bool {
	mask := make([]bool, len(tokens))
	next := 0
	for i, t := range tokens {
		for next < len(labelled) && labelled[next].End <= t.Start {
			next++
		}
		mask[i] = next < len(labelled) && labelled[next].Start < t.End
	}
	return mask
}

// labels are the byte ranges that a model learns to write.
func labels(tok *tokenizer.Tokenizer, tpl *Template, r Rendered, tokens []tokenizer.Token, messages []Message, o Options) []Range {
	if tpl.HasGeneration() {
		return withoutRefused(r, messages)
	}
	prompt := tpl.generationPrompt(o)
	ends := tpl.ends(tok)
	var labelled []Range
	for i, m := range messages {
		if m.Role != RoleAssistant || m.Loss != nil && !*m.Loss {
			continue
		}
		said, before, after := r.turn(i)
		if said.Start == said.End {
			continue // the template left this turn out
		}
		if i+1 < len(messages) && messages[i+1].Role != RoleAssistant && len(m.ToolCalls) > 0 {
			said.End = tpl.withoutEcho(r, said, messages[:i+1], i, o)
		}
		// a prompt may open a thought that the turn no longer shows: then its beginning is looked for
		for n := len(prompt); n > 0 && 2*n >= len(prompt); n-- {
			if at := strings.LastIndex(r.Text[before:said.Start], prompt[:n]); at >= 0 {
				said.Start = before + at + n
				break
			}
		}
		found := false
		for _, t := range tokens {
			if t.Start < said.End || t.End > after {
				continue
			}
			if ends := slices.Contains(ends, t.ID); ends && (!found || t.Start == said.End) {
				said.End, found = t.End, true
			} else if found {
				break
			}
		}
		labelled = append(labelled, said)
	}
	return labelled
}

// ends are the tokens that end an assistant's turn or a call in it.
func (t *Template) ends(tok *tokenizer.Tokenizer) []int32 {
	if known, ok := t.endIDs.Load(tok); ok {
		return known.([]int32)
	}
	// in the middle of a conversation some templates end a turn otherwise
	ends := slices.Concat(StopIDs(tok, t), turnEnds(tok, t, UserMessage("x"), AssistantMessage("y"), UserMessage("z")))
	t.endIDs.Store(tok, ends)
	return ends
}

// turnEnds are the tokens that end the assistant's turn of a conversation: the
// special ones that the template writes one after the other behind its content
// "y", and the eos_token.
func turnEnds(tok *tokenizer.Tokenizer, tpl *Template, turn ...Message) (ids []int32) {
	if rendered, err := tpl.Render(turn, Options{}); err == nil {
		at := -1
		for _, from := range rendered.Origins {
			if from.Message == 1 && from.Field == "content" {
				at = from.End
			}
		}
		begun := false
		for _, t := range tok.EncodeWith(rendered.Text, rendered.trusted(turn)) {
			special := tok.IsSpecial(t.ID)
			if at < 0 || t.Start < at || !special && !begun {
				continue
			}
			if !special || begun && len(turn) > 2 { // there, another turn begins
				break
			}
			ids, begun = append(ids, t.ID), true
		}
	}
	if id, ok := tok.Special(tpl.variables["eos_token"]); ok && !slices.Contains(ids, id) {
		ids = append(ids, id)
	}
	return ids
}

// withoutEcho is where a turn with calls ends: templates name the tool again in
// the turn of its result, which is no longer what the model said. What stands in
// the conversation up to this turn as it stands in the whole one is the turn's.
func (t *Template) withoutEcho(r Rendered, said Range, until []Message, i int, o Options) int {
	o.AddGenerationPrompt, o.ContinueFinal = false, false
	alone, err := t.Render(until, o)
	if err != nil {
		return said.End
	}
	same := 0
	for same < len(r.Text) && same < len(alone.Text) && r.Text[same] == alone.Text[same] {
		same++
	}
	end := said.End
	for n := len(r.Origins) - 1; n >= 0; n-- {
		if from := r.Origins[n]; from.Message == i && from.Start < same && from.Start >= said.Start {
			return min(end, from.End)
		}
	}
	return end
}

// turn is where message i's data stands, with where the data of other messages
// ends before it and starts after it. Roles and names are no data: templates
// write them in the headers of turns.
func (r Rendered) turn(i int) (said Range, before, after int) {
	after = len(r.Text)
	for _, from := range r.Origins {
		if from.Message < 0 || from.Field == "role" || from.Field == "name" || from.Field == "tool_call_id" {
			continue
		}
		switch {
		case from.Message == i:
			if said.End == 0 {
				said.Start = from.Start
			}
			said.End = from.End
			after = len(r.Text)
		case said.End == 0:
			before = from.End
		case after == len(r.Text):
			after = from.Start
		}
	}
	return said, before, after
}

// withoutRefused gives the generated ranges without the turns that are not to
// be learnt from. What the template wrote in a range belongs to the message
// whose data stands before it in that range, or else to the first one in it;
// a range without data belongs to the turn before.
func withoutRefused(r Rendered, messages []Message) []Range {
	refused := func(i int) bool { return i >= 0 && messages[i].Loss != nil && !*messages[i].Loss }
	if !slices.ContainsFunc(messages, func(m Message) bool { return m.Loss != nil && !*m.Loss }) {
		return r.Generated
	}
	var kept []Range
	last := -1 // the message of the latest data
	origins := r.Origins
	for _, g := range r.Generated {
		for len(origins) > 0 && origins[0].End <= g.Start {
			if origins[0].Message >= 0 {
				last = origins[0].Message
			}
			origins = origins[1:]
		}
		owner := last
		for _, from := range origins {
			if from.Start >= g.End {
				break
			}
			if from.Message >= 0 {
				owner = from.Message
				break
			}
		}
		at := g.Start
		for _, from := range origins {
			if from.Start >= g.End {
				break
			}
			if from.Message >= 0 && from.Message != owner {
				if !refused(owner) && from.Start > at {
					kept = append(kept, Range{at, from.Start})
				}
				owner, at = from.Message, max(from.Start, g.Start)
			}
		}
		if !refused(owner) {
			kept = append(kept, Range{at, g.End})
		}
	}
	return kept
}
