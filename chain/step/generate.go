package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"lian/engine"
	"lian/engine/sample"
	"lian/event"
	"lian/format/gguf"
	"lian/model"
	"lian/store"
)

// GenerateOptions are the settings of lian generate.
type GenerateOptions struct {
	Sample    sample.Params   `yaml:",inline"`
	Adapter   string          `yaml:"adapter" help:"adapter that is added to the model as it runs: a folder in PEFT's layout or a GGUF file; as MODEL+ADAPTER"`
	IDs       []int32         `yaml:"ids" help:"token ids to continue instead of a text, such as 1,2,3"`
	Precision model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"fast" range:"exact|fast"`
}

// Generated is a continuation and what it took.
type Generated struct {
	Prompt       string  `json:"prompt"`
	Text         string  `json:"text"`
	IDs          []int32 `json:"ids"`
	Finish       string  `json:"finish"` // stop, length
	PromptTokens int     `json:"prompt_tokens"`
	Tokens       int     `json:"tokens"`
	Timings      Timings `json:"timings"`
}

// Timings are the speeds of one reply. Of several that run at once, each has its own: they add up to what the machine did.
type Timings struct {
	PrefillSeconds  float64 `json:"prefill_seconds"` // from the request to the first token
	DecodeSeconds   float64 `json:"decode_seconds"`  // from the first token to the last
	PrefillTokensPS float64 `json:"prefill_tokens_per_second"`
	DecodeTokensPS  float64 `json:"decode_tokens_per_second"` // 0 for a reply of one token
}

func timings(r engine.Result) Timings {
	t := Timings{PrefillSeconds: r.First.Seconds(), DecodeSeconds: (r.Total - r.First).Seconds()}
	if t.PrefillSeconds > 0 {
		t.PrefillTokensPS = float64(r.PromptTokens) / t.PrefillSeconds
	}
	if n := len(r.IDs) - 1; n > 0 && t.DecodeSeconds > 0 {
		t.DecodeTokensPS = float64(n) / t.DecodeSeconds
	}
	return t
}

// Generate continues texts, all of them at once, or o.IDs if there are none. show, if not nil, gets the reply to each prompt
// piece by piece, prompt after prompt.
func Generate(ctx context.Context, path string, prompts []string, o GenerateOptions, show func(prompt int, piece string), sink event.Sink) ([]Generated, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	if path, err = withAdapter(path, o.Adapter); err != nil {
		return nil, err
	}
	m, err := OpenToRun(path, b)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var ids [][]int32
	for _, text := range prompts {
		ids = append(ids, m.plain(text))
	}
	if len(prompts) == 0 {
		ids, prompts = [][]int32{o.IDs}, []string{m.Tokenizer.Decode(o.IDs)}
	}
	for i, prompt := range ids {
		if len(prompt) == 0 {
			return nil, fmt.Errorf("prompt %d has no token; give some text to continue", i+1)
		}
	}
	stop, err := m.EndIDs()
	if err != nil {
		return nil, err
	}
	e, most, err := m.engineFor(ids, o.Sample.MaxTokens, o.Precision)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	streams := make([]*engine.Stream, len(ids))
	for i, prompt := range ids {
		if streams[i], err = e.Generate(ctx, engine.Request{Prompt: prompt, Sample: o.Sample, StopIDs: stop, StopText: o.Sample.Stop, MaxTokens: most[i]}); err != nil {
			return nil, err
		}
	}
	out, done := make([]Generated, len(ids)), int64(0)
	for i, s := range streams {
		for t, ok := s.Next(); ok; t, ok = s.Next() {
			if show != nil && t.Text != "" {
				show(i, t.Text)
			}
			done++
			sink.Emit(event.KindProgress, event.Progress{Stage: "generate", Done: done, Unit: "tokens"})
		}
		r := s.Result()
		if err := errors.Join(r.Err, ctx.Err()); err != nil {
			return nil, err
		}
		out[i] = Generated{Prompt: prompts[i], Text: r.Text, IDs: r.IDs, Finish: r.Finish, PromptTokens: r.PromptTokens, Tokens: len(r.IDs), Timings: timings(r)}
	}
	return out, nil
}

// plain is a text to be continued as the model expects it, with the token that begins a text if it has one.
func (m *Opened) plain(text string) []int32 {
	before, _ := m.Tokenizer.Around()
	return append(slices.Clone(before), m.Tokenizer.Encode(text)...)
}

// engineFor is an engine whose cache holds prompts and their replies and no more, and the longest reply to each prompt:
// maxTokens, 0 where the context ends it.
func (m *Opened) engineFor(prompts [][]int32, maxTokens int, precision model.Precision) (*engine.Engine, []int, error) {
	context := m.Model.Spec.Context
	longest, total, most := 0, 0, make([]int, len(prompts))
	for i, p := range prompts {
		if len(p) >= context {
			return nil, nil, fmt.Errorf("%w: prompt %d has %d tokens, and %s was made for %d with the reply", engine.ErrContext, i+1, len(p), m.Name, context)
		}
		n := context
		if maxTokens > 0 && len(p)+maxTokens <= context {
			most[i], n = maxTokens, len(p)+maxTokens
		}
		longest, total = max(longest, n), total+n+engineSlack
	}
	e, err := engine.New(m.Backend, m.Model, m.Tokenizer, engine.Options{Context: longest, CacheTokens: total, Sequences: max(len(prompts), 1), Precision: precision})
	return e, most, err
}

// engineSlack is what a sequence may leave unused of its last cache block.
const engineSlack = 64

// EndIDs are the tokens that end a text, as the model's files say: eos_token_id of config.json and generation_config.json, or
// the eos and eot tokens of a GGUF file.
func (m *Opened) EndIDs() (ids []int32, err error) {
	add := func(v float64) {
		if id := int32(v); v >= 0 && v < float64(m.Model.Spec.Vocab) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if m.gguf {
		f, err := gguf.Open(m.Path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		for _, key := range []string{"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"} {
			if id, ok := f.Uint(key); ok {
				add(float64(id))
			}
		}
		return ids, nil
	}
	generation := map[string]any{}
	err = store.ReadJSON(filepath.Join(m.Dir(), "generation_config.json"), &generation)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, fields := range []map[string]any{m.Config, generation} {
		eos := fields["eos_token_id"]
		list, ok := eos.([]any)
		if !ok {
			list = []any{eos}
		}
		for _, v := range list {
			if id, ok := v.(float64); ok {
				add(id)
			}
		}
	}
	return ids, nil
}
