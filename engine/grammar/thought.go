package grammar

import (
	"fmt"
	"slices"
)

// AfterThought is the language of a thought between two marks and then a text of g: models that think before they answer are held to
// g only behind the mark that closes the thought. begun says that the mark that opens it is in the prompt, so that the reply begins
// within the thought; otherwise there may be a thought or not. Line ends and blanks may stand between thought and answer.
func (g *Grammar) AfterThought(open, shut string, begun bool) (*Grammar, error) {
	key := fmt.Sprint(open, "\x00", shut, begun)
	g.mu.Lock()
	known := g.thoughtful[key]
	g.mu.Unlock()
	if known != nil {
		return known, nil
	}
	made, err := g.afterThought(open, shut, begun)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.thoughtful == nil {
		g.thoughtful = map[string]*Grammar{}
	}
	g.thoughtful[key] = made
	return made, nil
}

func (g *Grammar) afterThought(open, shut string, begun bool) (*Grammar, error) {
	return build(g.name+" after a thought", func(b *builder) (int32, error) {
		for _, s := range g.states {
			b.states = append(b.states, state{slices.Clone(s.edges), slices.Clone(s.calls), slices.Clone(s.empty), s.returns})
		}
		start := b.state()
		answer := b.state()
		within := start
		if !begun {
			within = b.marked(start, open)
			b.join(start, answer)
		}
		after := b.state()
		if err := (&callWriter{b: b}).freeText(within, shut, b.state(), &after); err != nil {
			return 0, err
		}
		for range 3 {
			next := b.state()
			b.join(after, next)
			b.edge(after, ' ', ' ', next)
			b.edge(after, '\n', '\n', next)
			after = next
		}
		b.join(after, answer)
		b.end(b.invoke(answer, g.start))
		return start, nil
	})
}
