package grammar

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// reference reads what another place of the document describes.
func (c *compiler) reference(path string, v *value, from int32) (int32, error) {
	target, where, err := c.resolve(path, v.members["$ref"])
	if err != nil {
		return 0, err
	}
	if rest := without(v, "$ref"); constrains(rest) {
		both, err := c.merge(path, rest, target)
		if err != nil {
			return 0, err
		}
		return c.through(path, both, from)
	}
	return c.through(where, target, from)
}

// through reads one text of a schema's rule.
func (c *compiler) through(path string, v *value, from int32) (int32, error) {
	rule, err := c.schema(path, v)
	if err != nil {
		return 0, err
	}
	return c.b.invoke(from, rule), nil
}

// resolve finds the place that a local reference names.
func (c *compiler) resolve(path string, ref *value) (*value, string, error) {
	fail := func(reason string) (*value, string, error) {
		return nil, "", &SchemaError{path, "$ref", fmt.Sprintf("%s: %s", ref.text, reason)}
	}
	if ref.kind != '"' {
		return fail("expected a text")
	}
	if ref.text != "#" && !strings.HasPrefix(ref.text, "#/") {
		return fail("only references within the document (#, #/$defs/NAME) are supported")
	}
	pointer, err := url.PathUnescape(strings.TrimPrefix(ref.text, "#"))
	if err != nil {
		return fail(err.Error())
	}
	at := c.root
	for _, token := range strings.Split(pointer, "/")[min(1, len(pointer)):] {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		if pointer == "" {
			break
		}
		switch at.kind {
		case '{':
			at = at.members[token]
		case '[':
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at.items) {
				return fail("there is no such place")
			}
			at = at.items[i]
		default:
			at = nil
		}
		if at == nil {
			return fail("there is no such place")
		}
	}
	return at, ref.text, nil
}

// allOf merges the parts and what stands beside them into one schema.
func (c *compiler) allOf(path string, v *value, from int32) (int32, error) {
	parts, err := branches(path, v, "allOf")
	if err != nil {
		return 0, err
	}
	all := without(v, "allOf")
	if !constrains(all) {
		all, parts = parts[0], parts[1:]
	}
	for _, part := range parts {
		if all, err = c.merge(path, all, part); err != nil {
			return 0, err
		}
	}
	return c.through(path+"/allOf", all, from)
}

// anyOf reads what any branch allows, each together with what stands beside.
func (c *compiler) anyOf(path string, v *value, from int32) (int32, error) {
	list, err := c.distributed(path, v, "anyOf")
	if err != nil {
		return 0, err
	}
	to := c.b.state()
	for i, branch := range list {
		rule, err := c.schema(fmt.Sprintf("%s/anyOf/%d", path, i), branch)
		if err != nil {
			return 0, err
		}
		c.b.invokeTo(from, rule, to)
	}
	return to, nil
}

// oneOf is anyOf where no value can be of two branches; where that is not plain to see it is refused.
func (c *compiler) oneOf(path string, v *value, from int32) (int32, error) {
	list, err := c.distributed(path, v, "oneOf")
	if err != nil {
		return 0, err
	}
	to := c.b.state()
	for i, branch := range list {
		for j, other := range list {
			if i != j && !c.never(branch, other) {
				return 0, &SchemaError{path, "oneOf", fmt.Sprintf("branches %d and %d may both match one value; use anyOf, or give each a required property with its own const", min(i, j), max(i, j))}
			}
		}
		rule, err := c.schema(fmt.Sprintf("%s/oneOf/%d", path, i), branch)
		if err != nil {
			return 0, err
		}
		c.b.invokeTo(from, rule, to)
	}
	return to, nil
}

// distributed returns the branches, each merged with the keywords beside them.
func (c *compiler) distributed(path string, v *value, keyword string) ([]*value, error) {
	list, err := branches(path, v, keyword)
	if err != nil {
		return nil, err
	}
	rest := without(v, keyword)
	if !constrains(rest) {
		return list, nil
	}
	var merged []*value
	for _, branch := range list {
		both, err := c.merge(path, rest, branch)
		if err != nil {
			return nil, err
		}
		merged = append(merged, both)
	}
	return merged, nil
}

func branches(path string, v *value, keyword string) ([]*value, error) {
	list := v.members[keyword]
	if list.kind != '[' || len(list.items) == 0 {
		return nil, &SchemaError{path, keyword, "expected a list of schemas with at least one"}
	}
	return list.items, nil
}

