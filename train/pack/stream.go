// Package pack makes the sequences of training steps: documents one after
// another for pretraining, examples side by side for fine-tuning.
//
// It guarantees that a step's sequences are a function of the step and the seed,
// that every token of an epoch is learnt once, and that documents never see each
// other. It refuses data without a token.
package pack

import (
	"fmt"
	"sort"

	"lian/random"
	"lian/train"
)

// Documents are token ids by document; shard.Reader is one.
type Documents interface {
	Documents() int
	Document(i int) []int32
}

// Stream is pretraining data: each epoch all documents in a new order, each opened by Separator and asked to end with it, cut
// into sequences of at most Sequence tokens. A document that is cut goes on in the next sequence without what came before.
type Stream struct {
	documents         Documents
	separator         int32
	sequence, perStep int
	seed              uint64
	perEpoch          int
	epoch             int // the one order and starts are of
	order, starts     []int
}

// NewStream makes a source whose steps have perStep tokens.
func NewStream(d Documents, separator int32, sequence, perStep int, seed uint64) (*Stream, error) {
	s := &Stream{documents: d, separator: separator, sequence: sequence, perStep: perStep, seed: seed, epoch: -1}
	for i := range d.Documents() {
		s.perEpoch += len(d.Document(i)) + 1
	}
	if sequence < 1 || perStep < 1 {
		return nil, fmt.Errorf("sequence length %d and tokens a step %d must be positive", sequence, perStep)
	}
	if d.Documents() == 0 || s.perEpoch == d.Documents() {
		return nil, fmt.Errorf("the training data has no token in %d documents", d.Documents())
	}
	return s, nil
}

// EpochTokens is the number of tokens in one pass over the documents, separators included.
func (s *Stream) EpochTokens() int { return s.perEpoch }

// Step implements train.Source.
func (s *Stream) Step(step int) ([]train.Sequence, error) {
	var out []train.Sequence
	for at, end := step*s.perStep, (step+1)*s.perStep; at < end; {
		s.enter(at / s.perEpoch)
		q, n := s.cut(at%s.perEpoch, min(end-at, s.sequence-at%s.sequence))
		out = append(out, q)
		at += n
	}
	return out, nil
}

// enter lays out the documents of an epoch.
func (s *Stream) enter(epoch int) {
	if epoch == s.epoch {
		return
	}
	s.epoch = epoch
	s.order = random.New(s.seed, "order of documents", epoch).Permutation(s.documents.Documents())
	s.starts = make([]int, len(s.order))
	at := 0
	for i, d := range s.order {
		s.starts[i] = at
		at += len(s.documents.Document(d)) + 1
	}
}

// cut is at most n tokens from a position of the epoch on, within one document.
func (s *Stream) cut(at, n int) (train.Sequence, int) {
	i := sort.SearchInts(s.starts, at+1) - 1
	ids, from := s.documents.Document(s.order[i]), at-s.starts[i]
	n = min(n, len(ids)+1-from)
	q := train.Sequence{IDs: make([]int32, n), Targets: make([]int32, n), Origin: train.Origin{Document: s.order[i], First: from}}
	for j := range n {
		// position 0 is the separator, position p > 0 the document's token p−1
		q.IDs[j], q.Targets[j] = s.separator, s.separator
		if p := from + j; p > 0 {
			q.IDs[j] = ids[p-1]
		}
		if p := from + j; p < len(ids) {
			q.Targets[j] = ids[p]
		}
	}
	return q, n
}
