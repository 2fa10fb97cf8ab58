package step

import (
	"context"
	"path/filepath"

	"lian/chat"
	"lian/data"
	"lian/data/instruct"
	"lian/engine"
	"lian/engine/sample"
	"lian/eval"
	"lian/eval/stats"
	"lian/eval/verse"
	"lian/event"
)

// VerseReport is what a model's poems for unseen titles are like.
type VerseReport struct {
	Poems    int            `json:"poems"`
	Regular  int            `json:"regular"` // five characters in every line, or seven
	Interval stats.Interval `json:"interval"`
	Lines    int            `json:"lines"`
	Copied   int            `json:"copied"` // lines that are in the training text word for word
	Samples  []string       `json:"samples"`
}

// verseTemperature is low, as one sets it for form rather than surprise.
const verseTemperature = 0.4

// writeTemplate is the instruction template that asks for a poem by its title.
const writeTemplate = "write"

// Verse lets a model write a poem for each of at most n held-out titles. A report without poems means that the documents are none.
func Verse(ctx context.Context, modelPath, instructions, documents string, n int, seed uint64, events event.Sink) (VerseReport, error) {
	var r VerseReport
	var prompts [][]chat.Message
	for e, err := range instruct.ReadExamples(filepath.Join(instructions, "heldout.jsonl")) {
		if err != nil {
			return r, err
		}
		if e.Template == writeTemplate && len(e.Tools) == 0 && len(prompts) < n {
			prompts = append(prompts, e.Messages[:len(e.Messages)-1])
		}
	}
	if len(prompts) == 0 {
		return r, nil
	}
	corpus := verse.Corpus{}
	for d, err := range data.ReadDocuments(filepath.Join(documents, data.TrainFile)) {
		if err != nil {
			return r, err
		}
		corpus.Add(d.Text)
	}
	b, err := Backend()
	if err != nil {
		return r, err
	}
	m, err := OpenToRun(modelPath, b)
	if err != nil {
		return r, err
	}
	defer m.Close()
	tpl, err := m.NeedTemplate()
	if err != nil {
		return r, err
	}
	e, err := engine.New(b, m.Model, m.Tokenizer, engine.Options{})
	if err != nil {
		return r, err
	}
	defer e.Close()
	stop, err := m.ChatStopIDs()
	if err != nil {
		return r, err
	}
	streams := make([]*engine.Stream, len(prompts))
	for i, p := range prompts {
		encoded, err := chat.Encode(m.Tokenizer, tpl, p, chat.Options{AddGenerationPrompt: true})
		if err != nil {
			return r, err
		}
		streams[i], err = e.Generate(ctx, engine.Request{Prompt: encoded.IDs, StopIDs: stop, MaxTokens: min(256, e.Options.Context-len(encoded.IDs)),
			Sample: sample.Params{Temperature: verseTemperature, Seed: sample.Derive(seed, i)}})
		if err != nil {
			return r, err
		}
	}
	for i, s := range streams {
		result := s.Result()
		if result.Err != nil {
			return r, result.Err
		}
		r.Poems++
		if result.Finish == engine.FinishStop && verse.Regular(result.Text) {
			r.Regular++
		}
		copied, lines := corpus.Copied(result.Text)
		r.Copied, r.Lines = r.Copied+copied, r.Lines+lines
		if len(r.Samples) < 5 {
			r.Samples = append(r.Samples, prompts[i][len(prompts[i])-1].Content+"\n"+result.Text)
		}
		events.Emit(event.KindProgress, event.Progress{Stage: "poems", Done: int64(i + 1), Total: int64(len(streams)), Unit: "poems"})
	}
	r.Interval = stats.Wilson(r.Regular, r.Poems, eval.Confidence)
	return r, nil
}
