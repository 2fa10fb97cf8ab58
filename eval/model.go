package eval

import (
	"context"
	"fmt"
	"strings"

	"lian/chat"
	"lian/engine"
	"lian/engine/grammar"
	"lian/engine/sample"
)

// Model is a model that can be asked: its name in tables, and what encodes and answers.
type Model struct {
	Name     string
	Engine   *engine.Engine
	Template *chat.Template
	Stop     []int32 // tokens that end a reply, as in serving and chat
}

// likelihood is the log-probability of each reply after a conversation: the sum over the tokens that fine-tuning would learn.
func (m Model) likelihood(ctx context.Context, messages []chat.Message, tools []chat.Tool, replies []string) ([]float64, error) {
	ids, starts, masks := make([][]int32, len(replies)), make([]int, len(replies)), make([][]bool, len(replies))
	for i, r := range replies {
		e, err := chat.Encode(m.Engine.Tokenizer, m.Template, append(messages[:len(messages):len(messages)], chat.AssistantMessage(r)), chat.Options{Tools: tools})
		if err != nil {
			return nil, err
		}
		// only the last reply counts, not those in the conversation before it
		end := len(e.Mask)
		for end > 0 && !e.Mask[end-1] {
			end--
		}
		start := end
		for start > 0 && e.Mask[start-1] {
			start--
		}
		if start == end {
			return nil, fmt.Errorf("the reply %q has no token to score", r)
		}
		ids[i], starts[i], masks[i] = e.IDs[:end], max(start, 1), e.Mask
	}
	scored, err := m.Engine.LogProbs(ctx, ids, starts)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(replies))
	for i, s := range scored {
		for j, p := range s.LogProbs {
			if masks[i][starts[i]+j] {
				out[i] += float64(p)
			}
		}
	}
	return out, nil
}

// ask starts a reply, greedy; a constraint may be nil.
func (m Model) ask(ctx context.Context, messages []chat.Message, tools []chat.Tool, constraint *grammar.Grammar, maxTokens int) (*engine.Stream, error) {
	e, err := chat.Encode(m.Engine.Tokenizer, m.Template, messages, chat.Options{Tools: tools, AddGenerationPrompt: true})
	if err != nil {
		return nil, err
	}
	room := m.Engine.Options.Context - len(e.IDs)
	if room < 1 {
		return nil, fmt.Errorf("%w: the question has %d tokens of %d", engine.ErrContext, len(e.IDs), m.Engine.Options.Context)
	}
	return m.Engine.Generate(ctx, engine.Request{Prompt: e.IDs, Sample: sample.Params{}, Constraint: constraint,
		StopIDs: m.Stop, MaxTokens: min(maxTokens, room)})
}

// same compares answers as people would: without white space at the ends.
func same(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }
