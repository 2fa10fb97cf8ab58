package chain

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reference is what stands between ${ and }.
type reference struct {
	dial  string // ${minutes}
	step  string // ${steps.plan.out}, ${steps.plan.values.vocab_size}
	value string // empty: the step's folder
}

// A dollar sign before ${ keeps it as it is.
var referenceText = regexp.MustCompile(`\$?\$\{([^{}]*)\}`)

func parseReference(text string) (reference, error) {
	parts := strings.Split(text, ".")
	switch {
	case len(parts) == 1 && parts[0] != "":
		return reference{dial: parts[0]}, nil
	case len(parts) == 3 && parts[0] == "steps" && parts[2] == "out":
		return reference{step: parts[1]}, nil
	case len(parts) == 4 && parts[0] == "steps" && parts[2] == "values":
		return reference{step: parts[1], value: parts[3]}, nil
	}
	return reference{}, fmt.Errorf("${%s}: expected ${DIAL}, ${steps.NAME.out} or ${steps.NAME.values.KEY}", text)
}

// referencesIn lists the references in one scalar.
func referencesIn(text string) (found []reference, err error) {
	for _, m := range referenceText.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[0], "$$") {
			continue
		}
		ref, err := parseReference(m[1])
		if err != nil {
			return nil, err
		}
		found = append(found, ref)
	}
	return found, nil
}

// scalars visits every scalar of a tree; aliases are followed.
func scalars(n *yaml.Node, visit func(*yaml.Node) error) error {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.AliasNode:
		return fmt.Errorf("line %d: anchors and aliases cannot be used in a step's settings; write the value out", n.Line)
	case n.Kind == yaml.ScalarNode:
		return visit(n)
	}
	for _, c := range n.Content {
		if err := scalars(c, visit); err != nil {
			return err
		}
	}
	return nil
}

// lookup gives a reference's value: a scalar or a list.
type lookup func(reference) (*yaml.Node, error)

// substitute returns a copy of a tree with its references replaced. A scalar that
// is nothing but a reference takes the value's own type; one with other text around
// it becomes text.
func substitute(n *yaml.Node, look lookup) (*yaml.Node, error) {
	if n == nil {
		return nil, nil
	}
	copied := *n
	if n.Kind == yaml.ScalarNode {
		value, err := substituteText(n.Value, look)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
		if value != nil {
			value.Line, value.Column = n.Line, n.Column
			return value, nil
		}
		return &copied, nil
	}
	copied.Content = make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		var err error
		if copied.Content[i], err = substitute(c, look); err != nil {
			return nil, err
		}
	}
	return &copied, nil
}

// substituteText returns nil when there is nothing to replace.
func substituteText(text string, look lookup) (*yaml.Node, error) {
	places := referenceText.FindAllStringSubmatchIndex(text, -1)
	if len(places) == 0 {
		return nil, nil
	}
	var b strings.Builder
	end := 0
	for _, p := range places {
		b.WriteString(text[end:p[0]])
		end = p[1]
		if strings.HasPrefix(text[p[0]:], "$$") {
			b.WriteString(text[p[0]+1 : p[1]])
			continue
		}
		ref, err := parseReference(text[p[2]:p[3]])
		if err != nil {
			return nil, err
		}
		value, err := look(ref)
		if err != nil {
			return nil, err
		}
		if p[0] == 0 && p[1] == len(text) {
			whole := *value
			return &whole, nil
		}
		if value.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s is a list and cannot stand within other text", text[p[0]:p[1]])
		}
		b.WriteString(value.Value)
	}
	b.WriteString(text[end:])
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: b.String()}, nil
}

// valueNode turns a value from a done mark into YAML.
func valueNode(raw json.RawMessage) (*yaml.Node, error) {
	var document yaml.Node // JSON is YAML
	if err := yaml.Unmarshal(raw, &document); err != nil || len(document.Content) != 1 {
		return nil, fmt.Errorf("value %s is neither a scalar nor a list", raw)
	}
	n := document.Content[0]
	if n.Kind == yaml.MappingNode {
		return nil, fmt.Errorf("value %s is a group; refer to a scalar or a list", raw)
	}
	return n, nil
}
