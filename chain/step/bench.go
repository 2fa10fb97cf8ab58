package step

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/engine"
	"lian/event"
	"lian/model"
	"lian/model/checkpoint"
	"lian/random"
)

// Benched is a measured figure: the median of several runs. Its settings stand beside it in JSON.
type Benched struct {
	Bench    string // compute, model, tokenizer
	Name     string
	Value    float64
	Unit     string
	Spread   float64 // half of what lies between the slowest and the fastest run, in Unit
	Runs     int
	Settings []Setting
}

// Setting is something that a figure depends on.
type Setting struct {
	Name  string
	Value any
}

// MarshalJSON writes the settings as further fields, in their order.
func (b Benched) MarshalJSON() ([]byte, error) {
	fields := append([]Setting{{"bench", b.Bench}, {"name", b.Name}, {"value", b.Value}, {"unit", b.Unit}, {"spread", b.Spread}, {"runs", b.Runs}}, b.Settings...)
	out := []byte{'{'}
	for i, f := range fields {
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// summed makes a figure of the values of several runs.
func summed(bench, name, unit string, values []float64, settings ...Setting) Benched {
	slices.Sort(values)
	n := len(values)
	return Benched{Bench: bench, Name: name, Unit: unit, Value: (values[(n-1)/2] + values[n/2]) / 2, Spread: (values[n-1] - values[0]) / 2, Runs: n, Settings: settings}
}

// BenchComputeOptions are the settings of lian bench compute.
type BenchComputeOptions struct {
	Runs    int     `yaml:"runs" help:"runs of each measurement" default:"5" range:"1..1000"`
	Seconds float64 `yaml:"seconds" help:"least time of a run in seconds" default:"0.1" range:"0.001..60"`
}

// product is a matrix multiplication x[rows, in] · W[out, in]ᵀ to be measured.
type product struct {
	rows, out, in int
	weight        dtype.Type
	fast          bool
}

// products are squares, a training step's and a decoding step's.
var products = []product{
	{256, 256, 256, dtype.F32, false},
	{512, 512, 512, dtype.F32, false},
	{1024, 1024, 1024, dtype.F32, false},
	{2048, 576, 1536, dtype.F32, false},
	{128, 2048, 2048, dtype.BF16, false},
	{128, 2048, 2048, dtype.Q8_0, true},
	{1, 4096, 4096, dtype.F32, false},
	{1, 4096, 4096, dtype.BF16, false},
	{1, 4096, 4096, dtype.Q8_0, true},
	{1, 4096, 4096, dtype.Q4_0, true},
	{1, 4096, 4096, dtype.Q4_K, true},
}

// BenchCompute measures matrix multiplication: GFLOP/s with the share of what this machine's kernels reach in the level-1
// cache, measured in the same run; for one row, GB/s of weights read.
func BenchCompute(ctx context.Context, o BenchComputeOptions, show func(Benched) error) error {
	b, err := Backend()
	if err != nil {
		return err
	}
	peak := cpu.MeasurePeak(ctx, b)
	common := []Setting{{"kernels", peak.Level}, {"workers", peak.Workers}}
	if err := show(summed("compute", "peak f32", "GFLOP/s", []float64{peak.GFLOPS}, common...)); err != nil {
		return err
	}
	for _, p := range products {
		values, err := p.measure(ctx, b, o)
		if err != nil {
			return err
		}
		settings := append(slices.Clone(common), Setting{"rows", p.rows}, Setting{"out", p.out}, Setting{"in", p.in}, Setting{"weight", p.weight.String()}, Setting{"fast", p.fast})
		name, unit := fmt.Sprintf("matmul %dx%dx%d %v", p.rows, p.out, p.in, p.weight), "GFLOP/s"
		scale := 2 * float64(p.rows) * float64(p.out) * float64(p.in) / 1e9
		if p.rows == 1 { // bound by memory
			unit, scale = "GB/s", float64(p.weight.Bytes(p.out*p.in))/1e9
		}
		for i := range values {
			values[i] *= scale
		}
		line := summed("compute", name, unit, values, settings...)
		if p.weight == dtype.F32 && p.rows > 1 && peak.GFLOPS > 0 {
			line.Settings = append(line.Settings, Setting{"share_of_peak", math.Round(1000*line.Value/peak.GFLOPS) / 1000})
		}
		if err := show(line); err != nil {
			return err
		}
	}
	return nil
}

// measure gives products a second, run by run.
func (p product) measure(ctx context.Context, b compute.Backend, o BenchComputeOptions) ([]float64, error) {
	stream := b.NewStream()
	fill := func(t *compute.Tensor, name string) error { // every row is the same: quantising takes longer than measuring
		values, key := make([]float32, t.Columns()), random.New(1, "bench", name)
		for i := range values {
			values[i] = float32(key.Float64(i)) - 0.5
		}
		row := make([]byte, t.Type.Bytes(len(values)))
		if err := dtype.Quantize(t.Type, values, row); err != nil {
			return err
		}
		stream.Write(t, bytes.Repeat(row, t.Rows()))
		return stream.Err()
	}
	x, w, y := compute.NewTensor(b, dtype.F32, p.rows, p.in), compute.NewTensor(b, p.weight, p.out, p.in), compute.NewTensor(b, dtype.F32, p.rows, p.out)
	for name, t := range map[string]*compute.Tensor{"x": x, "w": w} {
		if err := fill(t, name); err != nil {
			return nil, err
		}
	}
	w.Constant = true
	op := &compute.MatMul{A: x, B: w, Out: y, TransB: true, Fast: p.fast}
	stream.Launch(op) // packs what will be kept
	if err := stream.Err(); err != nil {
		return nil, err
	}
	var values []float64
	for range o.Runs {
		n, begun := 0, time.Now()
		for time.Since(begun).Seconds() < o.Seconds {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			stream.Launch(op)
			if err := stream.Err(); err != nil {
				return nil, err
			}
			n++
		}
		values = append(values, float64(n)/time.Since(begun).Seconds())
	}
	return values, nil
}

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

// BenchTokenizerOptions are the settings of lian bench tokenizer.
type BenchTokenizerOptions struct {
	Runs int `yaml:"runs" help:"runs of each measurement" default:"5" range:"1..1000"`
}

// BenchTokenizer measures megabytes of a text that are encoded and decoded in a second, on one processor.
func BenchTokenizer(ctx context.Context, path, file string, o BenchTokenizerOptions, show func(Benched) error) error {
	tok, err := OpenTokenizer(path)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(raw) == 0 || !utf8.Valid(raw) {
		return fmt.Errorf("%s: expected UTF-8 text", file)
	}
	text, megabytes := string(raw), float64(len(raw))/1e6
	ids := tok.Encode(text)
	var encode, decode []float64
	for range o.Runs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		begun := time.Now()
		tok.Encode(text)
		encode = append(encode, megabytes/time.Since(begun).Seconds())
		begun = time.Now()
		tok.Decode(ids)
		decode = append(decode, megabytes/time.Since(begun).Seconds())
	}
	settings := []Setting{{"tokenizer", path}, {"text", file}, {"bytes", len(raw)}, {"tokens", len(ids)}, {"vocab", tok.VocabSize()}}
	if err := show(summed("tokenizer", "encode", "MB/s", encode, settings...)); err != nil {
		return err
	}
	return show(summed("tokenizer", "decode", "MB/s", decode, settings...))
}
