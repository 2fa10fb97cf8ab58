package serve

import (
	"context"
	"errors"
	"slices"

	"lian/chat"
	"lian/engine"
	"lian/tokenizer"
)

// Info says what a model is, to clients and to the page.
type Info struct {
	ID           string  `json:"id"`
	Base         string  `json:"base,omitempty"`        // of an adapter: the model that it changes
	Description  string  `json:"description,omitempty"` // architecture, size, bits: one line for people
	Parameters   int64   `json:"parameters,omitempty"`
	Type         string  `json:"type,omitempty"` // of the weights: F32, Q8_0, …
	Context      int     `json:"context"`        // longest prompt and reply together, in tokens
	Created      int64   `json:"created"`        // seconds since 1970
	Temperature  float32 `json:"temperature"`    // what the page uses
	System       string  `json:"system,omitempty"`
	Suggestions  string  `json:"-"` // path of a JSON file of prompts that the page offers; may be empty
	ChatTemplate bool    `json:"chat"`
	// Pooling is how the model's files say that rows become a vector; "" where they say nothing.
	Pooling engine.Pooling `json:"pooling,omitempty"`
}

// Generator is a model as the server needs it. NewGenerator makes one of an engine; tests have their own.
type Generator interface {
	Info() Info
	// EncodeChat gives a conversation, open for the assistant's reply: its ids and its text.
	EncodeChat(messages []chat.Message, tools []chat.Tool) (ids []int32, text string, err error)
	// Dialect is how the model writes thoughts and calls into its replies.
	Dialect() *chat.Dialect
	// Encode gives the ids of a text in which nothing is special.
	Encode(text string) []int32
	// TokenBytes is what a token adds to the text.
	TokenBytes(id int32) []byte
	// StopIDs are the tokens that end a reply of this model.
	StopIDs() []int32
	// Generate starts a reply; it ends early when ctx does.
	Generate(ctx context.Context, r engine.Request) (Stream, error)
	// Load is the number of requests being worked on and waiting.
	Load() (running, waiting int)
}

// Stream is a reply as it comes; *engine.Stream is one.
type Stream interface {
	Next() (engine.Token, bool)
	Result() engine.Result
	Cancel()
}

// ErrNoTemplate is the error of a chat with a model that has no chat template.
var ErrNoTemplate = errors.New("this model has no chat template and cannot chat; use /v1/completions")

// engineGenerator is a model on an engine.
type engineGenerator struct {
	engine   *engine.Engine
	template *chat.Template
	stop     []int32
	info     Info
}

// NewGenerator serves an engine's model. template may be nil: then the model completes text and does not chat. stop are the
// tokens that end a reply, beside those of the template. Context and ChatTemplate of info are filled in.
func NewGenerator(e *engine.Engine, template *chat.Template, stop []int32, info Info) Generator {
	g := &engineGenerator{engine: e, template: template, stop: stop, info: info}
	if template != nil {
		g.stop = append(chat.StopIDs(e.Tokenizer, template), stop...)
	}
	g.info.Context, g.info.ChatTemplate = e.Options.Context, template != nil
	return g
}

func (g *engineGenerator) Info() Info { return g.info }

func (g *engineGenerator) Dialect() *chat.Dialect {
	if g.template == nil {
		return chat.DialectOf("")
	}
	return g.template.Dialect()
}

func (g *engineGenerator) EncodeChat(messages []chat.Message, tools []chat.Tool) ([]int32, string, error) {
	if g.template == nil {
		return nil, "", ErrNoTemplate
	}
	o := chat.Options{Tools: tools, AddGenerationPrompt: true}
	e, err := chat.Encode(g.engine.Tokenizer, g.template, messages, o)
	if err != nil && slices.ContainsFunc(messages, func(m chat.Message) bool { return m.NoContent }) {
		// Calls come without content, and some templates can only join texts.
		written := slices.Clone(messages)
		for i := range written {
			written[i].NoContent = false
		}
		if again, second := chat.Encode(g.engine.Tokenizer, g.template, written, o); second == nil {
			return again.IDs, again.Text, nil
		}
	}
	return e.IDs, e.Text, err
}

func (g *engineGenerator) Encode(text string) []int32 { return g.engine.Tokenizer.Encode(text) }

func (g *engineGenerator) TokenBytes(id int32) []byte { return tokenBytes(g.engine.Tokenizer, id) }

func tokenBytes(tok *tokenizer.Tokenizer, id int32) []byte {
	if id < 0 || int(id) >= tok.VocabSize() {
		return nil
	}
	return tok.TokenBytes(id)
}

func (g *engineGenerator) Generate(ctx context.Context, r engine.Request) (Stream, error) {
	stream, err := g.engine.Generate(ctx, r)
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// StopIDs implements Generator.
func (g *engineGenerator) StopIDs() []int32 { return g.stop }

func (g *engineGenerator) Load() (running, waiting int) { return g.engine.Load() }
