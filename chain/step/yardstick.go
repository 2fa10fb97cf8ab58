package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"path/filepath"

	"lian/engine"
	"lian/eval/ngram"
	"lian/event"
	"lian/format/tokenfile"
	"lian/store"
	"lian/tokenizer"
	"lian/train/figure"
)

// yardstickOrder is the order of the byte model that a trained one is held against.
const yardstickOrder = 5

// Yardstick is what a model that only counts bytes foretells of a run's held-out text, after the same text that the run learns from.
type Yardstick struct {
	Order       int                    `json:"order"` // of the n-grams, in bytes
	BitsPerByte float64                `json:"bits_per_byte"`
	Domains     []figure.HeldOutDomain `json:"domains,omitempty"` // and languages
}

// measureYardstick counts what a pretraining in a folder reads and measures the documents of its last look at held-out text; nil where the
// run is no pretraining or holds nothing out.
func measureYardstick(ctx context.Context, dir string, events event.Sink) (y *Yardstick, err error) {
	var made training
	err = store.ReadJSON(filepath.Join(dir, trainingFile), &made)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := made.Options
	tok, err := tokenizer.Load(o.Tokenizer)
	if err != nil {
		return nil, err
	}
	separator, err := o.separator(tok)
	if err != nil {
		return nil, err
	}
	text, err := openCorpus(ctx, o.Shards, o.Mixture, tok, separator, events)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, text.close()) }()
	held, err := text.final(tok, HeldOutBytes)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	var failed error
	counted, err := ngram.Train(yardstickOrder, text.decoded(ctx, tok, events, &failed))
	if err = errors.Join(failed, err); err != nil {
		return nil, fmt.Errorf("%s: counting bytes: %w", dir, err)
	}
	y = &Yardstick{Order: yardstickOrder}
	losses, all := make([]engine.DocumentLoss, len(held)), engine.DocumentLoss{}
	for i, t := range held {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		document := tok.Decode(t.IDs)
		losses[i] = engine.DocumentLoss{Nats: counted.Bits(document, yardstickOrder) * math.Ln2, Bytes: len(document)}
		all.Nats, all.Bytes = all.Nats+losses[i].Nats, all.Bytes+losses[i].Bytes
	}
	if all.Bytes > 0 {
		y.BitsPerByte = all.Nats / math.Ln2 / float64(all.Bytes)
	}
	y.Domains = byNames(held, losses)
	return y, nil
}

// decoded is the text of all documents that are learnt from; failed says what ended it early.
func (c *corpus) decoded(ctx context.Context, tok *tokenizer.Tokenizer, events event.Sink, failed *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		total, done := 0, 0
		for _, d := range c.domains {
			total += d.Documents.Documents()
		}
		for _, d := range c.domains {
			for i := range d.Documents.Documents() {
				var t tokenfile.Tokens
				if *failed = ctx.Err(); *failed == nil {
					t, *failed = d.Documents.Read(i, 0, d.Documents.Length(i))
				}
				if *failed != nil || !yield(tok.Decode(t.IDs)) {
					return
				}
				if done++; done%1000 == 0 || done == total {
					events.Emit(event.KindProgress, event.Progress{Stage: "ngram", Done: int64(done), Total: int64(total), Unit: "documents"})
				}
			}
		}
	}
}
