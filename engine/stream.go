package engine

import (
	"sync"
	"sync/atomic"
)

// Stream is a reply as it comes.
type Stream struct {
	mu     sync.Mutex
	more   *sync.Cond
	tokens []Token
	read   int
	result *Result
	cancel func()

	computed atomic.Int64 // tokens of the prompt
	prompt   int
}

func newStream(prompt int) *Stream {
	s := &Stream{prompt: prompt}
	s.more = sync.NewCond(&s.mu)
	return s
}

// Next waits for the next token; false means that the reply is complete.
func (s *Stream) Next() (Token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.read == len(s.tokens) && s.result == nil {
		s.more.Wait()
	}
	if s.read == len(s.tokens) {
		return Token{}, false
	}
	s.read++
	return s.tokens[s.read-1], true
}

// Result waits for the end.
func (s *Stream) Result() Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.result == nil {
		s.more.Wait()
	}
	return *s.result
}

// Prompt is how many tokens the prompt has, and of how many the keys are there.
func (s *Stream) Prompt() (done, total int) { return int(s.computed.Load()), s.prompt }

// Cancel ends the reply at the next step.
func (s *Stream) Cancel() { s.cancel() }

func (s *Stream) push(t Token) {
	s.mu.Lock()
	s.tokens = append(s.tokens, t)
	s.mu.Unlock()
	s.more.Broadcast()
}

func (s *Stream) finish(r Result) {
	s.mu.Lock()
	s.result = &r
	s.mu.Unlock()
	s.more.Broadcast()
}
