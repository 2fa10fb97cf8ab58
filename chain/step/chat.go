package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"lian/chat"
	"lian/engine"
	"lian/engine/sample"
	"lian/model"
)

// ChatOptions are the settings of lian chat.
type ChatOptions struct {
	System             string `yaml:"system" help:"what the model is told before the conversation; empty leaves it to the template"`
	Template           string `yaml:"template" help:"chat template instead of the model's own: the name of one that comes with Lian, or a file"`
	Adapter            string `yaml:"adapter" help:"adapter that is added to the model as it runs: a folder in PEFT's layout or a GGUF file; as MODEL+ADAPTER"`
	Load               string `yaml:"load" help:"conversation to go on with: a file that /save wrote, or JSON with messages"`
	Thinking           string `yaml:"thinking" help:"what a model thinks before its answer: shown, folded into one line, or hidden" default:"shown" range:"shown|folded|hidden"`
	Plain              bool   `yaml:"plain" help:"show the text as the model writes it, Markdown not rendered" default:"false"`
	Context            int    `yaml:"context" help:"tokens that a conversation may take; 0 is 4096, or the model's own context if that is less" default:"0" range:"0..10000000"`
	SelfExtension      `yaml:",inline"`
	MemoryOptions      `yaml:",inline"`
	engine.CacheFolder `yaml:",inline"`
	Drafting           engine.Drafting `yaml:",inline"`
	KV                 model.KVType    `yaml:"kv" help:"how keys and values are kept; auto is bf16 for fast and f32 for exact" default:"auto" range:"auto|f32|bf16|int8|int4"`
	Precision          model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"fast" range:"exact|fast"`
	Sample             sample.Params   `yaml:",inline"`
}

// Chat is a conversation with a model.
type Chat struct {
	Messages []chat.Message // so far

	model   *Opened
	engine  *engine.Engine
	tpl     *chat.Template
	stop    []int32
	options ChatOptions
	again   uint64                        // how often the last question was asked anew
	reply   atomic.Pointer[engine.Stream] // that was asked for last
}

// ChatReply is a turn of the model.
type ChatReply struct {
	Role         string  `json:"role"`
	Content      string  `json:"content"`
	Reasoning    string  `json:"reasoning_content,omitempty"` // what was thought before
	IDs          []int32 `json:"ids"`
	Finish       string  `json:"finish"` // stop, length, cancelled
	PromptTokens int     `json:"prompt_tokens"`
	CachedTokens int     `json:"cached_tokens"` // of the prompt, from turns before
	Tokens       int     `json:"tokens"`
	Drafted      int     `json:"drafted"`  // tokens guessed ahead
	Accepted     int     `json:"accepted"` // of those, that were right
	Timings      Timings `json:"timings"`
}

// OpenChat opens a model that has a chat template. Close ends the conversation.
func OpenChat(path string, o ChatOptions) (*Chat, error) {
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
	if err := o.SelfExtension.apply(m); err != nil {
		m.Close()
		return nil, err
	}
	c := &Chat{model: m, options: o}
	if err := c.open(); err != nil {
		m.Close()
		return nil, err
	}
	c.Reset()
	if o.Load != "" {
		if err := c.Load(o.Load); err != nil {
			c.Close()
			return nil, err
		}
		if o.System != "" {
			c.SetSystem(o.System)
		}
	}
	return c, nil
}

func (c *Chat) open() (err error) {
	m := c.model
	if err := m.UseTemplate(c.options.Template); err != nil {
		return err
	}
	if c.tpl, err = m.NeedTemplate(); err != nil {
		return err
	}
	if c.stop, err = m.ChatStopIDs(); err != nil {
		return err
	}
	sizes := c.options.sizes(m)
	if c.options.Fit {
		if sizes, _, err = m.planned(sizes, c.options.MemoryOptions); err != nil {
			return err
		}
	}
	c.engine, err = m.engine(sizes)
	return err
}

// usualContext is what a conversation may take where nobody says: what is not used takes no memory, but long conversations take time.
const usualContext = 4096

// sizes are those of an engine for one conversation with a model.
func (o ChatOptions) sizes(m *Opened) engine.Options {
	context := o.Context
	if context == 0 {
		context = m.Model.Spec.Context
		if !o.Fit && len(o.SelfExtend) == 0 {
			context = min(context, usualContext)
		}
	}
	return engine.Options{Context: context, CacheTokens: context + engineSlack, Sequences: 1, CacheFolder: o.CacheFolder, KV: o.KV, Drafting: o.Drafting, Precision: o.Precision}
}

// PlanChat counts the memory of a conversation.
func PlanChat(path string, o ChatOptions) (MemoryPlan, error) {
	path, err := withAdapter(path, o.Adapter)
	if err != nil {
		return MemoryPlan{}, err
	}
	m, err := openForPlan(path, o.SelfExtension)
	if err != nil {
		return MemoryPlan{}, err
	}
	defer m.Close()
	_, p, err := m.planned(o.sizes(m), o.MemoryOptions)
	return p, err
}

// ChatStopIDs are the tokens that end a turn: those of the template and those that end any text of the model.
func (m *Opened) ChatStopIDs() ([]int32, error) {
	end, err := m.EndIDs()
	if err != nil || m.Template == nil {
		return end, err
	}
	for _, id := range chat.StopIDs(m.Tokenizer, m.Template) {
		if !slices.Contains(end, id) {
			end = append(end, id)
		}
	}
	return end, nil
}

// StandIn names the template that is used instead of the model's own; empty: it is the model's.
func (c *Chat) StandIn() string { return c.model.StandIn }

// Name is the model's.
func (c *Chat) Name() string { return c.model.Name }

// Say asks something and gives the answer, piece by piece to show if that is not nil. When ctx ends, the answer is what was
// said until then. After an error the conversation is as it was before.
func (c *Chat) Say(ctx context.Context, text string, show func(kind chat.EventKind, piece string)) (*ChatReply, error) {
	r, err := c.answer(ctx, append(slices.Clone(c.Messages), chat.UserMessage(text)), c.options.Sample, show)
	if err == nil {
		c.again = 0
	}
	return r, err
}

// answer is the model's turn after messages, which with it become the conversation.
func (c *Chat) answer(ctx context.Context, messages []chat.Message, how sample.Params, show func(kind chat.EventKind, piece string)) (*ChatReply, error) {
	encoding, err := c.encode(messages)
	if err != nil {
		return nil, err
	}
	most, room := how.MaxTokens, c.engine.Options.Context-len(encoding.IDs)
	if room <= 0 {
		return nil, fmt.Errorf("%w: the conversation has %d tokens of %d; begin anew with /reset, or raise --context (the model was made for %d)",
			engine.ErrContext, len(encoding.IDs), c.engine.Options.Context, c.model.Model.Spec.Context)
	}
	if most > room {
		most = 0 // the context ends it, and Finish says so
	}
	s, err := c.engine.Generate(ctx, engine.Request{Prompt: encoding.IDs, Sample: how, StopIDs: c.stop, StopText: how.Stop, MaxTokens: most})
	if err != nil {
		return nil, err
	}
	c.reply.Store(s)
	var content, reasoning strings.Builder
	parser := c.tpl.Dialect().NewParser(chat.ParserOptions{Prompt: encoding.Text, TextOnly: true}, func(e chat.ReplyEvent) { // no tool is offered here
		if e.Kind == chat.ReplyReasoning {
			reasoning.WriteString(e.Text)
		} else {
			content.WriteString(e.Text)
		}
		if show != nil && e.Text != "" {
			show(e.Kind, e.Text)
		}
	})
	for t, ok := s.Next(); ok; t, ok = s.Next() {
		parser.Push(t.Text)
	}
	r := s.Result()
	if r.Err != nil && !errors.Is(r.Err, context.Canceled) {
		return nil, r.Err
	}
	parser.Flush()
	reply := chat.AssistantMessage(content.String())
	reply.Reasoning = reasoning.String()
	if len(r.IDs) > 0 || ctx.Err() == nil { // stopped before its first token it is as if it had not been asked
		c.Messages = append(messages, reply)
	}
	return &ChatReply{Role: reply.Role, Content: reply.Content, Reasoning: reply.Reasoning, IDs: r.IDs, Finish: r.Finish,
		PromptTokens: r.PromptTokens, CachedTokens: r.CachedTokens, Tokens: len(r.IDs), Drafted: r.Drafted, Accepted: r.Accepted, Timings: timings(r)}, nil
}

// Reading is how many tokens the conversation had when an answer was asked for last, and how many of those have been read.
func (c *Chat) Reading() (done, total int) {
	s := c.reply.Load()
	if s == nil {
		return 0, 0
	}
	return s.Prompt()
}

// encode is the conversation as the model reads it, up to where its answer begins.
func (c *Chat) encode(messages []chat.Message) (chat.Encoding, error) {
	return chat.Encode(c.model.Tokenizer, c.tpl, messages, chat.Options{AddGenerationPrompt: true})
}

// Close ends the conversation.
func (c *Chat) Close() error {
	c.engine.Close()
	return c.model.Close()
}
