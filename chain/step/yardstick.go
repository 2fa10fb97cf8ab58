package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"

	"lian/engine"
	"lian/eval/ngram"
	"lian/event"
	"lian/tokenizer"
	"lian/train/figure"
)

// yardstickOrder is the order of the byte model that a trained one is held against, and yardstickBytes how much text it counts at most: each byte of it takes
// sixteen of memory and more.
const (
	yardstickOrder = 5
	yardstickBytes = 256 << 20
)

// Yardstick is what a model that only counts bytes foretells of a run's held-out text, after the same text that the run learns from.
type Yardstick struct {
	Order       int                    `json:"order"` // of the n-grams, in bytes
	Counted     int64                  `json:"counted_bytes"`
	Cut         bool                   `json:"cut,omitempty"` // there is more text than is counted
	BitsPerByte float64                `json:"bits_per_byte"`
	Domains     []figure.HeldOutDomain `json:"domains,omitempty"` // and languages
}

// measureYardstick counts what a pretraining in a folder reads and measures the documents of its last look at held-out text; nil where the
// run is no pretraining or holds nothing out.
func measureYardstick(ctx context.Context, dir string, events event.Sink) (y *Yardstick, err error) {
	if _, err := os.Stat(filepath.Join(dir, trainingFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	_, tok, text, err := openTraining(ctx, dir, events)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, text.close()) }()
	held, err := text.final(tok, HeldOutBytes)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	d := decoding{corpus: text, tok: tok, events: events, most: yardstickBytes}
	counted, err := ngram.Train(yardstickOrder, d.texts(ctx))
	if err = errors.Join(d.err, err); err != nil {
		return nil, fmt.Errorf("%s: counting bytes: %w", dir, err)
	}
	y = &Yardstick{Order: yardstickOrder, Counted: counted.TrainedOn(), Cut: d.cut}
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

// decoding reads the text that is learnt from, up to so many bytes.
type decoding struct {
	*corpus
	tok    *tokenizer.Tokenizer
	events event.Sink
	most   int
	cut    bool  // there was more
	err    error // what ended it early
}

func (d *decoding) texts(ctx context.Context) iter.Seq[string] {
	return func(yield func(string) bool) {
		total, done, bytes := 0, 0, 0
		for _, domain := range d.domains {
			total += domain.Documents.Documents()
		}
		for _, domain := range d.domains {
			for i := range domain.Documents.Documents() {
				if d.cut = bytes >= d.most; d.cut {
					return
				}
				if d.err = ctx.Err(); d.err != nil {
					return
				}
				t, err := domain.Documents.Read(i, 0, domain.Documents.Length(i))
				if d.err = err; err != nil {
					return
				}
				text := d.tok.Decode(t.IDs)
				if bytes += len(text); !yield(text) {
					return
				}
				if done++; done%1000 == 0 || done == total {
					d.events.Emit(event.KindProgress, event.Progress{Stage: "ngram", Done: int64(done), Total: int64(total), Unit: "documents"})
				}
			}
		}
	}
}
