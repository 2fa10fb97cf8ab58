package step

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"lian/chain"
	"lian/chain/report"
	"lian/data"
	"lian/eval/ngram"
	"lian/event"
	"lian/store"
	"lian/tokenizer"
	"lian/train/figure"
	"lian/train/schedule"
)

// pretrainConfig is the recipe's pretrain step: pretraining, and the counting
// models that it is held against.
type pretrainConfig struct {
	PretrainOptions `yaml:",inline"`
	Data            string `yaml:"data" help:"folder of cleaned documents for the 3-gram and 5-gram models; empty leaves them out"`
}

func pretrainKind() chain.Kind {
	k := chain.NewKind("pretrain", "1", "a model from nothing but text", func(ctx context.Context, c *chain.Context, o *pretrainConfig) error {
		card, err := newPretrainCard(c, o)
		if err != nil {
			return err
		}
		defer card.close()
		if o.Data != "" && card.card.TrigramBits == 0 {
			if err := card.baselines(ctx, o.Data); err != nil {
				return err
			}
		}
		events := event.Tee(c.Events, card)
		var r PretrainReport
		// The report is written last: when an interrupted run left it, only the clearing up was missed.
		if err := store.ReadJSON(c.Path("pretrain.json"), &r); err != nil {
			if r, err = Pretrain(ctx, c.Dir, o.PretrainOptions, events); err != nil {
				return err
			}
		}
		card.finish(r)
		if err := c.SetValue("bits_per_byte", r.BitsPerByte); err != nil {
			return err
		}
		return os.RemoveAll(c.Path("state")) // checkpoints are not needed any more
	})
	k.Resumes = true
	return k
}

// pretrainCard follows training and keeps its part of the report card on the disk
// up to date, so that an interrupted run goes on with the same curve.
type pretrainCard struct {
	c       *chain.Context
	mu      sync.Mutex
	card    report.Pretrain
	written time.Time
	clock   time.Time
	before  float64 // seconds of earlier attempts
	err     error
	sum     float64 // of bits per byte since the last point of the curve
	n       int
}

func newPretrainCard(c *chain.Context, o *pretrainConfig) (*pretrainCard, error) {
	p := &pretrainCard{c: c, clock: time.Now()}
	var old struct {
		Pretrain *report.Pretrain `json:"pretrain"`
	}
	if c.Resumed && store.ReadJSON(c.Path(chain.CardFile), &old) == nil && old.Pretrain != nil {
		p.card, p.before = *old.Pretrain, old.Pretrain.Seconds
	}
	p.card.StepsTotal, p.card.TokensTotal = o.Train.Steps, 0
	if o.StepTokens > 0 { // else the dial chooses, and the events say
		ramp, err := schedule.ParseRamp(o.Mixture.BatchRamp, o.StepTokens)
		if err != nil {
			return nil, err
		}
		p.card.TokensTotal = int64(ramp.Before(o.Train.Steps))
	}
	tok, err := tokenizer.Load(o.Tokenizer)
	if err != nil {
		return nil, err
	}
	s, err := o.shape(tok.VocabSize())
	if err != nil {
		return nil, err
	}
	a := s.Attention
	p.card.Layers, p.card.Hidden, p.card.Heads, p.card.KVHeads, p.card.FeedForward, p.card.Context = s.Layers, s.Hidden, a.Heads, a.KVHeads, s.FeedForward.Hidden, s.Context
	p.card.Parameters = int64(s.Count())
	return p, nil
}

// baselines measures the counting models on the held-out text.
func (p *pretrainCard) baselines(ctx context.Context, dir string) error {
	p.c.Progress(event.Progress{Stage: "ngram", Unit: "documents"})
	var readErr error
	texts := func(file string) iter.Seq[string] {
		return func(yield func(string) bool) {
			for d, err := range data.ReadDocuments(filepath.Join(dir, file)) {
				if err != nil || ctx.Err() != nil {
					readErr = err
					return
				}
				if !yield(d.Text) {
					return
				}
			}
		}
	}
	m, err := ngram.Train(5, texts(data.TrainFile))
	if err != nil {
		return err
	}
	held := limited(texts(data.HeldOutFile), HeldOutBytes)
	p.card.TrigramBits, p.card.FivegramBits = m.BitsPerByte(held, 3), m.BitsPerByte(held, 5)
	if readErr == nil {
		readErr = ctx.Err()
	}
	p.flush()
	return readErr
}

// limited stops after so many bytes: an average over a megabyte is close enough.
func limited(texts iter.Seq[string], bytes int) iter.Seq[string] {
	return func(yield func(string) bool) {
		n := 0
		for text := range texts {
			if !yield(text) {
				return
			}
			if n += len(text); n > bytes {
				return
			}
		}
	}
}

// Emit follows the events of training.
func (p *pretrainCard) Emit(kind string, payload any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.card
	switch e := payload.(type) {
	case figure.Step:
		c.Steps, c.StepsTotal, c.Tokens = e.Step, e.Steps, e.Tokens
		c.Train = cutAfter(c.Train, e.Tokens-1) // a resumed run repeats what followed its checkpoint
		p.sum, p.n = p.sum+e.BitsPerByte, p.n+1 // single steps jump: the curve is of means
		if every := max(1, e.Steps/150); e.Step%every == 0 || e.Step == e.Steps {
			c.Train = append(c.Train, report.Point{Tokens: e.Tokens, Value: p.sum / float64(p.n)})
			p.sum, p.n = 0, 0
		}
	case figure.HeldOut:
		c.HeldOut = append(cutAfter(c.HeldOut, e.Tokens-1), report.Point{Tokens: e.Tokens, Value: e.BitsPerByte})
	case figure.Prompts:
		for i, prompt := range e.Prompts {
			if i >= len(c.Prompts) {
				c.Prompts = append(c.Prompts, report.Prompt{Text: prompt})
			}
			kept := c.Prompts[i].Answers
			for len(kept) > 0 && kept[len(kept)-1].Progress >= e.Progress {
				kept = kept[:len(kept)-1]
			}
			c.Prompts[i].Answers = append(kept, report.Answer{Progress: e.Progress, Text: e.Answers[i]})
		}
	default:
		return
	}
	c.Seconds = p.before + time.Since(p.clock).Seconds()
	if c.Seconds > 0 {
		c.TokensPerSecond = float64(c.Tokens) / c.Seconds
	}
	if time.Since(p.written) > 3*time.Second {
		p.flush()
	}
}

func cutAfter(points []report.Point, tokens int64) []report.Point {
	for len(points) > 0 && points[len(points)-1].Tokens > tokens {
		points = points[:len(points)-1]
	}
	return points
}

func (p *pretrainCard) finish(r PretrainReport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.card.Parameters, p.card.Steps, p.card.Tokens = int64(r.Parameters), r.Steps, r.Tokens
	p.flush()
}

// flush needs the lock, or that nobody else is there yet.
func (p *pretrainCard) flush() {
	p.written = time.Now()
	if err := p.c.WriteCard(report.Card{Pretrain: &p.card}); err != nil && p.err == nil {
		p.err = err
		p.c.Events.Emit("report.failed", fmt.Sprint(err))
	}
}

func (p *pretrainCard) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flush()
}
