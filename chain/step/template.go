package step

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"lian/chat"
)

// TemplateOptions are the settings of lian template render.
type TemplateOptions struct {
	Messages         string `yaml:"messages" help:"JSON file with the messages: a list, or an object with messages and tools; - for standard input"`
	Tools            string `yaml:"tools" help:"JSON file with a list of tools"`
	Variables        string `yaml:"variables" help:"further variables of the template, as a JSON object"`
	GenerationPrompt bool   `yaml:"add_generation_prompt" help:"end with the opening of an assistant's turn"`
	ContinueFinal    bool   `yaml:"continue_final" help:"end within the last message, so that a model goes on with it"`
	Tokenizer        string `yaml:"tokenizer" help:"model or tokenizer.json for the ids, where the template comes alone"`
	Template         string `yaml:"template" help:"chat template instead of the model's own: the name of one that comes with Lian, or a file"`
	Verbatim         bool   `yaml:"verbatim" help:"hand messages to the template as they are written, as transformers does; off: in the forms that serving and fine-tuning use" default:"true"`
}

// RenderedTemplate is a conversation as a model reads it.
type RenderedTemplate struct {
	Text    string         `json:"text"`
	StandIn string         `json:"template,omitempty"` // the template that stands in for the model's own
	Dialect string         `json:"dialect"`            // how a model with this template writes its calls
	Unshown []string       `json:"unshown,omitempty"`  // what of the input the template shows nothing of: "tools"
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
	Messages  []chat.Message
	Tools     []chat.Tool
	Variables map[string]any
}

// parseConversation reads a list of messages, or an object with messages, tools and further variables of the template; file names
// it in errors.
func parseConversation(file string, raw []byte) (c conversation, err error) {
	c.Variables = map[string]any{}
	if err := c.parse(raw); err != nil {
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
	if o.Template != "" {
		if w.Template, w.StandIn, err = w.templated.choose(o.Template); err != nil {
			return nil, err
		}
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
		w.Template = w.Template.WithVariables(other.templated.variables)
	}
	c, err := parseConversation(o.Messages, messages)
	if err != nil {
		return nil, err
	}
	if tools != nil {
		if c.Tools, err = chat.ParseTools(tools); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Tools, err)
		}
	}
	options := chat.Options{Tools: c.Tools, AddGenerationPrompt: o.GenerationPrompt, ContinueFinal: o.ContinueFinal, Extra: c.Variables, Verbatim: o.Verbatim}
	if o.Variables != "" {
		if err := c.variables([]byte(o.Variables)); err != nil {
			return nil, fmt.Errorf("--variables: expected a JSON object: %w", err)
		}
	}
	w.Template = w.Template.WithVariables(c.specialTokens())
	if w.Tokenizer == nil {
		rendered, err := w.Template.Render(c.Messages, options)
		if err != nil {
			return nil, err
		}
		return w.said(&RenderedTemplate{Text: rendered.Text, Origins: rendered.Origins}, rendered.Origins, options), nil
	}
	return w.encode(c.Messages, options)
}

// said adds what is to be said of the template.
func (w *Words) said(r *RenderedTemplate, origins []chat.Origin, o chat.Options) *RenderedTemplate {
	r.StandIn, r.Dialect = w.StandIn, w.Template.Dialect().Name
	if len(o.Tools) > 0 && !slices.ContainsFunc(origins, func(from chat.Origin) bool { return from.Message == chat.FromTools }) {
		r.Unshown = append(r.Unshown, "tools")
	}
	return r
}

// specialTokens takes the names of special tokens out of the variables: they are the model's, and tokens where they stand.
func (c *conversation) specialTokens() map[string]string {
	tokens := map[string]string{}
	for _, name := range []string{"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"} {
		var text string
		if raw, ok := c.Variables[name].(json.RawMessage); ok && json.Unmarshal(raw, &text) == nil {
			tokens[name] = text
			delete(c.Variables, name)
		}
	}
	return tokens
}

// variables adds the members of an object, each as it is written: in it, order counts.
func (c *conversation) variables(object []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return err
	}
	for name, value := range members {
		c.Variables[name] = value
	}
	return nil
}

// parse reads what stands in the file.
func (c *conversation) parse(raw []byte) (err error) {
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		c.Messages, err = chat.ParseMessages(raw)
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return fmt.Errorf("expected a list of messages, or an object with messages and tools: %w", jsonKind(err))
	}
	for key, value := range members {
		switch key {
		case "id":
		case "messages":
			c.Messages, err = chat.ParseMessages(value)
		case "tools":
			c.Tools, err = chat.ParseTools(value)
		case "documents":
			c.Variables[key] = value
		case "variables", "kwargs", "chat_template_kwargs":
			if err = c.variables(value); err != nil {
				err = fmt.Errorf("%s: expected an object: %w", key, err)
			}
		default:
			err = fmt.Errorf("%s: no such member; there are messages, tools, documents and variables", key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Words) encode(messages []chat.Message, o chat.Options) (*RenderedTemplate, error) {
	e, err := chat.Encode(w.Tokenizer, w.Template, messages, o)
	if err != nil {
		return nil, err
	}
	r := w.said(&RenderedTemplate{Text: e.Text, IDs: e.IDs, Mask: e.Mask, StopIDs: chat.StopIDs(w.Tokenizer, w.Template)}, e.Origins, o)
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
