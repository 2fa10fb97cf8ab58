package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"lian/engine/grammar"
)

// constraints are the fields that say what a reply must be: OpenAI's response_format, vLLM's structured_outputs and guided_…, and
// llama.cpp's json_schema and grammar. At most one may be given.
type constraints struct {
	ResponseFormat    *responseFormat `json:"response_format"`
	StructuredOutputs *structured     `json:"structured_outputs"`
	GuidedJSON        json.RawMessage `json:"guided_json"`
	GuidedRegex       string          `json:"guided_regex"`
	GuidedChoice      []string        `json:"guided_choice"`
	GuidedGrammar     string          `json:"guided_grammar"` // GBNF
	JSONSchema        json.RawMessage `json:"json_schema"`
	Grammar           string          `json:"grammar"` // GBNF
}

type responseFormat struct {
	Type       string          `json:"type"`
	Schema     json.RawMessage `json:"schema"` // llama.cpp's, of json_object
	JSONSchema *struct {
		Name   string          `json:"name"`
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

type structured struct {
	JSON       json.RawMessage `json:"json"`
	Regex      string          `json:"regex"`
	Choice     []string        `json:"choice"`
	Grammar    string          `json:"grammar"`
	JSONObject bool            `json:"json_object"`
}

// UnmarshalJSON refuses what would be another constraint.
func (s *structured) UnmarshalJSON(data []byte) error {
	type plain structured
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(s)); err != nil {
		return errors.New("structured_outputs: expected one of json, regex, choice, grammar, json_object: " + err.Error())
	}
	return nil
}

// asked is a constraint by the field that it is in.
type asked struct {
	field, kind string // schema, regex, choice, grammar, object
	text        string // schema, regular expression or grammar
	choice      []string
}

// asked is what the fields ask for, nil for free text.
func (c *constraints) asked() (*asked, error) {
	var list []asked
	add := func(field, kind, text string) {
		if text != "" && text != "null" {
			list = append(list, asked{field: field, kind: kind, text: text})
		}
	}
	if f := c.ResponseFormat; f != nil {
		a, err := f.asked()
		if err != nil {
			return nil, err
		}
		if a != nil {
			list = append(list, *a)
		}
	}
	s := c.StructuredOutputs
	if s == nil {
		s = &structured{}
	}
	add("structured_outputs.json", "schema", schemaText(s.JSON))
	add("structured_outputs.regex", "regex", s.Regex)
	add("structured_outputs.grammar", "grammar", s.Grammar)
	add("guided_json", "schema", schemaText(c.GuidedJSON))
	add("guided_regex", "regex", c.GuidedRegex)
	add("guided_grammar", "grammar", c.GuidedGrammar)
	add("json_schema", "schema", schemaText(c.JSONSchema))
	add("grammar", "grammar", c.Grammar)
	if s.JSONObject {
		add("structured_outputs.json_object", "object", "json_object")
	}
	for field, choice := range map[string][]string{"structured_outputs.choice": s.Choice, "guided_choice": c.GuidedChoice} {
		if len(choice) > 0 {
			list = append(list, asked{field: field, kind: "choice", text: strings.Join(choice, "\x00"), choice: choice})
		}
	}
	switch len(list) {
	case 0:
		return nil, nil
	case 1:
		return &list[0], nil
	}
	return nil, invalid(list[1].field, "%s beside %s: a reply is held to one constraint; give one of them", list[0].field, list[1].field)
}

// schemaText is a schema, given as JSON or as a text that holds it.
func schemaText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func (f *responseFormat) asked() (*asked, error) {
	switch f.Type {
	case "text":
		return nil, nil
	case "json_object":
		if len(f.Schema) > 0 {
			return &asked{field: "response_format.schema", kind: "schema", text: schemaText(f.Schema)}, nil
		}
		return &asked{field: "response_format", kind: "object", text: "json_object"}, nil
	case "json_schema":
		switch {
		case f.JSONSchema != nil && len(f.JSONSchema.Schema) > 0:
			return &asked{field: "response_format.json_schema.schema", kind: "schema", text: schemaText(f.JSONSchema.Schema)}, nil
		case len(f.Schema) > 0:
			return &asked{field: "response_format.schema", kind: "schema", text: schemaText(f.Schema)}, nil
		}
		return nil, invalid("response_format.json_schema", "response_format.json_schema.schema is missing")
	}
	return nil, invalid("response_format.type", `response_format.type is %q, expected "text", "json_object" or "json_schema"`, f.Type)
}

// held is the language that the fields hold a reply to, nil for free text.
func (s *Server) held(c *constraints) (*grammar.Grammar, error) {
	a, err := c.asked()
	if a == nil || err != nil {
		return nil, err
	}
	g, err := s.grammars.get([]byte(a.kind+" "+a.text), func() (*grammar.Grammar, error) {
		switch a.kind {
		case "schema":
			return grammar.CompileSchema([]byte(a.text))
		case "regex":
			return grammar.Regexp(a.text)
		case "grammar":
			return grammar.GBNF(a.text)
		case "choice":
			return grammar.Choice(a.choice)
		}
		return grammar.AnyObject(), nil
	})
	if err != nil {
		return nil, invalid(a.field, "%s: %v", a.field, err)
	}
	return g, nil
}
