package chain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Recipe is a chain of steps as its author wrote it, with what --set changed.
type Recipe struct {
	File  string // as errors name it
	Name  string // of the run folder too, unless another is given
	About string
	Dials []Dial // in the order of the file
	Steps []Step // in the order of the file, which is the order of running
}

// Dial is a setting of the whole recipe; steps refer to it as ${name}.
type Dial struct {
	Name  string
	value *yaml.Node // a scalar
}

// Text is the dial's value as text.
func (d Dial) Text() string { return d.value.Value }

// Step is one node of the graph.
type Step struct {
	Name string
	Uses string // the kind
	Line int    // in the file

	with  *yaml.Node // a mapping, or nil
	after []string   // steps to wait for without a reference
	sets  []override // from --set, in order
}

type override struct{ path, text string }

var nameOK = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Load reads a recipe from a file.
func Load(path string) (*Recipe, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	return Parse(text, path)
}

// Parse reads a recipe. file is the name that errors begin with.
func Parse(text []byte, file string) (*Recipe, error) {
	p := &parser{file: file}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: not valid YAML: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(document.Content) == 0 {
		return nil, fmt.Errorf("%s: is empty; expected name and steps", file)
	}
	r := &Recipe{File: file}
	p.each(document.Content[0], "the recipe", []string{"name", "about", "dials", "steps"}, func(name string, at, value *yaml.Node) {
		switch name {
		case "name":
			r.Name = p.text(value, "name")
		case "about":
			r.About = p.text(value, "about")
		case "dials":
			r.Dials = p.dials(value)
		case "steps":
			r.Steps = p.steps(value)
		}
	})
	if len(p.errs) == 0 {
		switch {
		case r.Name == "":
			r.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		case !nameOK.MatchString(r.Name):
			p.report(document.Content[0], "name: expected lower-case letters, digits, - and _, found %q", r.Name)
		}
		if len(r.Steps) == 0 {
			p.report(document.Content[0], "steps: a recipe needs at least one")
		}
	}
	return r, errors.Join(p.errs...)
}

type parser struct {
	file string
	errs []error
}

func (p *parser) report(at *yaml.Node, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s:%d: %s", p.file, at.Line, fmt.Sprintf(format, args...)))
}

// each visits the entries of a mapping. known are the keys it may have; nil is any
// name that a step or dial may have.
func (p *parser) each(n *yaml.Node, what string, known []string, visit func(name string, at, value *yaml.Node)) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		p.report(n, "%s: expected key: value", what)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at, value := n.Content[i], n.Content[i+1]
		if line, twice := seen[at.Value]; twice {
			p.report(at, "%s: %s is there twice; the first is on line %d", what, at.Value, line)
			continue
		}
		seen[at.Value] = at.Line
		if known != nil && !contains(known, at.Value) {
			p.report(at, "%s: no such key in %s; %s", at.Value, what, hint(at.Value, known))
			continue
		}
		if known == nil && !nameOK.MatchString(at.Value) {
			p.report(at, "%s: expected a name of lower-case letters, digits, - and _, found %q", what, at.Value)
			continue
		}
		visit(at.Value, at, value)
	}
}

func (p *parser) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode {
		p.report(n, "%s: expected text", what)
		return ""
	}
	return n.Value
}

func (p *parser) dials(n *yaml.Node) (dials []Dial) {
	p.each(n, "dials", nil, func(name string, at, value *yaml.Node) {
		switch {
		case value.Kind != yaml.ScalarNode:
			p.report(value, "dials.%s: expected a single value", name)
		case name == "steps" || name == "dials":
			p.report(at, "dials.%s: the name is taken; choose another", name)
		default:
			dials = append(dials, Dial{Name: name, value: value})
		}
	})
	return dials
}

func (p *parser) steps(n *yaml.Node) (steps []Step) {
	p.each(n, "steps", nil, func(name string, at, value *yaml.Node) {
		step := Step{Name: name, Line: at.Line}
		p.each(value, "step "+name, []string{"uses", "with", "after"}, func(key string, _, v *yaml.Node) {
			switch key {
			case "uses":
				step.Uses = p.text(v, "uses")
			case "with":
				if v.Kind != yaml.MappingNode {
					p.report(v, "step %s: with: expected settings as key: value", name)
					return
				}
				step.with = v
			case "after":
				if v.Kind != yaml.SequenceNode {
					p.report(v, "step %s: after: expected a list of step names", name)
					return
				}
				for _, e := range v.Content {
					step.after = append(step.after, p.text(e, "after"))
				}
			}
		})
		if step.Uses == "" {
			step.Uses = name // the step of a kind is mostly named after it
		}
		steps = append(steps, step)
	})
	return steps
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// Dial returns the text of a dial.
func (r *Recipe) Dial(name string) (string, bool) {
	for _, d := range r.Dials {
		if d.Name == name {
			return d.value.Value, true
		}
	}
	return "", false
}

func (r *Recipe) dialNames() (names []string) {
	for _, d := range r.Dials {
		names = append(names, d.Name)
	}
	return names
}

func (r *Recipe) stepNames() (names []string) {
	for _, s := range r.Steps {
		names = append(names, s.Name)
	}
	return names
}

// Set changes a dial ("minutes=2") or a setting of a step ("finetune.lr=0.001"). A
// setting is checked by Check, when the kinds are known.
func (r *Recipe) Set(assignment string) error {
	path, text, found := strings.Cut(assignment, "=")
	path = strings.TrimSpace(path)
	if !found || path == "" {
		return fmt.Errorf("--set %s: expected setting=value, such as minutes=2 or finetune.lr=0.001", assignment)
	}
	name, rest, dotted := strings.Cut(path, ".")
	if name == "dials" && dotted {
		name, dotted = rest, false
	}
	if !dotted {
		return r.setDial(name, text)
	}
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			r.Steps[i].sets = append(r.Steps[i].sets, override{path: rest, text: text})
			return nil
		}
	}
	return fmt.Errorf("--set %s: no step named %s; %s", assignment, name, hint(name, r.stepNames()))
}

func (r *Recipe) setDial(name, text string) error {
	for i := range r.Dials {
		d := &r.Dials[i]
		if d.Name != name {
			continue
		}
		value := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
		if number(d.value) {
			var parsed yaml.Node
			if err := yaml.Unmarshal([]byte(text), &parsed); err != nil || len(parsed.Content) != 1 || !number(parsed.Content[0]) {
				return fmt.Errorf("--set %s=%s: expected a number such as %s, found %q", name, text, d.value.Value, text)
			}
			value.Tag = parsed.Content[0].Tag
		}
		value.Line = d.value.Line
		d.value = &value
		return nil
	}
	return fmt.Errorf("--set %s=%s: no such dial; %s; a setting of a step is STEP.%s", name, text, hint(name, r.dialNames()), name)
}

func number(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float")
}
