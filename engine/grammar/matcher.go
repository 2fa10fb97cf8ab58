package grammar

import (
	"errors"
	"fmt"
	"strconv"
)

// Matcher follows one sequence through a grammar. It is not safe for concurrent use; matchers of one grammar are
// independent of each other.
type Matcher struct {
	g     *Grammar
	v     *Vocabulary
	at    *moment
	ended bool // a stop token was accepted
}

// NewMatcher begins at the empty text.
func NewMatcher(g *Grammar, v *Vocabulary) *Matcher {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &Matcher{g: g, v: v, at: g.machine.first}
}

// Clone is a second matcher at the same place.
func (m *Matcher) Clone() *Matcher {
	c := *m
	return &c
}

// Mask sets the bits of the tokens that may come next and clears all others; token id is bit id%64 of bits[id/64]. It
// returns how many are allowed: none after a stop token, or where the vocabulary has no token that fits. bits must have
// room for the vocabulary.
func (m *Matcher) Mask(bits []uint64) int {
	clear(bits)
	if m.ended {
		return 0
	}
	m.g.mu.Lock()
	mask := m.g.machine.mask(m.at, m.v)
	m.g.mu.Unlock()
	copy(bits, mask.bits)
	return mask.count
}

// Accept goes on by a token. On an error, which names the token's text, the matcher stays where it was.
func (m *Matcher) Accept(id int32) error {
	switch {
	case m.ended:
		return errors.New("grammar: the text has ended, no token may follow")
	case id < 0 || int(id) >= m.v.size:
		return fmt.Errorf("grammar: token %d is outside the vocabulary of %d", id, m.v.size)
	}
	for _, stop := range m.v.stop {
		if id == stop {
			if !m.at.complete {
				return fmt.Errorf("grammar: stop token %d, but the text is not complete", id)
			}
			m.ended = true
			return nil
		}
	}
	text := m.v.bytes[id]
	if len(text) == 0 {
		return fmt.Errorf("grammar: token %d is a control token and cannot be text", id)
	}
	if err := m.AcceptBytes(text); err != nil {
		return fmt.Errorf("grammar: token %d %s is not allowed here", id, strconv.Quote(string(text)))
	}
	return nil
}

// AcceptBytes goes on by bytes of text. On an error the matcher stays where it was.
func (m *Matcher) AcceptBytes(text []byte) error {
	if m.ended && len(text) > 0 {
		return errors.New("grammar: the text has ended, no byte may follow")
	}
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	at := m.at
	for i, c := range text {
		at = m.g.machine.step(at, c)
		if at == dead {
			return fmt.Errorf("grammar: byte %d of %s is not allowed here", i, strconv.Quote(string(text)))
		}
	}
	m.at = at
	return nil
}

// Complete reports whether the text so far is of the language: it may stop here.
func (m *Matcher) Complete() bool { return m.at.complete }

// Done reports whether the text is complete and nothing may follow it: it must stop here.
func (m *Matcher) Done() bool { return m.ended || m.at.complete && len(m.at.threads) == 0 }

// Forced is the text that must come next: as long as there is one possible byte and the text may not stop, that byte. An
// engine may append it without asking the model.
func (m *Matcher) Forced() []byte {
	if m.ended {
		return nil
	}
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	var text []byte
	for at := m.at; !at.complete && len(text) < maxForced; {
		c, ok := m.g.onlyByte(at)
		if !ok {
			break
		}
		text = append(text, c)
		at = m.g.machine.step(at, c)
	}
	return text
}

// maxForced bounds a forced run; a language can force without end only if it is infinitely recursive, which prune removes,
// so this is a limit on work, and a longer run is simply reported in pieces.
const maxForced = 4096

// onlyByte returns the byte that all threads read, if there is just one.
func (g *Grammar) onlyByte(at *moment) (c byte, ok bool) {
	for _, t := range at.threads {
		for _, e := range g.states[t.state].edges {
			if e.low != e.high || ok && e.low != c {
				return 0, false
			}
			c, ok = e.low, true
		}
	}
	return c, ok
}

// Match reports whether text is of the language. For a schema that is any JSON that the schema allows, in any layout and
// order of members and with all that the standard lets stand beside the declared; what is generated is a part of it. prefix is
// how many of the first bytes can begin a generated text.
func (g *Grammar) Match(text string) (complete bool, prefix int) {
	if complete, prefix = g.generates(text); complete || !g.Validates(text) {
		return complete, prefix
	}
	return true, len(text)
}

// generates reports whether text may be generated, and how many of its first bytes can begin such a text.
func (g *Grammar) generates(text string) (complete bool, prefix int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.machine.first
	for i := range len(text) {
		next := g.machine.step(at, text[i])
		if next == dead {
			return false, i
		}
		at = next
	}
	return at.complete, len(text)
}
