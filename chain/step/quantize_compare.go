package step

import (
	"context"
	"fmt"
	"os"

	"lian/compute"
	"lian/engine"
	"lian/event"
	"lian/model"
	"lian/model/checkpoint"
)

// HeldOutOptions say on what text a result is measured against its original.
type HeldOutOptions struct {
	Text      string          `yaml:"text" help:"held-out text on which the result is measured against the original; empty measures nothing"`
	Window    int             `yaml:"window" help:"most tokens of the held-out text computed at once" default:"512" range:"8..1000000"`
	Precision model.Precision `yaml:"precision" help:"how the result is computed when it is measured: fast rounds activations to int8 where weights are quantised; exact never does" default:"exact" range:"exact|fast"`
}

// MeasuredModel is a line of the table that comes with a quantised model. KL is the Kullback–Leibler divergence from the original
// in nats a token.
type MeasuredModel struct {
	Model      string  `json:"model"`
	Bytes      int64   `json:"bytes"`
	Bits       float64 `json:"bits_per_weight"`
	Perplexity float64 `json:"perplexity"`
	MeanKL     float64 `json:"mean_kl"`
	KL99       float64 `json:"kl_99"`
	Top1       float64 `json:"top1_agreement"`
	Tokens     int     `json:"tokens"`
}

// counted tells of each forward of a model.
type counted struct {
	model.Model
	told func(rows int)
}

// Forward tells how many rows there were.
func (c counted) Forward(p *model.Pass, b *model.Batch) (x *compute.Tensor, err error) {
	x, err = c.Model.Forward(p, b)
	c.told(b.Rows())
	return x, err
}

// bitsPerWeight is the size of a model's weights over their number.
func (m *Opened) bitsPerWeight() (bytes int64, bits float64) {
	values := 0
	for _, p := range m.Model.Parameters().All() {
		bytes += int64(p.Tensor.Bytes())
		values += p.Tensor.Elements()
	}
	return bytes, 8 * float64(bytes) / float64(values)
}

// measureAgainst is the table of original and result on a held-out text.
func measureAgainst(ctx context.Context, original, result string, o HeldOutOptions, events event.Sink) ([]MeasuredModel, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	first, err := OpenModel(original, b, checkpoint.Options{})
	if err != nil {
		return nil, err
	}
	defer first.Close()
	second, err := OpenModel(result, b, checkpoint.Options{})
	if err != nil {
		return nil, err
	}
	defer second.Close()
	texts, err := first.readTexts(o.Text)
	if err != nil {
		return nil, err
	}
	var ids [][]int32
	total, done := int64(0), int64(0)
	for _, t := range texts {
		ids = append(ids, append([]int32{first.Separator}, t.IDs...))
		total += int64(len(t.IDs))
	}
	watched := counted{second.Model, func(rows int) {
		done += int64(rows)
		events.Emit(event.KindProgress, event.Progress{Stage: "measure", Done: min(done, total), Total: total, Unit: "tokens"})
	}}
	window := engine.Windows{Window: min(o.Window, first.Model.Spec.Context)}
	c, err := engine.Compare(ctx, b, engine.Compared{Model: first.Model, Precision: model.Exact}, engine.Compared{Model: watched, Precision: o.Precision}, ids, window)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Text, err)
	}
	rows := []MeasuredModel{
		{Model: original, Perplexity: c.OriginalPerplexity(), Top1: 1, Tokens: c.Tokens},
		{Model: result, Perplexity: c.OtherPerplexity(), MeanKL: c.MeanKL, KL99: c.KL99, Top1: c.Top1, Tokens: c.Tokens},
	}
	for i, m := range []*Opened{first, second} {
		rows[i].Bytes, rows[i].Bits = m.bitsPerWeight()
		if info, err := os.Stat(m.Path); err == nil && !info.IsDir() {
			rows[i].Bytes = info.Size()
		}
	}
	return rows, nil
}
