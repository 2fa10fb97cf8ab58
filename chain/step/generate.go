package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"lian/chat"
	"lian/engine"
	"lian/engine/grammar"
	"lian/engine/sample"
	"lian/event"
	"lian/format/gguf"
	"lian/model"
	"lian/store"
)

// GenerateOptions are the settings of lian generate.
type GenerateOptions struct {
	IDs                []int32    `yaml:"ids" help:"token ids to continue instead of a text, such as 1,2,3"`
	Prompts            string     `yaml:"prompts" help:"JSON lines, - for standard input: each with prompt, ids or messages, and an id of yours if wanted"`
	Out                string     `yaml:"out" help:"JSON lines to write replies to, in the order of the prompts; the same command goes on where it stopped"`
	N                  int        `yaml:"n" help:"replies to each prompt" default:"1" range:"1..10000"`
	Constraint         Constraint `yaml:",inline"`
	LogProbs           int        `yaml:"logprobs" help:"log-probability of each token, and of so many of the most likely ones at its place; -1 gives none" default:"-1" range:"-1..1000"`
	PromptLogProbs     bool       `yaml:"prompt_logprobs" help:"log-probabilities of the prompt's tokens too" default:"false"`
	Parallel           int        `yaml:"parallel" help:"most replies made at one time" default:"32" range:"1..4096"`
	Plan               bool       `yaml:"plan" help:"print the memory that this takes, and stop"`
	Search             `yaml:",inline"`
	SelfExtension      `yaml:",inline"`
	Adapter            string `yaml:"adapter" help:"adapter that is added to the model as it runs: a folder in PEFT's layout or a GGUF file; as MODEL+ADAPTER"`
	engine.CacheFolder `yaml:",inline"`
	Drafting           engine.Drafting `yaml:",inline"`
	KV                 model.KVType    `yaml:"kv" help:"how keys and values are kept; auto is bf16 for fast and f32 for exact" default:"auto" range:"auto|f32|bf16|int8|int4"`
	Precision          model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"fast" range:"exact|fast"`
	Sample             sample.Params   `yaml:",inline"`
}

// Generated is a continuation and what it took.
type Generated struct {
	Index          int             `json:"index"`            // of the prompt, from 0
	Sample         int             `json:"sample,omitempty"` // of several replies to it
	ID             json.RawMessage `json:"id,omitempty"`     // that the prompt's line has
	Prompt         string          `json:"prompt"`
	Text           string          `json:"text"`
	IDs            []int32         `json:"ids"`
	Finish         string          `json:"finish"` // stop, length, constraint
	PromptTokens   int             `json:"prompt_tokens"`
	CachedTokens   int             `json:"cached_tokens"` // of the prompt, from prompts that began alike
	Tokens         int             `json:"tokens"`
	LogProbs       []TokenLogProb  `json:"logprobs,omitempty"`
	PromptLogProbs []TokenLogProb  `json:"prompt_logprobs,omitempty"`
	Score          *float64        `json:"score,omitempty"` // of a search: log-probability, of beams over length^length_penalty
	Drafted        int             `json:"drafted"`         // tokens guessed ahead
	Accepted       int             `json:"accepted"`        // of those, that were right
	Timings        Timings         `json:"timings"`
	Settings       string          `json:"settings,omitempty"` // tells replies made in another way, in a file
}

// TokenLogProb is how likely a token was at its place.
type TokenLogProb struct {
	ID      int32          `json:"id"`
	Text    string         `json:"text"`
	LogProb *float32       `json:"logprob"` // natural logarithm; null for the first token of a prompt
	Top     []TokenLogProb `json:"top,omitempty"`
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

// Generate continues prompts, many at one time. done is given each reply as soon as it and those before it are complete, in the order of
// the prompts and of the samples of each. show, if not nil, gets the replies piece by piece, one after the other.
func Generate(ctx context.Context, path string, prompts []Prompt, o GenerateOptions, show func(prompt int, piece string), done func(Generated) error, sink event.Sink) error {
	g, err := openGeneration(path, prompts, o)
	if err != nil {
		return err
	}
	defer g.m.Close()
	g.show, g.sink = show, sink
	if o.Out != "" {
		f, err := openReplies(o.Out, g.settings())
		if err != nil {
			return err
		}
		if g.first, err = f.resume(g.jobs, prompts); err == nil {
			err = g.run(ctx, func(r Generated) error { return f.write(r) })
		}
		return errors.Join(err, f.Close())
	}
	return g.run(ctx, done)
}

// PlanGenerate counts the memory of continuing prompts.
func PlanGenerate(path string, prompts []Prompt, o GenerateOptions) (MemoryPlan, error) {
	g, err := openGeneration(path, prompts, o)
	if err != nil {
		return MemoryPlan{}, err
	}
	defer g.m.Close()
	sizes, _, err := g.sizes(g.jobs)
	if err != nil {
		return MemoryPlan{}, err
	}
	_, p, err := g.m.planned(sizes, MemoryOptions{})
	return p, err
}

// openGeneration opens a model and reads what it is to continue.
func openGeneration(path string, prompts []Prompt, o GenerateOptions) (*generation, error) {
	if err := o.checkSearch(); err != nil {
		return nil, err
	}
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	g := &generation{o: o}
	if g.constraint, g.source, err = o.Constraint.compile(); err != nil {
		return nil, err
	}
	if path, err = withAdapter(path, o.Adapter); err != nil {
		return nil, err
	}
	open := OpenToRun
	if o.needsNoWords(prompts) {
		open = OpenToRunIDs
	}
	if g.m, err = open(path, b); err != nil {
		return nil, err
	}
	if err = o.apply(g.m); err == nil {
		err = g.read(prompts)
	}
	if err != nil {
		g.m.Close()
		return nil, err
	}
	return g, nil
}

// needsNoWords says whether nothing that is asked has to do with text.
func (o GenerateOptions) needsNoWords(prompts []Prompt) bool {
	c := o.Constraint
	texts := len(o.Sample.Stop) + len(o.Sample.BadWords) + len(c.Schema) + len(c.Regex) + len(c.Grammar) + len(c.Choice)
	return texts == 0 && !slices.ContainsFunc(prompts, func(p Prompt) bool { return p.IDs == nil })
}

// generation is the work of one lian generate.
type generation struct {
	m          *Opened
	o          GenerateOptions
	constraint *grammar.Grammar
	source     string // of the constraint
	show       func(prompt int, piece string)
	sink       event.Sink
	prompts    []Prompt
	jobs       []job
	first      int // that is not done yet
}

// job is one reply to be made.
type job struct {
	prompt, sample int
	ids            []int32
	stop           []int32
}

// read makes ids of prompts, and a job of each sample.
func (g *generation) read(prompts []Prompt) error {
	g.prompts = prompts
	end, err := g.m.EndIDs()
	if err != nil {
		return err
	}
	for i, p := range prompts {
		ids, stop := p.IDs, end
		switch {
		case p.Messages != nil:
			if ids, stop, err = g.m.conversation(p.Messages); err != nil {
				return fmt.Errorf("%s: %w", p.Place, err)
			}
		case ids == nil:
			ids = g.m.plain(p.Text)
		}
		if len(ids) == 0 {
			return fmt.Errorf("%s has no token; give some text to continue", p.Place)
		}
		if p.Text == "" {
			prompts[i].Text = g.m.Tokenizer.Decode(ids)
		}
		for s := range max(g.o.N, 1) {
			g.jobs = append(g.jobs, job{i, s, ids, stop})
		}
	}
	return nil
}

// conversation is what a model reads of messages before it answers, and the tokens that end its answer.
func (m *Opened) conversation(messages []chat.Message) (ids, stop []int32, err error) {
	tpl, err := m.NeedTemplate()
	if err != nil {
		return nil, nil, err
	}
	encoding, err := chat.Encode(m.Tokenizer, tpl, messages, chat.Options{AddGenerationPrompt: true})
	if err != nil {
		return nil, nil, err
	}
	stop, err = m.ChatStopIDs()
	return encoding.IDs, stop, err
}

// run makes the replies that are not there yet. Some more than are worked on are queued, so that none waits for the one whose turn it is.
func (g *generation) run(ctx context.Context, done func(Generated) error) error {
	jobs := g.jobs[g.first:]
	if len(jobs) == 0 {
		return nil
	}
	sizes, most, err := g.sizes(jobs)
	if err != nil {
		return err
	}
	e, err := g.m.engine(sizes)
	if err != nil {
		return err
	}
	defer e.Close()
	if g.o.Search.on() {
		return g.search(ctx, e, most, done)
	}
	streams, tokens := make([]*engine.Stream, len(jobs)), int64(0)
	for at, queued := 0, 0; at < len(jobs); at++ {
		for ; queued < len(jobs) && queued < at+2*g.o.parallel(); queued++ {
			if streams[queued], err = e.Generate(ctx, g.request(jobs[queued], most[queued])); err != nil {
				return fmt.Errorf("%s: %w", g.prompts[jobs[queued].prompt].Place, err)
			}
		}
		r, err := g.reply(streams[at], jobs[at], &tokens)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		streams[at] = nil
		if err := done(r); err != nil {
			return err
		}
		if len(jobs) > 1 {
			g.sink.Emit(event.KindProgress, event.Progress{Stage: "generate", Done: int64(g.first + at + 1), Total: int64(len(g.jobs)), Unit: "replies"})
		}
	}
	return nil
}

func (o GenerateOptions) parallel() int { return max(o.Parallel, 1) }

func (g *generation) request(j job, most int) engine.Request {
	how := g.o.Sample
	how.Seed = sample.Derive(how.Seed, j.sample)
	return engine.Request{Prompt: j.ids, Sample: how, Constraint: g.constraint, StopIDs: j.stop, StopText: how.Stop, MaxTokens: most,
		LogProbs: g.o.LogProbs >= 0 || g.o.PromptLogProbs, Top: max(g.o.LogProbs, 0), PromptLogProbs: g.o.PromptLogProbs}
}

// reply waits for a reply.
func (g *generation) reply(s *engine.Stream, j job, tokens *int64) (out Generated, err error) {
	for t, ok := s.Next(); ok; t, ok = s.Next() {
		if g.show != nil && t.Text != "" {
			g.show(j.prompt, t.Text)
		}
		if g.o.LogProbs >= 0 && t.ID >= 0 {
			out.LogProbs = append(out.LogProbs, g.logProb(t.ID, t.LogProb, t.Top))
		}
		if *tokens++; len(g.jobs) == 1 {
			g.sink.Emit(event.KindProgress, event.Progress{Stage: "generate", Done: *tokens, Unit: "tokens"})
		}
	}
	r, p := s.Result(), g.prompts[j.prompt]
	if g.o.PromptLogProbs {
		for _, t := range r.Prompt {
			out.PromptLogProbs = append(out.PromptLogProbs, g.logProb(t.ID, t.LogProb, t.Top))
		}
	}
	out.Index, out.Sample, out.ID, out.Prompt = j.prompt, j.sample, p.ID, p.Text
	out.Text, out.IDs, out.Finish, out.PromptTokens, out.CachedTokens, out.Tokens, out.Timings = r.Text, r.IDs, r.Finish, r.PromptTokens, r.CachedTokens, len(r.IDs), timings(r)
	out.Drafted, out.Accepted = r.Drafted, r.Accepted
	return out, r.Err
}

func (g *generation) logProb(id int32, value float32, top []engine.TopToken) TokenLogProb {
	t := TokenLogProb{ID: id, Text: g.m.Tokenizer.DecodeText([]int32{id}, false)}
	if !math.IsNaN(float64(value)) && !math.IsInf(float64(value), 0) {
		t.LogProb = &value
	}
	for _, x := range top {
		t.Top = append(t.Top, g.logProb(x.ID, x.LogProb, nil))
	}
	return t
}

// sizes are those of an engine whose cache holds the replies that are worked on at one time, and no more, and the longest reply of each
// job: max_tokens, 0 where the context ends it.
func (g *generation) sizes(jobs []job) (engine.Options, []int, error) {
	context := g.m.Model.Spec.Context
	longest, shortest, total, most := 0, context, 0, make([]int, len(jobs))
	for i, j := range jobs {
		if len(j.ids) >= context {
			return engine.Options{}, nil, fmt.Errorf("%s: %w: %d tokens, and %s was made for %d with the reply; --self-extend GROUP,WINDOW reads further", g.prompts[j.prompt].Place, engine.ErrContext, len(j.ids), g.m.Name, context)
		}
		n := context
		if asked := g.o.Sample.MaxTokens; asked > 0 && len(j.ids)+asked <= context {
			most[i], n = asked, len(j.ids)+asked
		}
		longest, shortest, total = max(longest, n), min(shortest, len(j.ids)), total+n+engineSlack
	}
	sequences := min(len(jobs), g.o.parallel())
	if g.o.Search.on() {
		sizes := engine.Options{Context: longest, CacheTokens: longest + engineSlack + g.o.tokensOfSearch(longest-shortest), Sequences: 2 * max(g.o.Beams, g.o.contrastiveK()), CacheFolder: g.o.CacheFolder,
			Drafting: engine.Drafting{Draft: engine.DraftNone}, KV: g.o.KV, Precision: g.o.Precision}
		return sizes, most, nil
	}
	return engine.Options{Context: longest, CacheTokens: min(total, sequences*(longest+engineSlack)), Sequences: sequences,
		CacheFolder: g.o.CacheFolder, KV: g.o.KV, Drafting: g.o.Drafting, Precision: g.o.Precision}, most, nil
}

// engineSlack is what a sequence may leave unused of its last cache block.
const engineSlack = 64

// plain is a text to be continued as the model expects it, with the token that begins a text if it has one.
func (m *Opened) plain(text string) []int32 {
	before, _ := m.Tokenizer.Around()
	return append(slices.Clone(before), m.Tokenizer.Encode(text)...)
}

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
