package chat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"lian/chat/jinja"
)

// Template renders conversations as the text that a model reads. It is safe
// for use by many goroutines.
type Template struct {
	program   *jinja.Program
	variables map[string]string
	toolUse   *Template // the model's other template, for conversations with tools; nil: none

	promptOnce sync.Once
	prompt     string // what AddGenerationPrompt adds, with no extra variables

	endIDs sync.Map // of *tokenizer.Tokenizer: []int32, see ends

	dialectOnce sync.Once
	dialect     *Dialect
}

// ParseTemplate reads a Jinja template; name stands in errors.
func ParseTemplate(name, source string) (*Template, error) {
	program, err := jinja.Parse(name, source)
	if err != nil {
		return nil, err
	}
	return &Template{program: program}, nil
}

// WithVariables returns the template with texts that belong to it, such as
// bos_token and eos_token; special tokens in them are recognised.
func (t *Template) WithVariables(variables map[string]string) *Template {
	all := maps.Clone(t.variables)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, variables)
	out := &Template{program: t.program, variables: all}
	if t.toolUse != nil {
		out.toolUse = t.toolUse.WithVariables(variables)
	}
	return out
}

// forTools is the template for conversations with these options.
func (t *Template) forTools(o Options) *Template {
	if o.Tools != nil && t.toolUse != nil {
		return t.toolUse
	}
	return t
}

// Variables are the texts given with WithVariables.
func (t *Template) Variables() map[string]string { return maps.Clone(t.variables) }

// Source is the template's text.
func (t *Template) Source() string { return t.program.Source() }

// Dialect is how a model with this template writes its calls.
func (t *Template) Dialect() *Dialect {
	t.dialectOnce.Do(func() {
		if t.dialect = DialectOf(t.Source()); t.toolUse != nil {
			t.dialect = t.toolUse.Dialect()
		}
	})
	return t.dialect
}

// HasGeneration says whether the template itself marks what a model writes.
func (t *Template) HasGeneration() bool { return t.program.HasGeneration() }

// Render writes the conversation. An error of kind jinja.RaisedError is the
// template's refusal of this conversation, in its authors' words.
func (t *Template) Render(messages []Message, o Options) (Rendered, error) {
	t = t.forTools(o)
	rendered, err := t.render(messages, o, form{verbatim: o.Verbatim})
	if err == nil || o.Verbatim {
		return rendered, err
	}
	// Templates differ in what they can take; those that cannot take the usual
	// forms fail with a type error.
	for _, f := range []form{{textArguments: true}, {emptyTools: true}, {textArguments: true, emptyTools: true}} {
		if !jinja.IsKind(err, jinja.TypeError) {
			break
		}
		if f.textArguments && !slices.ContainsFunc(messages, func(m Message) bool { return len(m.ToolCalls) > 0 }) ||
			f.emptyTools && o.Tools != nil {
			continue
		}
		if again, otherErr := t.render(messages, o, f); otherErr == nil {
			return again, nil
		}
	}
	return Rendered{}, err
}

func (t *Template) render(messages []Message, o Options, f form) (Rendered, error) {
	v := newVariables(f)
	names, err := v.names(messages, o)
	if err != nil {
		return Rendered{}, err
	}
	for name, text := range t.variables {
		names[name] = jinja.String(text)
	}
	out, err := t.program.Render(names, jinja.Options{Now: o.Now})
	if err != nil {
		return Rendered{}, err
	}
	r := v.rendered(out)
	if o.ContinueFinal {
		return r.cutAfter(len(messages) - 1)
	}
	return r, nil
}

// cutAfter drops what follows the content of message i.
func (r Rendered) cutAfter(i int) (Rendered, error) {
	for n := len(r.Origins); n > 0; n-- {
		if from := r.Origins[n-1]; from.Message == i && from.Field == "content" {
			r.Text, r.Origins = r.Text[:from.End], r.Origins[:n]
			for len(r.Generated) > 0 && r.Generated[len(r.Generated)-1].Start >= from.End {
				r.Generated = r.Generated[:len(r.Generated)-1]
			}
			if k := len(r.Generated); k > 0 {
				r.Generated[k-1].End = min(r.Generated[k-1].End, from.End)
			}
			return r, nil
		}
	}
	return Rendered{}, fmt.Errorf("message %d cannot be continued: the template shows nothing of its content", i)
}

// rendered translates a template's output into messages and fields.
func (v *variables) rendered(out jinja.Output) Rendered {
	r := Rendered{Text: out.Text}
	start := 0
	for _, run := range out.Runs {
		from := v.origin(run.Origin)
		if n := len(r.Origins); n > 0 && r.Origins[n-1].Message == from.Message && r.Origins[n-1].Field == from.Field {
			r.Origins[n-1].End = run.End
		} else {
			r.Origins = append(r.Origins, Origin{start, run.End, from.Message, from.Field})
		}
		if run.Generated {
			if n := len(r.Generated); n > 0 && r.Generated[n-1].End == start {
				r.Generated[n-1].End = run.End
			} else {
				r.Generated = append(r.Generated, Range{start, run.End})
			}
		}
		start = run.End
	}
	return r
}

// generationPrompt is the opening of an assistant's turn, "" where the
// template has none or does not simply add it at the end.
func (t *Template) generationPrompt(o Options) string {
	find := func() string {
		ask := Options{Extra: o.Extra, Now: o.Now}
		hello := []Message{UserMessage("x")}
		without, err := t.Render(hello, ask)
		if err != nil {
			return ""
		}
		ask.AddGenerationPrompt = true
		with, err := t.Render(hello, ask)
		if err != nil {
			return ""
		}
		prompt, ok := strings.CutPrefix(with.Text, without.Text)
		if !ok {
			return ""
		}
		return prompt
	}
	if len(o.Extra) > 0 {
		return find()
	}
	t.promptOnce.Do(func() { t.prompt = find() })
	return t.prompt
}
