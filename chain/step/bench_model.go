package step

import (
	"context"
	"fmt"
	"time"

	"lian/compute/cpu"
	"lian/engine"
	"lian/event"
	"lian/model"
	"lian/model/checkpoint"
	"lian/random"
)

// BenchModelOptions are the settings of lian bench model.
type BenchModelOptions struct {
	Runs      int             `yaml:"runs" help:"runs of each measurement" default:"3" range:"1..1000"`
	Prompt    int             `yaml:"prompt_tokens" help:"tokens of each prompt" default:"128" range:"1..10000000"`
	Reply     int             `yaml:"reply_tokens" help:"tokens of each reply" default:"32" range:"2..10000000"`
	Sequences []int           `yaml:"sequences" help:"how many requests run at once, one measurement for each" default:"1,8"`
	Precision model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"fast" range:"exact|fast"`
}

// BenchModel measures the tokens a second that a model reads and writes, all sequences together.
func BenchModel(ctx context.Context, path string, o BenchModelOptions, show func(Benched) error, sink event.Sink) error {
	b, err := Backend()
	if err != nil {
		return err
	}
	m, err := OpenModel(path, b, checkpoint.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	done, total := int64(0), int64(len(o.Sequences)*o.Runs)
	for _, sequences := range o.Sequences {
		if sequences < 1 {
			return fmt.Errorf("--sequences %d: expected at least 1", sequences)
		}
		var read, written []float64
		for range o.Runs {
			prefill, decode, err := m.benchOnce(ctx, sequences, o)
			if err != nil {
				return err
			}
			read, written = append(read, prefill), append(written, decode)
			done++
			sink.Emit(event.KindProgress, event.Progress{Stage: "bench", Done: done, Total: total, Unit: "runs"})
		}
		settings := []Setting{{"model", m.Name}, {"sequences", sequences}, {"prompt_tokens", o.Prompt}, {"reply_tokens", o.Reply}, {"precision", string(o.Precision)}, {"kernels", cpu.Level()}}
		for _, line := range []Benched{
			summed("model", fmt.Sprintf("prefill, %d at once", sequences), "tokens/s", read, settings...),
			summed("model", fmt.Sprintf("decode, %d at once", sequences), "tokens/s", written, settings...),
		} {
			if err := show(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// benchOnce runs equal requests on an engine of their own: tokens a second until the last of them has its first token, and
// from there to the end.
func (m *Opened) benchOnce(ctx context.Context, sequences int, o BenchModelOptions) (prefill, decode float64, err error) {
	prompts := make([][]int32, sequences)
	for s := range prompts {
		key := random.New(uint64(s), "bench", "prompt")
		prompts[s] = make([]int32, o.Prompt)
		for i := range prompts[s] {
			prompts[s][i] = int32(key.Float64(i) * float64(m.Tokenizer.VocabSize()))
		}
	}
	e, most, err := m.engineFor(prompts, o.Reply, o.Precision)
	if err != nil {
		return 0, 0, err
	}
	defer e.Close()
	if most[0] != o.Reply {
		return 0, 0, fmt.Errorf("%w: %d tokens of prompt + %d of reply > %d", engine.ErrContext, o.Prompt, o.Reply, m.Model.Spec.Context)
	}
	streams := make([]*engine.Stream, sequences)
	for s, p := range prompts {
		if streams[s], err = e.Generate(ctx, engine.Request{Prompt: p, MaxTokens: o.Reply}); err != nil {
			return 0, 0, err
		}
	}
	var first, last time.Duration
	early := 0 // tokens written before the last sequence had its first
	results := make([]engine.Result, sequences)
	for s, stream := range streams {
		r := stream.Result()
		if r.Finish != engine.FinishLength || len(r.IDs) != o.Reply {
			return 0, 0, fmt.Errorf("a reply ended after %d of %d tokens (%s): %w", len(r.IDs), o.Reply, r.Finish, ctx.Err())
		}
		results[s], first, last = r, max(first, r.First), max(last, r.Total)
	}
	for _, r := range results { // assumes an even pace
		if pace := (r.Total - r.First).Seconds() / float64(o.Reply-1); pace > 0 {
			early += min(int((first-r.First).Seconds()/pace), o.Reply-1)
		}
	}
	prefill = float64(sequences*o.Prompt) / first.Seconds()
	decode = float64(max(sequences*(o.Reply-1)-early, 1)) / (last - first).Seconds()
	return prefill, decode, nil
}
