// Package pack makes the sequences of training steps: documents one after
// another for pretraining, examples side by side for fine-tuning.
//
// It guarantees that rows are a function of their number and the seed, that every
// token of an epoch is learnt once, and that documents do not see each other unless
// they are asked to. It refuses data without a token.
package pack

import (
	"fmt"
	"sort"
	"sync"

	"lian/random"
)

// New makes a layout.
func New(d Documents, o Options) (Layout, error) {
	if o.Row < 1 || d.Documents() > 1<<31-1 {
		return nil, fmt.Errorf("rows of %d positions, %d documents: 1 and more positions, up to %d documents are possible", o.Row, d.Documents(), 1<<31-1)
	}
	documents, counts := o.kept(d)
	if counts.Tokens == 0 {
		return nil, fmt.Errorf("the training data has no token in %d documents (%d are shorter than %d tokens)", d.Documents(), counts.Dropped, o.Least)
	}
	switch o.Packing {
	case Cut, "":
		return newStream(d, o, documents, counts), nil
	case BestFit:
		return newBestFit(d, o, documents, counts), nil
	}
	return nil, fmt.Errorf("packing %q, expected %s or %s", o.Packing, Cut, BestFit)
}

// stream lays all documents of an epoch one after another, in a new order each time, cut wherever a row ends. A document that is cut goes
// on in the next row without what came before.
type stream struct {
	Options
	documents Documents
	kept      []int32
	counts    Counts
	perEpoch  int // positions

	mu     sync.Mutex
	epoch  int // the one that order and starts are of
	order  []int
	starts []int
}

func newStream(d Documents, o Options, kept []int32, c Counts) *stream {
	s := &stream{Options: o, documents: d, kept: kept, counts: c, perEpoch: int(c.Tokens) + o.mark()*len(kept), epoch: -1}
	return s
}

func (s *stream) EpochRows() float64 { return float64(s.perEpoch) / float64(s.Row) }

// Counts are those of the first epoch; the others cut other documents.
func (s *stream) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(0)
	c := s.counts
	for i, at := range s.starts {
		n := s.documents.Length(int(s.kept[s.order[i]])) + s.mark()
		pieces := (at+n-1)/s.Row - at/s.Row + 1
		c.Pieces += int64(pieces)
		if pieces > 1 {
			c.Cut++
			c.CutTokens += int64(n - ((at/s.Row+1)*s.Row - at))
		}
	}
	return c
}

func (s *stream) Pieces(row, from, to int) (out []Piece) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, end := row*s.Row+from, row*s.Row+to; at < end; {
		s.enter(at / s.perEpoch)
		p := s.piece(at%s.perEpoch, end-at)
		out = append(out, p)
		at += p.Count
	}
	return out
}

// enter lays out the documents of an epoch.
func (s *stream) enter(epoch int) {
	if epoch == s.epoch {
		return
	}
	s.epoch = epoch
	s.order = random.New(s.Seed, "order of documents", epoch).Permutation(len(s.kept))
	s.starts = make([]int, len(s.order))
	at := 0
	for i, d := range s.order {
		s.starts[i] = at
		at += s.documents.Length(int(s.kept[d])) + s.mark()
	}
}

// piece is at most n positions of one document from a position of the epoch on.
func (s *stream) piece(at, n int) Piece {
	i := sort.SearchInts(s.starts, at+1) - 1
	document, first := int(s.kept[s.order[i]]), at-s.starts[i]
	return Piece{document, first, min(n, s.documents.Length(document)+s.mark()-first)}
}
