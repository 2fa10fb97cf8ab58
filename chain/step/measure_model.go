package step

import (
	"context"
	"path/filepath"
	"time"

	"lian/engine"
	"lian/engine/sample"
	"lian/model"
	"lian/model/checkpoint"
)

// SpeedReport is how fast a model is for one person, and how well it foretells text.
type SpeedReport struct {
	Prefill     float64 `json:"prefill_tokens_per_second"`
	Decode      float64 `json:"decode_tokens_per_second"`
	BitsPerByte float64 `json:"bits_per_byte"`
}

// MeasureModel times a prompt and a reply (the better of two runs) and measures bits per byte on about so many tokens of a
// held-out shard; quantised weights run in fast precision, as they are served.
func MeasureModel(ctx context.Context, path, shards string, tokens int) (SpeedReport, error) {
	var r SpeedReport
	b, err := Backend()
	if err != nil {
		return r, err
	}
	m, err := OpenModel(path, b, checkpoint.Options{})
	if err != nil {
		return r, err
	}
	defer m.Close()
	text, err := openShard(filepath.Join(shards, "heldout.shard"), m.Tokenizer)
	if err != nil {
		return r, err
	}
	defer text.Close()
	p, err := engine.Measure(ctx, b, m.Model, sampleTexts(text, tokens), m.Separator, model.Fast)
	if err != nil {
		return r, err
	}
	r.BitsPerByte = p.BitsPerByte()
	e, err := engine.New(b, m.Model, m.Tokenizer, engine.Options{})
	if err != nil {
		return r, err
	}
	defer e.Close()
	prompt := make([]int32, e.Options.Context/2)
	for i := range prompt {
		prompt[i] = int32((i*7919 + 13) % m.Tokenizer.VocabSize())
	}
	for range 3 {
		s, err := e.Generate(ctx, engine.Request{Prompt: prompt, MaxTokens: e.Options.Context / 4, Sample: sample.Params{}})
		if err != nil {
			return r, err
		}
		result := s.Result()
		if result.Err != nil {
			return r, result.Err
		}
		r.Prefill = max(r.Prefill, float64(len(prompt))/result.First.Seconds())
		if n := len(result.IDs) - 1; n > 0 && result.Total > result.First+time.Microsecond {
			r.Decode = max(r.Decode, float64(n)/(result.Total-result.First).Seconds())
		}
	}
	return r, nil
}
