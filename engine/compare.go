package engine

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"lian/compute"
	"lian/model"
)

// Comparison is how far a model's predictions are from those of the original it was made of, over the tokens of some texts.
// Divergences are Kullback–Leibler, Σ p·(ln p − ln q) over the vocabulary, p the original's, in nats a token.
type Comparison struct {
	Tokens       int     `json:"tokens"`
	MeanKL       float64 `json:"mean_kl"`
	MedianKL     float64 `json:"median_kl"`
	KL99         float64 `json:"kl_99"` // 99 of 100 tokens have no more
	MaxKL        float64 `json:"max_kl"`
	Top1         float64 `json:"top1_agreement"` // share of tokens where the most likely id is the same
	RMSDelta     float64 `json:"rms_delta_p"`    // root mean square difference of the probability of the text's own token
	OriginalNats float64 `json:"original_nats"`
	OtherNats    float64 `json:"other_nats"`
}

// OriginalPerplexity and OtherPerplexity are of a token.
func (c Comparison) OriginalPerplexity() float64 { return math.Exp(c.OriginalNats / float64(c.Tokens)) }

// OtherPerplexity is the other model's perplexity of a token.
func (c Comparison) OtherPerplexity() float64 { return math.Exp(c.OtherNats / float64(c.Tokens)) }

// Ratio is the other's perplexity over the original's: 1.01 is one per cent worse.
func (c Comparison) Ratio() float64 {
	return math.Exp((c.OtherNats - c.OriginalNats) / float64(c.Tokens))
}

// Compared is a model and how it computes.
type Compared struct {
	Model     model.Model
	Precision model.Precision
	KV        model.KVType // what keys and values are rounded to; "" is the precision's own
}

// Compare measures both models on the same texts, token by token. Each text's first token is what the others come after: begin a
// text with the separator if its first word is to count. The models must share a vocabulary; one backend computes both. progress, if
// any, is told the tokens compared.
func Compare(ctx context.Context, b compute.Backend, original, other Compared, texts [][]int32, w Windows, progress ...func(tokens int)) (Comparison, error) {
	var c comparing
	vocab := original.Model.Info().Vocab
	if n := other.Model.Info().Vocab; n != vocab {
		return Comparison{}, fmt.Errorf("compare: the original has %d tokens, the other %d: they are not of one kind", vocab, n)
	}
	context := min(original.Model.Info().Context, other.Model.Info().Context)
	if err := w.Check(context); err != nil {
		return Comparison{}, err
	}
	p, q := newForetelling(b, original), newForetelling(b, other)
	for _, ids := range texts {
		for _, span := range w.Spans(len(ids), context) {
			if ctx.Err() != nil {
				return Comparison{}, ctx.Err()
			}
			if err := p.read(ids, span); err != nil {
				return Comparison{}, err
			}
			if err := q.read(ids, span); err != nil {
				return Comparison{}, err
			}
			for at := span.Start; at < span.To; at += foretoldRows {
				n := min(foretoldRows, span.To-at)
				l, err := p.logits(at-1-span.From, n)
				if err != nil {
					return Comparison{}, err
				}
				m, err := q.logits(at-1-span.From, n)
				if err != nil {
					return Comparison{}, err
				}
				c.add(l, m, vocab, ids[at:at+n])
				for _, tell := range progress {
					tell(len(c.tokens))
				}
			}
		}
	}
	return c.result()
}

// foretelling is a model that looks at a text, and its logits a few rows at a time.
type foretelling struct {
	Compared
	adapter     model.Adapter // nil: the model as it is
	stream      compute.Stream
	arena, head *compute.Arena
	pass        *model.Pass
	hidden      *compute.Tensor
	buffer      []float32
}

// foretoldRows is the number of rows whose logits of both models exist at one time.
const foretoldRows = 32

func newForetelling(b compute.Backend, c Compared) *foretelling {
	return &foretelling{Compared: c, stream: b.NewStream(), arena: compute.NewArena(b, 1<<20), head: compute.NewArena(b, 1<<20)}
}

