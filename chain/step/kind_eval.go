package step

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"lian/chain"
	"lian/chain/report"
	"lian/eval"
	"lian/eval/stats"
	"lian/event"
	"lian/store"
)

// evalConfig is the recipe's eval step. Models are NAME=PATH; the names base, sft,
// lora, q8_0 … have words of their own in the report card.
type evalConfig struct {
	EvalOptions `yaml:",inline"`
	Models      []string    `yaml:"models" help:"models to ask, each NAME=PATH, the one before fine-tuning first"`
	Verse       verseConfig `yaml:"verse"`
	Pairs       []string    `yaml:"pairs" help:"models to compare question by question, each NAME:NAME"`
}

// verseConfig says how many poems are looked at, where the documents are poems.
type verseConfig struct {
	Data  string `yaml:"data" help:"folder of cleaned documents that lines could be copied from; empty asks for no poem"`
	Poems int    `yaml:"poems" help:"poems to write for titles of held-out documents" default:"100" range:"0..100000"`
}

func evalKind() chain.Kind {
	return chain.NewKind("eval", "1", "models asked the same questions", func(ctx context.Context, c *chain.Context, o *evalConfig) error {
		var models []NamedModel
		for _, m := range o.Models {
			name, path, ok := strings.Cut(m, "=")
			if !ok || name == "" || path == "" {
				return fmt.Errorf("models: expected NAME=PATH, found %q", m)
			}
			models = append(models, NamedModel{name, path})
		}
		r, err := Eval(ctx, c.Dir, models, o.EvalOptions, c.Events)
		if err != nil {
			return err
		}
		card := evalCard(r)
		if card.Pairs, err = o.pairs(r); err != nil {
			return err
		}
		if len(models) > 1 {
			if err := o.addVerses(ctx, c.Dir, models[0].Path, models[1].Path, card, c.Events); err != nil {
				return err
			}
		}
		return c.WriteCard(report.Card{Eval: card})
	})
}

// pairs are the comparisons that the recipe asks for: all of all would bury them.
func (o *evalConfig) pairs(r EvalReport) (out []report.Pair, err error) {
	for _, pair := range o.Pairs {
		a, b, ok := strings.Cut(pair, ":")
		if !ok || r.Outcomes[a] == nil || r.Outcomes[b] == nil {
			return nil, fmt.Errorf("pairs: expected NAME:NAME of %s, found %q", strings.Join(r.Models, ", "), pair)
		}
		compared, err := eval.Compare(a, b, r.Outcomes[a], r.Outcomes[b])
		if err != nil {
			return nil, err
		}
		for _, p := range compared {
			out = append(out, report.Pair{Task: p.Task, A: p.A, B: p.B, Difference: p.Difference, Low: p.Interval.Low, High: p.Interval.High, P: p.P, Significant: p.Significant})
		}
	}
	return out, nil
}

func evalCard(r EvalReport) *report.Eval {
	card := &report.Eval{Models: r.Models}
	for _, b := range r.Bits {
		card.Bits = append(card.Bits, report.Score{Model: b.Model, Value: b.Value, Low: b.Low, High: b.High})
	}
	at := map[string]int{}
	for _, s := range r.Scores {
		i, ok := at[s.Task]
		if !ok {
			i = len(card.Tasks)
			at[s.Task] = i
			card.Tasks = append(card.Tasks, report.Task{Name: s.Task, Questions: s.Questions, Chance: s.Chance})
		}
		card.Tasks[i].Scores = append(card.Tasks[i].Scores, report.Score{Model: s.Model, Value: s.Value, Low: s.Interval.Low, High: s.Interval.High})
	}
	if len(r.Models) > 1 {
		card.Cases = cases(r.Outcomes[r.Models[0]], r.Outcomes[r.Models[1]])
	}
	return card
}

// cases are questions to show, with the answers before and after fine-tuning: of
// each task a few right and a few wrong, different templates first, in the order of
// the questions, so that nobody chose them.
func cases(before, after []eval.Outcome) (out []report.Case) {
	const each = 3
	taken := map[string]int{}
	used := map[string]bool{}
	for _, anyTemplate := range []bool{false, true} {
		for i, o := range after {
			if i >= len(before) || before[i].Question.ID != o.Question.ID || o.Skipped != "" {
				continue
			}
			key := fmt.Sprint(o.Question.Task, o.Right)
			template := key + o.Question.Template
			if taken[key] >= each || used[o.Question.ID] || (used[template] && !anyTemplate) {
				continue
			}
			taken[key]++
			used[o.Question.ID], used[template] = true, true
			out = append(out, caseOf(before[i], o))
		}
	}
	return out
}

func caseOf(before, after eval.Outcome) report.Case {
	q := after.Question
	c := report.Case{Task: q.Task, Before: said(before), After: said(after), Right: after.Right, BeforeOK: before.Right, Judged: true, Expected: q.Answer}
	for _, m := range q.Messages {
		if m.Role == "user" {
			c.Prompt = m.Content
		}
	}
	if len(q.Choices) > 0 && q.AnswerIndex < len(q.Choices) {
		c.Expected = q.Choices[q.AnswerIndex]
	}
	if q.Call != nil {
		c.Expected = q.Call.Name + " " + string(q.Call.Arguments)
	}
	return c
}

// said is what a model answered; of a choice, the one it found most likely.
func said(o eval.Outcome) string {
	if o.Call != nil {
		return o.Call.Name + " " + string(o.Call.Arguments) // as what is expected is shown
	}
	if len(o.LogProbs) == 0 || len(o.LogProbs) != len(o.Question.Choices) {
		return o.Reply
	}
	best := 0
	for i, p := range o.LogProbs {
		if p > o.LogProbs[best] {
			best = i
		}
	}
	return o.Question.Choices[best]
}

// addVerses puts the form of new poems, and a few of them before and after
// fine-tuning, into the report card.
func (o *evalConfig) addVerses(ctx context.Context, dir, before, after string, card *report.Eval, events event.Sink) error {
	if o.Verse.Data == "" || o.Verse.Poems == 0 {
		return nil
	}
	r, err := Verse(ctx, after, o.Questions, o.Verse.Data, o.Verse.Poems, o.Seed, events)
	if err != nil || r.Poems == 0 {
		return err
	}
	old, err := Verse(ctx, before, o.Questions, o.Verse.Data, min(3, o.Verse.Poems), o.Seed, events)
	if err != nil {
		return err
	}
	copied := stats.Wilson(r.Copied, max(r.Lines, 1), eval.Confidence)
	card.Shapes = []report.Estimate{
		{Name: "regular_lines", Value: float64(r.Regular) / float64(r.Poems), Low: r.Interval.Low, High: r.Interval.High, N: r.Poems},
		{Name: "copied_lines", Value: float64(r.Copied) / float64(max(r.Lines, 1)), Low: copied.Low, High: copied.High, N: r.Lines},
	}
	for i := range min(len(old.Samples), len(r.Samples)) {
		prompt, text, _ := strings.Cut(r.Samples[i], "\n")
		_, oldText, _ := strings.Cut(old.Samples[i], "\n")
		card.Cases = append(card.Cases, report.Case{Task: "free", Prompt: prompt, Before: oldText, After: text})
	}
	return store.WriteJSON(filepath.Join(dir, "verses.json"), r)
}
