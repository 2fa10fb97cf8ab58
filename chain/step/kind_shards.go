package step

import (
	"context"

	"lian/chain"
)

// shardsConfig is the recipe's shards step.
type shardsConfig struct {
	Data      string `yaml:"data" help:"folder of cleaned documents"`
	Tokenizer string `yaml:"tokenizer" help:"tokenizer.json or a folder that has one"`
}

func shardsKind() chain.Kind {
	return chain.NewKind("shards", "1", "documents to token shards", func(_ context.Context, c *chain.Context, o *shardsConfig) error {
		r, err := Shards(o.Data, o.Tokenizer, c.Dir, c.Events)
		if err != nil {
			return err
		}
		if err := c.SetValue("train_tokens", r.TrainTokens); err != nil {
			return err
		}
		return c.WriteCard(map[string]any{"tokenizer": map[string]any{"train_tokens": r.TrainTokens, "bytes_per_token": r.BytesPerToken}})
	})
}
