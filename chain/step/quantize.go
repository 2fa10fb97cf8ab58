package step

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lian/chat"
	"lian/dtype"
	"lian/engine"
	"lian/engine/sample"
	"lian/event"
	"lian/model"
	"lian/model/checkpoint"
	"lian/model/nn"
	"lian/quant"
)

// QuantizeReport is what a file in fewer bits is.
type QuantizeReport struct {
	Type    string `json:"type"`
	File    string `json:"file"`
	Bytes   int64  `json:"bytes"`
	Tensors int    `json:"tensors"`
	// Reasons say which tensors got another type than the recipe's main one, and why.
	Reasons map[string]string `json:"reasons,omitempty"`
}

// Quantize writes a model as a GGUF file of a recipe's types (f16, q8_0, q4_0, q4_k_m …) and opens it again to verify it.
func Quantize(ctx context.Context, modelPath, out, recipe string, events event.Sink) (QuantizeReport, error) {
	r := QuantizeReport{Type: recipe, File: out, Reasons: map[string]string{}}
	q, err := quant.Parse(recipe)
	if err != nil {
		return r, err
	}
	b, err := Backend()
	if err != nil {
		return r, err
	}
	m, err := OpenModel(modelPath, b, checkpoint.Options{})
	if err != nil {
		return r, err
	}
	defer m.Close()
	shape := quant.Shape{Layers: m.Model.Spec.Layers, Tied: m.Model.Spec.TiedEmbedding}
	end := m.Separator
	if m.Template != nil {
		if stop := chat.StopIDs(m.Tokenizer, m.Template); len(stop) > 0 {
			end = stop[0]
		}
	}
	typeOf := func(binding model.Binding, _ nn.Kind, dimensions []int) dtype.Type {
		c := q.Choose(binding.GGUF.Name, dimensions, shape)
		r.Tensors++
		if c.Reason != "" {
			r.Reasons[binding.GGUF.Name] = c.Reason
		}
		events.Emit(event.KindProgress, event.Progress{Stage: "quantise " + recipe, Done: int64(r.Tensors), Unit: "tensors"})
		return c.Type
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return r, err
	}
	words, err := ggufWords(m, end)
	if err != nil {
		return r, err
	}
	if _, err := checkpoint.SaveGGUF(out, b.NewStream(), m.Family, m.Model, checkpoint.GGUFOptions{Name: m.Name, Config: m.Config, Main: q.Main, TypeOf: typeOf, More: words}); err != nil {
		return r, err
	}
	again, err := OpenModel(out, b, checkpoint.Options{})
	if err != nil {
		return r, fmt.Errorf("what was written does not open: %w", err)
	}
	again.Close()
	info, err := os.Stat(out)
	if err != nil {
		return r, err
	}
	r.Bytes = info.Size()
	return r, copyFile(suggestionsOf(m.Path), suggestionsOf(out))
}

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

// suggestionsOf is where the suggested prompts of a model are: in its folder, or beside its file.
func suggestionsOf(path string) string {
	if base, ok := strings.CutSuffix(path, ".gguf"); ok {
		return base + ".suggestions.json"
	}
	return filepath.Join(path, "suggestions.json")
}
