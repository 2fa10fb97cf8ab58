package step

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"lian/data/instruct"
	"lian/engine"
	"lian/eval"
	"lian/event"
	"lian/model"
	"lian/store"
)

// EvalOptions are what lian eval takes.
type EvalOptions struct {
	Questions string       `yaml:"questions" help:"questions.jsonl, or a folder that has one"`
	Shards    string       `yaml:"shards" help:"folder with heldout.shard for bits per byte; empty leaves them out"`
	Tokens    int          `yaml:"held_out_tokens" help:"held-out tokens for bits per byte" default:"50000" range:"1..1000000000"`
	Seed      uint64       `yaml:"seed" help:"seed of the bootstrap" default:"1"`
	Template  string       `yaml:"template" help:"chat template instead of the model's own: the name of one that comes with Lian, or a file"`
	Answers   eval.Options `yaml:"answers"`
}

// EvalReport is several models side by side.
type EvalReport struct {
	Models []string          `json:"models"`
	Bits   []BitsReport      `json:"bits,omitempty"`
	Scores []eval.Score      `json:"scores"`
	Pairs  []eval.Comparison `json:"pairs"` // each model with the one before it, and with the first
	// Outcomes are every answer by model, in the order of the questions; also in dir/outcomes-MODEL.jsonl.
	Outcomes map[string][]eval.Outcome `json:"-"`
}

// BitsReport is a model's bits per byte on held-out text.
type BitsReport struct {
	Model     string  `json:"model"`
	Value     float64 `json:"value"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Documents int     `json:"documents"`
	Bytes     int     `json:"bytes"`
}

// NamedModel is a model and what it is called in tables.
type NamedModel struct{ Name, Path string }

// Eval asks every model the same questions. dir may be empty: then nothing is written.
func Eval(ctx context.Context, dir string, models []NamedModel, o EvalOptions, events event.Sink) (EvalReport, error) {
	r := EvalReport{Outcomes: map[string][]eval.Outcome{}}
	questions, err := readQuestions(o.Questions)
	if err != nil {
		return r, err
	}
	perplexities := map[string]engine.Perplexity{}
	for i, named := range models {
		progress := func(done, total int) {
			events.Emit(event.KindProgress, event.Progress{Stage: "evaluate " + named.Name, Done: int64(i*total + done), Total: int64(len(models) * total), Unit: "answers"})
		}
		outcomes, p, err := evalOne(ctx, named, questions, o, progress)
		if err != nil {
			return r, fmt.Errorf("%s: %w", named.Name, err)
		}
		r.Models = append(r.Models, named.Name)
		r.Outcomes[named.Name] = outcomes
		r.Scores = append(r.Scores, eval.Scores(named.Name, outcomes)...)
		if o.Shards != "" {
			perplexities[named.Name] = p
			value, interval := eval.BitsPerByte(p, o.Seed)
			r.Bits = append(r.Bits, BitsReport{named.Name, value, interval.Low, interval.High, p.Documents, p.Bytes})
		}
		if err := writeOutcomes(dir, named.Name, outcomes); err != nil {
			return r, err
		}
	}
	for i := 1; i < len(models); i++ {
		for _, j := range earlier(i) {
			a, b := models[j].Name, models[i].Name
			pairs, err := eval.Compare(a, b, r.Outcomes[a], r.Outcomes[b])
			if err != nil {
				return r, err
			}
			r.Pairs = append(r.Pairs, pairs...)
			if o.Shards != "" {
				r.Pairs = append(r.Pairs, eval.CompareBits(a, b, perplexities[a], perplexities[b], o.Seed))
			}
		}
	}
	if dir == "" {
		return r, nil
	}
	return r, store.WriteJSON(filepath.Join(dir, "eval.json"), r)
}

// earlier are the models that model i is compared with: the first, and the one before.
func earlier(i int) []int {
	if i == 1 {
		return []int{0}
	}
	return []int{0, i - 1}
}

func readQuestions(path string) (out []instruct.Question, err error) {
	if isFolder(path) {
		path = filepath.Join(path, "questions.jsonl")
	}
	err = readLines(path, func(line []byte, number int) error {
		var q instruct.Question
		if err := json.Unmarshal(line, &q); err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
		out = append(out, q)
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s: there is no question in it", path)
	}
	return out, err
}

func evalOne(ctx context.Context, named NamedModel, questions []instruct.Question, o EvalOptions, progress func(done, total int)) ([]eval.Outcome, engine.Perplexity, error) {
	var p engine.Perplexity
	b, err := Backend()
	if err != nil {
		return nil, p, err
	}
	m, err := OpenToRun(named.Path, b)
	if err != nil {
		return nil, p, err
	}
	defer m.Close()
	if err := m.UseTemplate(o.Template); err != nil {
		return nil, p, err
	}
	tpl, err := m.NeedTemplate()
	if err != nil {
		return nil, p, err
	}
	stop, err := m.ChatStopIDs()
	if err != nil {
		return nil, p, err
	}
	e, err := engine.New(b, m.Model, m.Tokenizer, engine.Options{})
	if err != nil {
		return nil, p, err
	}
	defer e.Close()
	outcomes, err := eval.Answer(ctx, eval.Model{Name: named.Name, Engine: e, Template: tpl, Stop: stop}, questions, o.Answers, progress)
	if err != nil || o.Shards == "" {
		return outcomes, p, err
	}
	text, err := openShard(filepath.Join(o.Shards, "heldout.shard"), m.Tokenizer)
	if err != nil {
		return nil, p, err
	}
	defer text.Close()
	p, err = engine.Measure(ctx, b, m.Model, sampleTexts(text, o.Tokens), m.Separator, model.Fast)
	return outcomes, p, err
}

func writeOutcomes(dir, name string, outcomes []eval.Outcome) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var lines []byte
	for _, o := range outcomes {
		line, err := json.Marshal(o)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	return store.WriteFile(filepath.Join(dir, "outcomes-"+name+".jsonl"), lines)
}