// enumerated reads the listed values of the schema's type.
func (c *compiler) enumerated(path string, v *value, from int32) (int32, error) {
	list, err := listed(path, v)
	if err != nil {
		return 0, err
	}
	for _, key := range v.keys {
		if key != "enum" && key != "const" && key != "type" && !slices.Contains(annotations, key) && !strings.HasPrefix(key, "x-") {
			return 0, &SchemaError{path, key, "not supported beside enum or const; list the values that are left"}
		}
	}
	types, err := schemaTypes(path, v)
	if err != nil {
		return 0, err
	}
	to := c.b.state()
	found := false
	for _, item := range list {
		if types != nil && !slices.Contains(types, item.jsonType()) && !(item.jsonType() == "integer" && slices.Contains(types, "number")) {
			continue
		}
		found = true
		first := c.b.state()
		c.b.join(from, first)
		c.b.join(c.b.exactly(first, item), to)
	}
	if !found {
		return 0, &SchemaError{path, "enum", "no listed value is of the type asked"}
	}
	return to, nil
}

// listed returns the values of enum and const, those that are in both; nil where there is neither.
func listed(path string, v *value) ([]*value, error) {
	only, list := v.members["const"], v.members["enum"]
	switch {
	case list != nil && list.kind != '[':
		return nil, &SchemaError{path, "enum", "expected a list of values, found " + list.jsonType()}
	case list == nil && only == nil:
		return nil, nil
	case list == nil:
		return []*value{only}, nil
	case only == nil:
		return list.items, nil
	}
	return keep(slices.Clone(list.items), only.equal), nil
}

// never reports whether it is plain that no value generated for a is valid for b.
func (c *compiler) never(a, b *value) bool {
	a, b = c.follow(a), c.follow(b)
	if a == nil || b == nil || a.kind != '{' || b.kind != '{' {
		return a != nil && a.kind == 'f' || b != nil && b.kind == 'f'
	}
	if la, _ := listed("", a); la != nil {
		if lb, _ := listed("", b); lb != nil {
			return !slices.ContainsFunc(la, func(x *value) bool { return slices.ContainsFunc(lb, x.equal) })
		}
	}
	ta, tb := plainTypes(a), plainTypes(b)
	if ta != nil && tb != nil && !slices.ContainsFunc(ta, func(t string) bool {
		return slices.Contains(tb, t) || t == "integer" && slices.Contains(tb, "number") || t == "number" && slices.Contains(tb, "integer")
	}) {
		return true
	}
	if !slices.Equal(ta, []string{"object"}) {
		return false
	}
	return neverObject(c, a, b)
}

// neverObject is never for objects: a property that both require has no common value, or one of the two requires a
// property that the other does not have.
func neverObject(c *compiler, a, b *value) bool {
	requiredA, _ := requiredNames("", a)
	requiredB, _ := requiredNames("", b)
	property := func(v *value, name string) *value {
		if p := v.members["properties"]; p != nil {
			return p.members[name]
		}
		return nil
	}
	closed := func(v *value) bool {
		return v.members["additionalProperties"] != nil && v.members["additionalProperties"].kind == 'f'
	}
	for _, name := range requiredA {
		pa, pb := property(a, name), property(b, name)
		if pb == nil && closed(b) && b.members["properties"] != nil {
			return true
		}
		if pa != nil && pb != nil && c.never(pa, pb) { // b need not require it: a's values always have it
			return true
		}
	}
	for _, name := range requiredB {
		onlyDeclared := closed(a) || a.members["additionalProperties"] == nil && a.members["properties"] != nil
		if property(a, name) == nil && onlyDeclared && !slices.Contains(requiredA, name) {
			return true
		}
	}
	return false
}

// follow resolves a chain of plain references; nil where that is not possible.
func (c *compiler) follow(v *value) *value {
	for range maxDepth {
		if v.kind != '{' || v.members["$ref"] == nil {
			return v
		}
		target, _, err := c.resolve("", v.members["$ref"])
		if err != nil {
			return nil
		}
		v = target
	}
	return nil
}

// plainTypes is the types that a schema's own keywords leave, nil where they leave all.
func plainTypes(v *value) []string {
	if list, _ := listed("", v); list != nil {
		var types []string
		for _, item := range list {
			types = append(types, item.jsonType())
		}
		slices.Sort(types)
		return slices.Compact(types)
	}
	if v.members["type"] == nil {
		return nil // a validator passes other types, whatever the keywords imply
	}
	types, _ := schemaTypes("", v)
	return types
}

// pointerEscape writes a name as a token of a JSON pointer.
func pointerEscape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
