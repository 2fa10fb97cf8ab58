package engine

import (
	"context"
	"math"

	"lian/engine/sample"
	"lian/model"
)

// PromptToken is how likely a model finds a token of a prompt after those before it.
type PromptToken struct {
	ID      int32
	LogProb float32 // natural logarithm; NaN for the first token, which has nothing before it
	Rank    int     // how many tokens are more likely
	Top     []TopToken
}

// promptLogProbs looks at a prompt without the cache.
func (e *Engine) promptLogProbs(ctx context.Context, ids []int32, top int, adapter model.Adapter) ([]PromptToken, error) {
	e.computing.Lock()
	defer e.computing.Unlock()
	out := make([]PromptToken, 1, len(ids))
	out[0] = PromptToken{ID: ids[0], LogProb: float32(math.NaN())}
	if len(ids) == 1 {
		return out, nil
	}
	f := newForetelling(e.backend, Compared{Model: e.Model, Precision: e.Options.Precision, KV: e.Options.KV})
	f.adapter = adapter
	if err := f.read(ids, Span{0, 1, len(ids)}); err != nil {
		return nil, err
	}
	var look sample.LogProbs
	vocab := e.Model.Info().Vocab
	for at := 1; at < len(ids); at += foretoldRows {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n := min(foretoldRows, len(ids)-at)
		logits, err := f.logits(at-1, n)
		if err != nil {
			return nil, err
		}
		for i, id := range ids[at : at+n] {
			t := PromptToken{ID: id}
			t.LogProb, t.Rank, t.Top = look.Of(logits[i*vocab:(i+1)*vocab], id, top, nil)
			out = append(out, t)
		}
	}
	return out, nil
}
