package step

import (
	"context"
	"fmt"
	"os"
	"time"

	"lian/chain"
	"lian/chain/report"
	"lian/event"
	"lian/store"
	"lian/train/figure"
)

func finetuneKind() chain.Kind {
	k := chain.NewKind("finetune", "1", "a model taught to answer", func(ctx context.Context, c *chain.Context, o *FinetuneOptions) error {
		card := &report.Finetune{Method: o.Method}
		clock := time.Now()
		show := func() error {
			card.Seconds = time.Since(clock).Seconds()
			if o.Method == "lora" {
				return c.WriteCard(report.Card{LoRA: card})
			}
			return c.WriteCard(report.Card{SFT: card})
		}
		events := event.Tee(c.Events, event.Func(func(kind string, payload any) {
			if e, ok := payload.(figure.Step); ok {
				card.Steps, card.StepsTotal = e.Step, e.Steps
				if every := max(1, e.Steps/200); e.Step%every == 0 || e.Step == e.Steps {
					card.Train = append(card.Train, report.Point{Tokens: e.Tokens, Value: e.Loss})
				}
			}
		}))
		var r FinetuneReport
		if err := store.ReadJSON(c.Path("finetune.json"), &r); err != nil {
			if r, err = Finetune(ctx, c.Dir, *o, events); err != nil {
				return err
			}
		}
		if r.TooLong > 0 {
			c.Note(fmt.Sprintf("%d of %d conversations are longer than the context and were left out", r.TooLong, r.TooLong+r.Examples))
		}
		card.Trainable, card.Examples, card.Steps, card.StepsTotal = int64(r.Trainable), r.Examples, r.Steps, r.Steps
		card.LearningRate, card.Rank, card.LossBefore, card.LossAfter, card.Bytes = r.LearningRate, r.Rank, r.LossBefore, r.LossAfter, r.Bytes
		if err := show(); err != nil {
			return err
		}
		return os.RemoveAll(c.Path("state"))
	})
	k.Resumes = true
	return k
}
