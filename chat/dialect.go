package chat

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// CodeTool is the tool that runs programs. Dialects with an interpreter write
// its calls as code; its one argument is "code".
const CodeTool = "python"

// Dialect is how a family of models writes thoughts and calls of tools into its
// replies. It is declared in dialects.yaml, where its fields are explained; the
// same declaration renders ([Dialect.Render]) and parses ([Dialect.NewParser]).
type Dialect struct {
	Name    string            `yaml:"name"`
	About   string            `yaml:"about"`
	Source  string            `yaml:"source"`
	Detect  [][]string        `yaml:"detect"`
	Parts   []part            `yaml:"parts"`
	Object  map[string]string `yaml:"object"`
	Pair    string            `yaml:"pair"`
	Before  string            `yaml:"before"`
	Between string            `yaml:"between"`
	After   string            `yaml:"after"`
	Group   []string          `yaml:"group"`
	Skip    []string          `yaml:"skip"`
	Stop    []string          `yaml:"stop"`
	End     []string          `yaml:"end"`
	Cut     []string          `yaml:"cut"`
	Prime   []string          `yaml:"prime"`
	Builtin []string          `yaml:"builtin"`

	pair pattern
}

// Kinds of a part.
const (
	partCall      = "call"
	partReasoning = "reasoning"
	partContent   = "content"
)

type part struct {
	Kind   string   `yaml:"kind"`
	Open   string   `yaml:"open"`
	Body   []string `yaml:"body"`
	Close  []string `yaml:"close"`
	At     string   `yaml:"at"`
	Beside string   `yaml:"beside"`

	forms []pattern
}

//go:embed dialects.yaml
var dialectData []byte

var dialects = sync.OnceValue(func() []*Dialect {
	list, err := parseDialects(dialectData)
	if err != nil {
		panic(fmt.Sprintf("dialects.yaml: %v", err)) // a test reads it
	}
	return list
})

func parseDialects(data []byte) ([]*Dialect, error) {
	var list []*Dialect
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&list); err != nil {
		return nil, err
	}
	for _, d := range list {
		if err := d.compile(); err != nil {
			return nil, fmt.Errorf("dialect %s: %w", d.Name, err)
		}
	}
	return list, nil
}

func (d *Dialect) compile() (err error) {
	if len(d.Group) != 0 && len(d.Group) != 2 {
		return fmt.Errorf("group: %d texts, expected 2", len(d.Group))
	}
	if d.pair, err = parsePattern(d.Pair); err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	if d.Object == nil {
		d.Object = map[string]string{"name": "name", "arguments": "arguments"}
	}
	for i := range d.Parts {
		p := &d.Parts[i]
		if !slices.Contains([]string{partCall, partReasoning, partContent}, p.Kind) || !slices.Contains([]string{"", atReplyStart, atLineStart}, p.At) {
			return fmt.Errorf("part %d: unknown kind %q or place %q", i, p.Kind, p.At)
		}
		if len(p.Body) == 0 || p.Open == "" && (p.Kind != partCall || p.At != atReplyStart) {
			return fmt.Errorf("part %d: needs a body, and what it opens with", i)
		}
		for _, body := range p.Body {
			f, err := parsePattern(body)
			if err != nil {
				return fmt.Errorf("part %d: %w", i, err)
			}
			p.forms = append(p.forms, f)
		}
	}
	return nil
}

// Dialects are all dialects, in the order in which templates are compared with them.
func Dialects() []*Dialect { return dialects() }

// DialectNames lists what [DialectNamed] knows.
func DialectNames() []string {
	var names []string
	for _, d := range dialects() {
		names = append(names, d.Name)
	}
	return names
}

// DialectNamed is the dialect of this name.
func DialectNamed(name string) (*Dialect, error) {
	for _, d := range dialects() {
		if d.Name == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("tool dialect %q: there is none of this name; there are %s", name, strings.Join(DialectNames(), ", "))
}

// defaultDialect is what models are taken to write whose template tells nothing.
const defaultDialect = "hermes"

// DialectOf is the dialect that a template's source speaks, hermes where it
// shows none.
func DialectOf(source string) *Dialect {
	for _, d := range dialects() {
		for _, texts := range d.Detect {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(source, text) }) {
				return d
			}
		}
	}
	d, _ := DialectNamed(defaultDialect)
	return d
}

// CallForm is how a dialect writes calls of any tool, for whoever holds a model to it: engine/grammar has the same struct and says
// what its fields mean.
type CallForm struct {
	Name    string
	Open    string
	Body    string
	Close   string
	Object  map[string]string
	Pair    string
	Between string
	Group   []string
	Stop    []string
	Line    bool
}

// CallForm is what the dialect declares of its calls.
func (d *Dialect) CallForm() CallForm {
	p, i := d.formWith("")
	f := CallForm{Name: d.Name, Open: p.Open, Body: p.Body[i], Object: d.Object, Pair: d.Pair, Between: d.Between, Group: d.Group, Stop: d.Stop, Line: p.At == atLineStart}
	if len(p.Close) > 0 {
		f.Close = p.Close[0]
	}
	return f
}

// Thought is the marks around a thought, where the dialect has such.
func (d *Dialect) Thought() (open, shut string) {
	if p := d.partOf(partReasoning, false); p != nil && len(p.Close) > 0 {
		return p.Open, p.Close[0]
	}
	return "", ""
}

// Primed is what of a prompt the reply to it begins with: models go on after
// <think> where their template has written it.
func (d *Dialect) Primed(prompt string) string {
	trimmed := strings.TrimRight(prompt, " \n")
	for _, text := range d.Prime {
		if strings.HasSuffix(trimmed, text) {
			return text
		}
	}
	return ""
}
