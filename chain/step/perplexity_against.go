package step

import (
	"context"
	"fmt"

	"lian/engine"
	"lian/event"
)

// DivergenceRow is how far a model's predictions are from those of the one it was made of, on the tokens of a file. Divergences are in
// nats a token, from the original's distribution.
type DivergenceRow struct {
	File       string  `json:"file"`
	Model      string  `json:"model"`
	Original   string  `json:"original"`
	Perplexity float64 `json:"perplexity"`
	Ratio      float64 `json:"perplexity_ratio"` // over the original's
	MeanKL     float64 `json:"mean_kl"`
	MedianKL   float64 `json:"median_kl"`
	KL99       float64 `json:"kl_99"`
	MaxKL      float64 `json:"max_kl"`
	Top1       float64 `json:"top1_agreement"`
	RMSDelta   float64 `json:"rms_delta_p"`
	Tokens     int     `json:"tokens"`
	Rule       string  `json:"rule"`
	Precision  string  `json:"precision"` // of the model; the original is computed exactly
	KV         string  `json:"kv"`
}

// Divergence compares a model with o.Against on files, token by token. Both must have one tokenizer.
func Divergence(ctx context.Context, path string, files []string, o PerplexityOptions, sink event.Sink) ([]DivergenceRow, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	m, err := OpenToRun(path, b)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := o.apply(m); err != nil {
		return nil, err
	}
	original, err := OpenToRun(o.Against, b)
	if err != nil {
		return nil, fmt.Errorf("--against: %w", err)
	}
	defer original.Close()
	if m.Tokenizer.Hash() != original.Tokenizer.Hash() {
		return nil, fmt.Errorf("%s and %s have different tokenizers; only models that read the same tokens can be compared token by token", m.Name, original.Name)
	}
	var rows []DivergenceRow
	for _, file := range files {
		texts, err := m.readTexts(file)
		if err != nil {
			return nil, err
		}
		var ids [][]int32
		all := 0
		for _, t := range texts {
			text := t.IDs
			if o.Chunk == 0 { // as perplexity does: the separator before and after
				text = append(append([]int32{m.Separator}, text...), m.Separator)
			}
			ids = append(ids, text)
			for _, s := range o.Spans(len(text), min(m.Model.Spec.Context, original.Model.Spec.Context)) {
				all += s.To - s.Start
			}
		}
		c, err := engine.Compare(ctx, b, engine.Compared{Model: original.Model, Precision: "exact"}, engine.Compared{Model: m.Model, Precision: o.Precision, KV: o.KV}, ids, o.Windows, func(tokens int) {
			sink.Emit(event.KindProgress, event.Progress{Stage: "perplexity", Done: int64(tokens), Total: int64(all), Unit: "tokens"})
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		rows = append(rows, DivergenceRow{File: file, Model: m.Name, Original: original.Name, Perplexity: c.OtherPerplexity(), Ratio: c.Ratio(), MeanKL: c.MeanKL, MedianKL: c.MedianKL, KL99: c.KL99, MaxKL: c.MaxKL,
			Top1: c.Top1, RMSDelta: c.RMSDelta, Tokens: c.Tokens, Rule: o.rule(), Precision: string(o.Precision), KV: string(o.KV.For(o.Precision))})
	}
	return rows, nil
}
