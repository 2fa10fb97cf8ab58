package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"lian/chat"
	"lian/engine/sample"
	"lian/store"
)

// ErrNothingSaid is returned where a turn is to be changed and there is none.
var ErrNothingSaid = errors.New("nothing was said yet")

// Reset forgets what was said, but for the system's message.
func (c *Chat) Reset() {
	c.Messages, c.again = nil, 0
	c.SetSystem(c.options.System)
}

// System is what the model is told before the conversation.
func (c *Chat) System() string {
	if len(c.Messages) > 0 && c.Messages[0].Role == chat.RoleSystem {
		return c.Messages[0].Content
	}
	return ""
}

// SetSystem changes what the model is told before the conversation, now and after a reset; empty leaves it to the template.
func (c *Chat) SetSystem(text string) {
	c.options.System = text
	if len(c.Messages) > 0 && c.Messages[0].Role == chat.RoleSystem {
		c.Messages = slices.Delete(c.Messages, 0, 1)
	}
	if text != "" {
		c.Messages = slices.Insert(c.Messages, 0, chat.SystemMessage(text))
	}
}

// lastQuestion is where the user's last turn stands, −1 if there is none.
func (c *Chat) lastQuestion() int {
	for i := len(c.Messages) - 1; i >= 0; i-- {
		if c.Messages[i].Role == chat.RoleUser {
			return i
		}
	}
	return -1
}

// Undo takes the last question and its answer back and gives the question.
func (c *Chat) Undo() (question string, err error) {
	at := c.lastQuestion()
	if at < 0 {
		return "", ErrNothingSaid
	}
	question = c.Messages[at].Content
	c.Messages, c.again = c.Messages[:at], 0
	return question, nil
}

// Again answers the last question anew, with other draws.
func (c *Chat) Again(ctx context.Context, show func(kind chat.EventKind, piece string)) (*ChatReply, error) {
	at := c.lastQuestion()
	if at < 0 {
		return nil, ErrNothingSaid
	}
	how := c.options.Sample
	how.Seed += c.again + 1
	r, err := c.answer(ctx, slices.Clone(c.Messages[:at+1]), how, show)
	if err == nil {
		c.again++
	}
	return r, err
}

// Sampling are the settings of the next answer. They may be changed between answers.
func (c *Chat) Sampling() *sample.Params { return &c.options.Sample }

// saved is the file of a conversation.
type saved struct {
	Model    string         `json:"model,omitempty"`
	Messages []chat.Message `json:"messages"`
}

// Save writes the conversation as JSON: an object with "messages", as chat data have it, which Load reads again.
func (c *Chat) Save(path string) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(saved{c.Name(), c.Messages}); err != nil {
		return err
	}
	return store.WriteFile(path, text.Bytes())
}

// Load replaces the conversation by that of a file: what Save wrote, or a list of messages. A system message in it holds from now on.
func (c *Chat) Load(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	list := bytes.TrimSpace(text)
	if len(list) > 0 && list[0] == '{' {
		var file struct {
			Messages json.RawMessage `json:"messages"`
		}
		if err := json.Unmarshal(list, &file); err != nil {
			return fmt.Errorf("%s: not the JSON of one conversation: %w", path, err)
		}
		if file.Messages == nil {
			return fmt.Errorf("%s: the object has no \"messages\"", path)
		}
		list = file.Messages
	}
	messages, err := chat.ParseMessages(list)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	before := c.Messages
	c.Messages, c.again = messages, 0
	if _, err := c.encode(messages); len(messages) > 0 && err != nil {
		c.Messages = before
		return fmt.Errorf("%s: %w", path, err)
	}
	c.options.System = c.System()
	return nil
}

// Context is the most tokens that the conversation may take.
func (c *Chat) Context() int { return c.engine.Options.Context }

// ChatTokens is how much of the context a conversation takes.
type ChatTokens struct {
	Turns, Used, Context int
	Model                int // the longest context that the model was made for
}

// Tokens counts the conversation so far.
func (c *Chat) Tokens() (t ChatTokens, err error) {
	t.Context, t.Model = c.engine.Options.Context, c.model.Model.Spec.Context
	for _, m := range c.Messages {
		if m.Role == chat.RoleUser {
			t.Turns++
		}
	}
	if len(c.Messages) == 0 {
		return t, nil
	}
	encoding, err := chat.Encode(c.model.Tokenizer, c.tpl, c.Messages, chat.Options{})
	t.Used = len(encoding.IDs)
	return t, err
}

// ChatModel is what is talked with.
type ChatModel struct {
	Model      string `json:"model"`
	Path       string `json:"path"`
	Family     string `json:"family"`
	Parameters int64  `json:"parameters"`
	Type       string `json:"type"` // of most weights
	Bytes      int64  `json:"bytes"`
	Layers     int    `json:"layers"`
	Hidden     int    `json:"hidden"`
	Vocab      int    `json:"vocab"`
	Context    int    `json:"context"`
	Precision  string `json:"precision"`
}

// Model describes the model.
func (c *Chat) Model() ChatModel {
	w, s := workOf(c.model), &c.model.Model.Spec
	return ChatModel{Model: c.Name(), Path: c.model.Path, Family: s.Family, Parameters: w.parameters, Type: w.typeName(), Bytes: w.weights,
		Layers: s.Layers, Hidden: s.Hidden, Vocab: s.Vocab, Context: s.Context, Precision: string(c.engine.Options.Precision)}
}
