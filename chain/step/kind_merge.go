package step

import (
	"context"
	"fmt"
	"path/filepath"

	"lian/chain"
	"lian/chain/report"
	"lian/chat"
	"lian/data/instruct"
	"lian/model/checkpoint"
)

// mergeConfig is the recipe's merge step.
type mergeConfig struct {
	Base    string `yaml:"base" help:"model that the adapter was trained on"`
	Adapter string `yaml:"adapter" help:"folder of the adapter, or one that has it as adapter"`
	Data    string `yaml:"data" help:"folder of conversations; some of the held-out ones are the texts to compare logits on"`
	Texts   int    `yaml:"texts" help:"how many" default:"8" range:"1..1000"`
}

func mergeKind() chain.Kind {
	return chain.NewKind("merge", "1", "an adapter into its model, checked", func(ctx context.Context, c *chain.Context, o *mergeConfig) error {
		ids, err := o.texts()
		if err != nil {
			return err
		}
		dir := o.Adapter
		if !isAdapter(dir) {
			dir = filepath.Join(dir, "adapter")
		}
		r, err := Merge(ctx, o.Base, dir, c.Dir, ids)
		if err != nil {
			return err
		}
		return c.WriteCard(report.Card{Merge: &report.Merge{MaxDifference: r.MaxDifference, Tolerance: r.Tolerance, Positions: r.Positions, SameGreedy: r.SameGreedy}})
	})
}

// texts are held-out conversations as the model sees them.
func (o *mergeConfig) texts() (ids [][]int32, err error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	m, err := OpenModel(o.Base, b, checkpoint.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	tpl, err := m.NeedTemplate()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(o.Data, instruct.HeldOutFile)
	for e, err := range instruct.ReadExamples(file) {
		if err != nil {
			return nil, err
		}
		encoding, err := chat.Encode(m.Tokenizer, tpl, e.Messages, chat.Options{Tools: e.Tools})
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, e.ID, err)
		}
		if n := len(encoding.IDs); n > 0 {
			ids = append(ids, encoding.IDs[:min(n, m.Model.Spec.Context)])
		}
		if len(ids) == o.Texts {
			break
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s: there is no conversation to compare logits on", file)
	}
	return ids, nil
}
