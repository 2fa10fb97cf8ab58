package step

import (
	"encoding/json"
	"fmt"
	"strings"

	"lian/chat"
)

// TemplateOptions are the settings of lian template render.
type TemplateOptions struct {
	Messages         string `yaml:"messages" help:"JSON file with the messages: a list, or an object with messages and tools; - for standard input"`
	Tools            string `yaml:"tools" help:"JSON file with a list of tools"`
	Variables        string `yaml:"variables" help:"further variables of the template, as a JSON object"`
	GenerationPrompt bool   `yaml:"generation_prompt" help:"end with the opening of an assistant's turn"`
	ContinueFinal    bool   `yaml:"continue_final" help:"end within the last message, so that a model goes on with it"`
	Tokenizer        string `yaml:"tokenizer" help:"model or tokenizer.json for the ids, where the template comes alone"`
}

// RenderedTemplate is a conversation as a model reads it.
type RenderedTemplate struct {
	Text    string         `json:"text"`
	IDs     []int32        `json:"ids,omitempty"`
	Mask    []bool         `json:"mask,omitempty"`     // true: a label in training
	Spans   []TokenSpan    `json:"spans,omitempty"`    // of tokens, without gaps
	StopIDs []int32        `json:"stop_ids,omitempty"` // that end an assistant's turn
	Origins []chat.Origin  `json:"origins,omitempty"`  // of bytes, where there is no tokenizer
	Tokens  []RenderedPart `json:"-"`                  // for tables
}

// TokenSpan is a run of tokens with one origin.
type TokenSpan struct {
	Start   int    `json:"start"`
	End     int    `json:"end"`
	Message int    `json:"message"` // -1 the template, -2 the tools, -3 the variables
	Field   string `json:"field,omitempty"`
}

// RenderedPart is one token of a conversation.
type RenderedPart struct {
	ID    int32
	Text  string
	Label bool
	From  string
}

// conversation is what --messages may hold.
type conversation struct {
	Messages []chat.Message `json:"messages"`
	Tools    []chat.Tool    `json:"tools"`
}

// parseConversation reads a list of messages, or an object with messages and tools; file names it in errors.
func parseConversation(file string, raw []byte) (c conversation, err error) {
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		err = json.Unmarshal(raw, &c.Messages)
	} else {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	if len(c.Messages) == 0 {
		return c, fmt.Errorf("%s: there are no messages; expected [{\"role\":\"user\",\"content\":\"…\"}] or {\"messages\":[…],\"tools\":[…]}", file)
	}
	return c, nil
}

// RenderTemplate renders a conversation with the template of a model or file. messages and tools are the contents of the files
// that o names; tools may be nil.
func RenderTemplate(path string, messages, tools []byte, o TemplateOptions) (*RenderedTemplate, error) {
	w, err := OpenWords(path)
	if err != nil {
		return nil, err
	}
	if w.Template == nil {
		return nil, fmt.Errorf("%s has no chat template; pass a .jinja file or a built-in one (%s) instead, with --tokenizer %s for the ids", path, strings.Join(chat.BuiltInNames(), ", "), path)
	}
	if o.Tokenizer != "" {
		other, err := OpenWords(o.Tokenizer)
		if err != nil {
			return nil, err
		}
		if w.Tokenizer = other.Tokenizer; w.Tokenizer == nil {
			return nil, fmt.Errorf("--tokenizer %s: that is a template, not a tokenizer", o.Tokenizer)
		}
	}
	c, err := parseConversation(o.Messages, messages)
	if err != nil {
		return nil, err
	}
	if tools != nil {
		if err := json.Unmarshal(tools, &c.Tools); err != nil {
			return nil, fmt.Errorf("%s: expected a list of tools: %w", o.Tools, err)
		}
	}
	options := chat.Options{Tools: c.Tools, AddGenerationPrompt: o.GenerationPrompt, ContinueFinal: o.ContinueFinal}
	if o.Variables != "" {
		if err := json.Unmarshal([]byte(o.Variables), &options.Extra); err != nil {
			return nil, fmt.Errorf("--variables: expected a JSON object: %w", err)
		}
	}
	if w.Tokenizer == nil {
		rendered, err := w.Template.Render(c.Messages, options)
		if err != nil {
			return nil, err
		}
		return &RenderedTemplate{Text: rendered.Text, Origins: rendered.Origins}, nil
	}
	return w.encode(c.Messages, options)
}

func (w *Words) encode(messages []chat.Message, o chat.Options) (*RenderedTemplate, error) {
	e, err := chat.Encode(w.Tokenizer, w.Template, messages, o)
	if err != nil {
		return nil, err
	}
	r := &RenderedTemplate{Text: e.Text, IDs: e.IDs, Mask: e.Mask, StopIDs: chat.StopIDs(w.Tokenizer, w.Template)}
	for _, s := range e.Spans {
		r.Spans = append(r.Spans, TokenSpan{s.Start, s.End, s.Message, s.Field})
		for i := s.Start; i < s.End; i++ {
			r.Tokens = append(r.Tokens, RenderedPart{ID: e.IDs[i], Text: string(w.Tokenizer.TokenBytes(e.IDs[i])), Label: e.Mask[i], From: origin(messages, s)})
		}
	}
	return r, nil
}

// origin names where a span comes from: "user.content", "template".
func origin(messages []chat.Message, s chat.Span) string {
	switch s.Message {
	case chat.FromTemplate:
		return "template"
	case chat.FromTools:
		return "tools"
	case chat.FromVariables:
		return "variables"
	}
	return fmt.Sprintf("%d %s.%s", s.Message, messages[s.Message].Role, s.Field)
}
