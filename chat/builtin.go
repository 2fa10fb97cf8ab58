package chat

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed templates
var templateFiles embed.FS

// builtIn is one entry of templates/templates.yaml, where the fields are explained.
type builtIn struct {
	Name      string            `yaml:"name"`
	About     string            `yaml:"about"`
	Source    string            `yaml:"source"`
	File      string            `yaml:"file"`
	System    string            `yaml:"system"`
	User      string            `yaml:"user"`
	Assistant string            `yaml:"assistant"`
	Suffix    string            `yaml:"suffix"`
	EOS       bool              `yaml:"eos"`
	Separator string            `yaml:"separator"`
	Variables map[string]string `yaml:"variables"`
	Models    []string          `yaml:"models"`
	Tokens    []string          `yaml:"tokens"`
}

var builtIns = sync.OnceValue(func() []builtIn {
	data, err := templateFiles.ReadFile("templates/templates.yaml")
	if err != nil {
		panic(err) // it is embedded
	}
	list, err := parseBuiltIns(data)
	if err != nil {
		panic(fmt.Sprintf("templates.yaml: %v", err)) // a test reads it
	}
	return list
})

func parseBuiltIns(data []byte) (list []builtIn, err error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	decoder.KnownFields(true)
	err = decoder.Decode(&list)
	return list, err
}

// BuiltIn is a template that comes with Lian. "lian" is the one its own models
// learn: turns between <|im_start|> and <|im_end|>, tools in the system turn,
// calls as <tool_call>{"name":…,"arguments":…}</tool_call>, results as tool turns.
func BuiltIn(name string) (*Template, error) {
	i := slices.IndexFunc(builtIns(), func(b builtIn) bool { return b.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("chat template %q: no such built-in template; there are %s", name, strings.Join(BuiltInNames(), ", "))
	}
	b := builtIns()[i]
	source, err := b.source()
	if err != nil {
		return nil, err
	}
	tpl, err := ParseTemplate(name, source)
	if err != nil {
		return nil, err
	}
	return tpl.WithVariables(b.Variables), nil
}

// source is the template's text.
func (b builtIn) source() (string, error) {
	if b.File == "" {
		return b.jinja(), nil
	}
	data, err := templateFiles.ReadFile("templates/" + b.File)
	return string(data), err
}

// BuiltInOf is the name of the built-in template with exactly this text, "" if there is none.
func BuiltInOf(source string) string {
	for _, b := range builtIns() {
		if own, err := b.source(); err == nil && own == source {
			return b.Name
		}
	}
	return ""
}

// BuiltInNames lists the templates that come with Lian.
func BuiltInNames() []string {
	var names []string
	for _, b := range builtIns() {
		names = append(names, b.Name)
	}
	return names
}

// BuiltInFor is the built-in template of chat models of the type (model_type of
// config.json) that bring none; has says whether a text is a token of theirs.
func BuiltInFor(modelType string, has func(token string) bool) (name string, ok bool) {
	for _, b := range builtIns() {
		if slices.Contains(b.Models, modelType) && !slices.ContainsFunc(b.Tokens, func(token string) bool { return !has(token) }) {
			return b.Name, true
		}
	}
	return "", false
}

// jinja writes the texts between which turns stand as a template.
func (b builtIn) jinja() string {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	line("{%%- set ns = namespace(start=true, round=0) -%%}")
	line("{%%- for message in messages -%%}")
	line("    {%%- if message.role == 'assistant' -%%}")
	line("        {{ %s }}", literal(b.Assistant))
	end := literal(b.Suffix)
	if b.EOS {
		end += " ~ eos_token"
	}
	line("        {%%- generation -%%}{{ message.content or '' }}{{ %s }}{%%- endgeneration -%%}", end)
	line("        {{ %s }}{%%- set ns.start = %t -%%}", literal(b.Separator), b.EOS)
	line("    {%%- else -%%}")
	line("        {%%- if ns.start -%%}{{ bos_token }}{%%- set ns.start = false -%%}{%%- endif -%%}")
	line("        {%%- if message.role == 'user' -%%}")
	line("            {%%- set ns.round = ns.round + 1 -%%}{{ %s }}", slots(b.User))
	if b.System != "" {
		line("        {%%- elif message.role == 'system' -%%}")
		line("            {{ %s }}", slots(b.System))
	}
	line("        {%%- else -%%}")
	line("            {{ raise_exception('the template %s has no turns of the role ' ~ message.role) }}", b.Name)
	line("        {%%- endif -%%}")
	line("    {%%- endif -%%}")
	line("{%%- endfor -%%}")
	line("{%%- if add_generation_prompt -%%}{{ %s }}{%%- endif -%%}", literal(b.Assistant))
	return s.String()
}

// slots is a text with places for what is said as an expression.
func slots(text string) string {
	var parts []string
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		if before != "" {
			parts = append(parts, literal(before))
		}
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		switch text = after; name {
		case "round":
			parts = append(parts, "ns.round")
		default: // input, system
			parts = append(parts, "(message.content or '')")
		}
	}
	return strings.Join(parts, " ~ ")
}

func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(text) + "'"
}