// read computes a span's hidden rows.
func (f *foretelling) read(ids []int32, s Span) (err error) {
	batch := &model.Batch{}
	batch.Add(ids[s.From:s.To-1], 0, nil)
	batch.Adapt(f.adapter)
	f.arena.Reset()
	f.pass = &model.Pass{Stream: f.stream, Arena: f.arena, Precision: f.Precision, KV: f.KV}
	f.hidden, err = f.Model.Forward(f.pass, batch)
	return err
}

// logits are those of n rows from the first on, valid until the next call.
func (f *foretelling) logits(first, n int) ([]float32, error) {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(first + i)
	}
	f.head.Reset()
	pass := *f.pass
	pass.Arena = f.head
	f.buffer = slices.Grow(f.buffer[:0], n*f.Model.Info().Vocab)[:n*f.Model.Info().Vocab]
	return f.buffer, f.stream.Read(model.Logits(&pass, f.Model, f.hidden, rows), compute.HostBytes(f.buffer))
}

// comparing gathers what is known of each token.
type comparing struct{ tokens []tokenComparison }

type tokenComparison struct {
	kl, original, other float64 // other and original: −ln of the text's own token
	same                bool
}

// add compares rows; each is one worker's, so the numbers do not depend on the workers.
func (c *comparing) add(original, other []float32, vocab int, ids []int32) {
	from := len(c.tokens)
	c.tokens = append(c.tokens, make([]tokenComparison, len(ids))...)
	var group sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(ids))
	for w := range workers {
		group.Go(func() {
			for i := len(ids) * w / workers; i < len(ids)*(w+1)/workers; i++ {
				c.tokens[from+i] = compareRow(original[i*vocab:(i+1)*vocab], other[i*vocab:(i+1)*vocab], ids[i])
			}
		})
	}
	group.Wait()
}

func compareRow(original, other []float32, id int32) tokenComparison {
	bestP, lseP := bestAndSum(original)
	bestQ, lseQ := bestAndSum(other)
	kl := 0.0
	for i, l := range original {
		// ln p − ln q first: where both are alike, nothing cancels that is larger than it
		if p := math.Exp(float64(l) - lseP); p > 0 {
			kl += p * (float64(l) - float64(other[i]) - (lseP - lseQ))
		}
	}
	return tokenComparison{kl: max(kl, 0), original: lseP - float64(original[id]), other: lseQ - float64(other[id]), same: bestP == bestQ}
}

// bestAndSum is the most likely id of a row of logits and the logarithm of the sum of their exponentials.
func bestAndSum(row []float32) (best int, lse float64) {
	for i, l := range row {
		if l > row[best] {
			best = i
		}
	}
	sum, most := 0.0, float64(row[best])
	for _, l := range row {
		sum += math.Exp(float64(l) - most)
	}
	return best, most + math.Log(sum)
}

func (c *comparing) result() (Comparison, error) {
	r := Comparison{Tokens: len(c.tokens)}
	if r.Tokens == 0 {
		return r, fmt.Errorf("compare: there is no token to foretell; texts need two tokens at least, and with chunks a whole chunk")
	}
	kl, squares, same := make([]float64, r.Tokens), 0.0, 0
	for i, t := range c.tokens {
		kl[i] = t.kl
		r.MeanKL += t.kl / float64(r.Tokens)
		r.OriginalNats += t.original
		r.OtherNats += t.other
		d := math.Exp(-t.other) - math.Exp(-t.original)
		squares += d * d
		if t.same {
			same++
		}
		if math.IsNaN(t.kl) {
			return r, fmt.Errorf("compare: the logits of token %d are no numbers; lian inspect --verify looks for broken weights", i)
		}
	}
	slices.Sort(kl)
	at := func(share float64) float64 { return kl[min(int(math.Ceil(share*float64(len(kl))))-1, len(kl)-1)] }
	r.MedianKL, r.KL99, r.MaxKL = at(0.5), at(0.99), kl[len(kl)-1]
	r.Top1, r.RMSDelta = float64(same)/float64(r.Tokens), math.Sqrt(squares/float64(r.Tokens))
	return r, nil
}
