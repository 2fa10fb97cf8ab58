package engine

import (
	"context"

	"lian/compute"
)

// Foretold is what a model says of some texts, kept so that many others can be compared with it: a float32 for each id of the
// vocabulary for each token.
type Foretold struct {
	backend compute.Backend
	vocab   int
	texts   [][]int32
	logits  [][]float32
}

// Foretell computes the logits after every token of each text but the last one. Texts are not cut: keep them short.
func Foretell(ctx context.Context, b compute.Backend, original Compared, texts [][]int32) (*Foretold, error) {
	f := &Foretold{backend: b, vocab: original.Model.Info().Vocab, texts: texts}
	err := f.each(ctx, original, func(text, row int, logits []float32, _ []int32) {
		if row == 0 {
			f.logits = append(f.logits, nil)
		}
		f.logits[text] = append(f.logits[text], logits...)
	})
	return f, err
}

// Compare is how far another model is from what was kept.
func (f *Foretold) Compare(ctx context.Context, other Compared) (Comparison, error) {
	var c comparing
	err := f.each(ctx, other, func(text, row int, logits []float32, ids []int32) {
		c.add(f.logits[text][row*f.vocab:row*f.vocab+len(logits)], logits, f.vocab, ids)
	})
	if err != nil {
		return Comparison{}, err
	}
	return c.result()
}

// each runs a model over the texts; see is given logits of a few rows, from the one after a text's token number row on, with the ids
// that come there.
func (f *Foretold) each(ctx context.Context, m Compared, see func(text, row int, logits []float32, ids []int32)) error {
	q := newForetelling(f.backend, m)
	for i, ids := range f.texts {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if len(ids) < 2 {
			continue
		}
		if err := q.read(ids, Span{0, 1, len(ids)}); err != nil {
			return err
		}
		for at := 1; at < len(ids); at += foretoldRows {
			n := min(foretoldRows, len(ids)-at)
			logits, err := q.logits(at-1, n)
			if err != nil {
				return err
			}
			see(i, at-1, logits, ids[at:at+n])
		}
	}
	return nil
}
