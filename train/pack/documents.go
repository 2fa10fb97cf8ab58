package pack

import (
	"lian/format/tokenfile"
	"lian/train"
)

// Documents are token ids by document; any tokenfile.Reader is one.
type Documents interface {
	Documents() int
	Length(i int) int
	Read(i, first, n int) (tokenfile.Tokens, error)
}

// Piece is a part of a document, counted in positions: where documents have an opening mark, position 0 is the mark and position p the
// token p−1; else position p is token p.
type Piece struct{ Document, First, Count int }

// Layout lays documents into rows of a fixed number of positions, epoch after epoch, without end.
type Layout interface {
	// Pieces are what lies in positions from up to to of a row.
	Pieces(row, from, to int) []Piece
	// EpochRows is the number of rows of an epoch; it need not be whole.
	EpochRows() float64
	// Counts says what the layout did to the documents.
	Counts() Counts
}

// Counts are what a layout does in one epoch.
type Counts struct {
	Documents int   `json:"documents"` // that are learnt from
	Dropped   int   `json:"dropped"`   // shorter than the least length
	Tokens    int64 `json:"tokens"`    // of the documents that are learnt from, without marks
	Pieces    int64 `json:"pieces"`    // that documents come in
	Cut       int   `json:"cut"`       // documents that come in several
	CutTokens int64 `json:"cut_tokens"`
	Padding   int64 `json:"padding"` // positions of rows that stay empty; they are not computed
}

// Options are how documents become rows.
type Options struct {
	Row     int   // positions of a row
	Mark    int32 // opens each document and ends it; tokenfile.None for documents that have marks of their own
	Least   int   // documents with fewer tokens are dropped
	Seed    uint64
	Packing string // Cut or BestFit
}

// Packings.
const (
	Cut     = "cut"      // one stream of documents, in a new order each epoch, cut where a row ends
	BestFit = "best-fit" // whole documents, fitted into rows once; the rows in a new order each epoch
)

// mark is the number of positions that a mark adds to a document.
func (o Options) mark() int {
	if o.Mark < 0 {
		return 0
	}
	return 1
}

// Sequences reads pieces. Each becomes a sequence of its own; joined makes one of all, whose documents see each other, as InternEvo's
// pack_sample_into_one does. The label of a position is the token that follows in its document, or the mark at its end.
func (o Options) Sequences(d Documents, domain int, pieces []Piece, joined bool) ([]train.Sequence, error) {
	var out []train.Sequence
	for _, p := range pieces {
		q, err := o.sequence(d, domain, p)
		if err != nil {
			return nil, err
		}
		if joined && len(out) > 0 {
			out[0].Parts = append(out[0].Parts, train.Part{At: len(out[0].IDs), Origin: q.Origin})
			out[0].IDs, out[0].Targets = append(out[0].IDs, q.IDs...), append(out[0].Targets, q.Targets...)
			continue
		}
		out = append(out, q)
	}
	return out, nil
}

func (o Options) sequence(d Documents, domain int, p Piece) (train.Sequence, error) {
	length, mark := d.Length(p.Document), o.mark()
	first := max(p.First-mark, 0)
	last := min(p.First+p.Count-mark, length-1) // the label of the last position
	t, err := d.Read(p.Document, first, max(last-first+1, 0))
	if err != nil {
		return train.Sequence{}, err
	}
	q := train.Sequence{IDs: make([]int32, p.Count), Targets: make([]int32, p.Count), Origin: train.Origin{Domain: domain, Document: p.Document, First: first}}
	for j := range p.Count {
		token := p.First + j - mark // of the document, −1 is the mark
		q.IDs[j] = o.Mark
		if token >= 0 {
			q.IDs[j] = t.IDs[token-first]
		}
		q.Targets[j] = o.Mark // at the end; −1 asks nothing where there is no mark
		if next := token + 1; next < length {
			q.Targets[j] = t.IDs[next-first]
			if t.Prompt != nil && t.Prompt[next-first] {
				q.Targets[j] = -1
			}
		}
	}
	return q, nil
}

// kept are the documents long enough, and how many are not. A document that is empty is kept only where it has a mark to learn.
func (o Options) kept(d Documents) (out []int32, c Counts) {
	for i := range d.Documents() {
		n := d.Length(i)
		if n < o.Least || n+o.mark() == 0 {
			c.Dropped++
			continue
		}
		out = append(out, int32(i))
		c.Documents++
		c.Tokens += int64(n)
	}
	return out, c
}
