package grammar

import (
	"fmt"
	"slices"
	"strings"
)

// without is the schema less one keyword.
func without(v *value, keyword string) *value {
	w := &value{kind: '{', members: map[string]*value{}}
	for _, key := range v.keys {
		if key != keyword {
			w.keys = append(w.keys, key)
			w.members[key] = v.members[key]
		}
	}
	return w
}

// constrains reports whether a schema says more than annotations.
func constrains(v *value) bool {
	return slices.ContainsFunc(v.keys, func(key string) bool {
		return !slices.Contains(annotations, key) && !strings.HasPrefix(key, "x-")
	})
}

// merge is a schema of the values that both a and b allow. Keywords that cannot be joined are refused.
func (c *compiler) merge(path string, a, b *value) (*value, error) {
	switch {
	case a.kind == 'f' || b.kind == 'f':
		return &value{kind: 'f'}, nil
	case a.kind == 't':
		return b, nil
	case b.kind == 't':
		return a, nil
	case a.kind != '{' || b.kind != '{':
		return nil, &SchemaError{Path: path, Reason: "expected an object or a boolean"}
	}
	if known, ok := c.merged[[2]*value{a, b}]; ok {
		return known, nil
	}
	if c.depth++; c.depth > maxDepth {
		return nil, &SchemaError{Path: path, Reason: "references go round in a circle"}
	}
	defer func() { c.depth-- }()
	key := [2]*value{a, b}
	for _, side := range []**value{&a, &b} { // a reference is merged as what it refers to
		if ref := (*side).members["$ref"]; ref != nil {
			target, where, err := c.resolve(path, ref)
			if err != nil {
				return nil, err
			}
			rest := without(*side, "$ref")
			if *side, err = c.merge(where, rest, target); err != nil {
				return nil, err
			}
			if (*side).kind != '{' {
				return c.merge(path, a, b)
			}
		}
	}
	if err := checkKeywords(path, b); err != nil {
		return nil, err
	}
	if err := propertiesFit(path, a, b); err != nil {
		return nil, err
	}
	out := without(a, "")
	for _, keyword := range b.keys {
		x, y := a.members[keyword], b.members[keyword]
		if x == nil {
			out.keys = append(out.keys, keyword)
			out.members[keyword] = y
			continue
		}
		joined, err := join(path, keyword, x, y)
		if err != nil {
			return nil, err
		}
		out.members[keyword] = joined
	}
	c.merged[key] = out
	return out, nil
}

// propertiesFit refuses to merge objects where one is closed to properties of the other: "additionalProperties" speaks
// of its own schema's properties only.
func propertiesFit(path string, a, b *value) error {
	for _, pair := range [][2]*value{{a, b}, {b, a}} {
		closed := pair[0].members["additionalProperties"]
		if closed == nil || closed.kind == 't' || pair[1].members["properties"] == nil {
			continue
		}
		for _, name := range pair[1].members["properties"].keys {
			own := pair[0].members["properties"]
			if own == nil || own.members[name] == nil {
				return &SchemaError{path, "additionalProperties", fmt.Sprintf("cannot be merged: another part declares property %q", name)}
			}
		}
	}
	if (a.members["prefixItems"] != nil && b.members["items"] != nil) || (b.members["prefixItems"] != nil && a.members["items"] != nil) {
		return &SchemaError{path, "prefixItems", "cannot be merged with another part's items"}
	}
	return nil
}

// join is the value of a keyword that both parts have.
func join(path, keyword string, x, y *value) (*value, error) {
	smaller := func(sign int) (*value, error) {
		p, errX := parseBound(x.text)
		q, errY := parseBound(y.text)
		if x.kind != '0' || y.kind != '0' || errX != nil || errY != nil {
			return nil, &SchemaError{path, keyword, "expected numbers"}
		}
		if p.Cmp(q)*sign <= 0 {
			return x, nil
		}
		return y, nil
	}
	switch keyword {
	case "minimum", "exclusiveMinimum", "minLength", "minItems":
		return smaller(-1)
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems":
		return smaller(1)
	case "type":
		return commonTypes(path, x, y)
	case "required":
		return &value{kind: '[', items: append(slices.Clone(x.items), y.items...)}, nil
	case "enum":
		return &value{kind: '[', items: keep(slices.Clone(x.items), func(v *value) bool { return slices.ContainsFunc(y.items, v.equal) })}, nil
	case "properties":
		out := without(x, "")
		for _, name := range y.keys {
			if x.members[name] != nil {
				out.members[name] = both(x.members[name], y.members[name])
				continue
			}
			out.keys = append(out.keys, name)
			out.members[name] = y.members[name]
		}
		return out, nil
	case "items", "additionalProperties":
		return both(x, y), nil
	case "allOf":
		return &value{kind: '[', items: append(slices.Clone(x.items), y.items...)}, nil
	}
	if slices.Contains(annotations, keyword) || strings.HasPrefix(keyword, "x-") || x.equal(y) {
		return x, nil
	}
	return nil, &SchemaError{path, keyword, "stands in two parts that apply together, and they cannot be merged"}
}

// both is a schema that asks for two.
func both(x, y *value) *value {
	return &value{kind: '{', keys: []string{"allOf"}, members: map[string]*value{"allOf": {kind: '[', items: []*value{x, y}}}}
}

func commonTypes(path string, x, y *value) (*value, error) {
	wrap := func(v *value) *value { return &value{kind: '{', members: map[string]*value{"type": v}} }
	a, err := schemaTypes(path, wrap(x))
	if err != nil {
		return nil, err
	}
	b, err := schemaTypes(path, wrap(y))
	if err != nil {
		return nil, err
	}
	out := &value{kind: '['}
	for _, t := range a {
		switch {
		case slices.Contains(b, t):
		case t == "integer" && slices.Contains(b, "number"):
		case t == "number" && slices.Contains(b, "integer"):
			t = "integer"
		default:
			continue
		}
		out.items = append(out.items, &value{kind: '"', text: t})
	}
	if len(out.items) == 0 {
		return nil, &SchemaError{path, "type", "the parts have no type in common: no value is valid"}
	}
	return out, nil
}
