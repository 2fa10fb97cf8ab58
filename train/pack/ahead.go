package pack

import (
	"sync"

	"lian/train"
)

// Ahead makes the batch after the one that was asked for while that one is learnt from. It asks the source for one batch at a time and
// holds one; what it gives is what the source gives.
type Ahead struct {
	source  train.Source
	mu      sync.Mutex
	pending chan made // of batch next; nil where none is being made
	next    int
}

type made struct {
	sequences []train.Sequence
	err       error
}

// NewAhead wraps a source, which nothing else may use from then on.
func NewAhead(s train.Source) *Ahead { return &Ahead{source: s} }

// Step implements train.Source.
func (a *Ahead) Step(batch int) ([]train.Sequence, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var m made
	if waited, ok := a.wait(); ok && a.next == batch {
		m = waited
	} else {
		m.sequences, m.err = a.source.Step(batch)
	}
	if m.err == nil {
		pending := make(chan made, 1)
		a.pending, a.next = pending, batch+1
		go func() {
			var m made
			m.sequences, m.err = a.source.Step(batch + 1)
			pending <- m
		}()
	}
	return m.sequences, m.err
}

// wait takes what is being made.
func (a *Ahead) wait() (made, bool) {
	if a.pending == nil {
		return made{}, false
	}
	m := <-a.pending
	a.pending = nil
	return m, true
}

// Close waits until nothing is read any more, so that the source's files can be closed.
func (a *Ahead) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wait()
}
