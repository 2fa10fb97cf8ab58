package step

import (
	"context"
	"strings"

	"lian/chain"
	"lian/chain/report"
)

// quantizeConfig is the recipe's quantize step.
type quantizeConfig struct {
	Model         string   `yaml:"model" help:"model to write in fewer bits"`
	Types         []string `yaml:"types" help:"one file each; the first is what others are compared with" default:"f16,q8_0,q4_0"`
	Shards        string   `yaml:"shards" help:"folder with heldout.shard"`
	HeldOutTokens int      `yaml:"held_out_tokens" help:"held-out tokens for bits per byte" default:"20000" range:"1..1000000000"`
}

func quantizeKind() chain.Kind {
	return chain.NewKind("quantize", "1", "the same model in fewer bits", func(ctx context.Context, c *chain.Context, o *quantizeConfig) error {
		card := &report.Quantize{}
		for _, t := range o.Types {
			name := "model-" + strings.ToLower(t) + ".gguf"
			r, err := Quantize(ctx, o.Model, c.Path(name), QuantizeOptions{Type: t}, c.Events)
			if err != nil {
				return err
			}
			if err := c.SetValue(strings.ToLower(t), name); err != nil {
				return err
			}
			speed, err := MeasureModel(ctx, c.Path(name), o.Shards, o.HeldOutTokens)
			if err != nil {
				return err
			}
			card.Variants = append(card.Variants, report.Variant{
				Type: strings.ToUpper(r.Type), File: name, Bytes: r.Bytes, BitsPerByte: speed.BitsPerByte, Decode: speed.Decode, Prefill: speed.Prefill,
			})
			if err := c.WriteCard(report.Card{Quantize: card}); err != nil {
				return err
			}
		}
		return nil
	})
}
