package instruct

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"lian/chat"
	"lian/data/document"
)

//go:embed templates/*.yaml
var templateFiles embed.FS

// Template makes examples and questions of documents' facts.
type Template struct {
	Name      string            `yaml:"name"`
	About     string            `yaml:"about"`
	Tasks     []string          `yaml:"tasks"`
	Weight    int               `yaml:"weight"` // share of the examples
	Ask       string            `yaml:"ask"`
	Answer    string            `yaml:"answer"`
	Labels    []string          `yaml:"labels"`  // the answers there are
	Values    []string          `yaml:"values"`  // what the fact calls them, where that differs
	Choices   string            `yaml:"choices"` // the fact whose values in other documents are wrong choices
	Call      string            `yaml:"call"`    // the tool to call before answering
	Arguments map[string]string `yaml:"arguments"`
	// Sides: questions are combinations of few known words; a hash of the
	// question says on which side of the split it may occur.
	Sides bool `yaml:"sides"`
}

// Templates are those of one kind of documents in one language.
type Templates struct {
	Kinds     []string   `yaml:"kinds"`
	Language  string     `yaml:"language"`
	Templates []Template `yaml:"templates"`
	// Frequent says of which facts the most frequent values, and how many, are
	// known as facts of their own: author: 12 makes frequent_author.
	Frequent map[string]int `yaml:"frequent"`
	// Topics are words to look for in documents: the first one is the fact topic.
	Topics      []string `yaml:"topics"`
	Probes      []string `yaml:"probes"`      // beginnings that a model continues while it learns
	Suggestions []string `yaml:"suggestions"` // names of templates whose questions a page may offer
}

func (t Template) is(task string) bool {
	for _, name := range t.Tasks {
		if name == task {
			return true
		}
	}
	return false
}

// For gives the templates of a kind in a language ("en" or "zh"), English where
// a kind has none in the other, prose where the kind has none at all.
func For(kind, language string) (*Templates, error) {
	all, err := load()
	if err != nil {
		return nil, err
	}
	for _, want := range [][2]string{{kind, language}, {kind, document.Chinese}, {kind, document.English}, {document.KindText, language}, {document.KindText, document.English}} {
		// A kind's own file goes before one that lists it among others.
		var found *Templates
		for _, t := range all {
			if t.Language != want[1] {
				continue
			}
			for _, k := range t.Kinds {
				if k == want[0] && (found == nil || len(t.Kinds) < len(found.Kinds)) {
					found = t
				}
			}
		}
		if found != nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("no templates for %s in %q", kind, language)
}

var load = sync.OnceValues(func() ([]*Templates, error) {
	names, err := fs.Glob(templateFiles, "templates/*.*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*Templates
	for _, name := range names {
		content, err := templateFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		t, err := parse(name, content)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
})

// parse reads and checks a template file.
func parse(name string, content []byte) (*Templates, error) {
	var t Templates
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&t); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	known := map[string]bool{}
	for _, p := range t.Templates {
		known[p.Name] = true
		switch {
		case p.Ask == "" || p.Answer == "" || len(p.Tasks) == 0 || p.Weight < 1:
			return nil, fmt.Errorf("%s: template %s: ask, answer, tasks and a weight from 1 are needed", name, p.Name)
		case p.is(TaskChoice) && len(p.Labels) < 2 && p.Choices == "":
			return nil, fmt.Errorf("%s: template %s: a choice needs labels or choices", name, p.Name)
		case (p.is(TaskTool) || p.is(TaskAgent)) != (p.Call != ""):
			return nil, fmt.Errorf("%s: template %s: tool and agent tasks, and only they, need call", name, p.Name)
		case len(p.Values) > 0 && len(p.Values) != len(p.Labels):
			return nil, fmt.Errorf("%s: template %s: %d values for %d labels", name, p.Name, len(p.Values), len(p.Labels))
		}
	}
	for _, s := range t.Suggestions {
		if !known[s] {
			return nil, fmt.Errorf("%s: suggestions: no template %q", name, s)
		}
	}
	return &t, nil
}

var slot = regexp.MustCompile(`\{\{(\w+)\}\}`)

// fill puts facts into a text; ok is false when one is missing.
func fill(text string, facts Facts) (filled string, ok bool) {
	ok = true
	filled = slot.ReplaceAllStringFunc(text, func(s string) string {
		value := facts[s[2:len(s)-2]]
		if value == "" {
			ok = false
		}
		return value
	})
	return filled, ok
}

// asksAbout says whether the question mentions one of the facts.
func (t Template) asksAbout(facts ...string) bool {
	for _, fact := range facts {
		if strings.Contains(t.Ask, "{{"+fact+"}}") {
			return true
		}
	}
	return false
}

// label translates a fact's value to the language of the template.
func (t Template) label(value string) string {
	for i, v := range t.Values {
		if v == value {
			return t.Labels[i]
		}
	}
	return value
}

// Tools are the tools that examples and questions offer, described in a
// language: search and calculate.
func Tools(language string) []chat.Tool {
	if tools, ok := tools()[language]; ok {
		return tools
	}
	return tools()[document.English]
}

var tools = sync.OnceValue(func() map[string][]chat.Tool {
	var list []struct {
		Name        string
		Description map[string]string
		Parameters  string
	}
	content, err := templateFiles.ReadFile("templates/tools.yaml")
	if err == nil {
		err = yaml.Unmarshal(content, &list)
	}
	if err != nil {
		panic(err) // embedded: a fault of the program, found by any test
	}
	byLanguage := map[string][]chat.Tool{}
	for _, t := range list {
		for language, description := range t.Description {
			byLanguage[language] = append(byLanguage[language], chat.Tool{Name: t.Name, Description: description, Parameters: json.RawMessage(t.Parameters)})
		}
	}
	return byLanguage
})
