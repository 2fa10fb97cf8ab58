package grammar

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// SchemaError names the place and keyword of a schema that Lian cannot promise to keep.
type SchemaError struct {
	Path    string // JSON pointer of the schema, "#" is the whole
	Keyword string // "" where the schema itself is at fault
	Reason  string
}

func (e *SchemaError) Error() string {
	if e.Keyword == "" {
		return fmt.Sprintf("schema %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("schema %s: %q: %s", e.Path, e.Keyword, e.Reason)
}

// CompileSchema compiles a JSON Schema (draft 2020-12, the part named in the package comment). A schema that is not
// understood wholly is an error, usually a *SchemaError.
func CompileSchema(schema []byte) (*Grammar, error) {
	return build("schema", func(b *builder) (int32, error) { return schemaRule(b, schema) })
}

// AnyObject is the language of all JSON objects: what response_format json_object asks for.
func AnyObject() *Grammar {
	g, err := build("JSON object", func(b *builder) (int32, error) { return b.rule(b.anyObject), nil })
	if err != nil {
		panic(err) // no input is involved; the tests build it
	}
	return g
}

// build runs a compiler from its own start rule to the finished grammar.
func build(name string, compile func(b *builder) (int32, error)) (g *Grammar, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case errTooLarge:
			g, err = nil, fmt.Errorf("%s: needs more than %d automaton states; lower its maxLength, maxItems or repeat counts", name, maxStates)
		default:
			panic(e)
		}
	}()
	b := newBuilder()
	start, err := compile(b)
	if err != nil {
		return nil, err
	}
	return b.finish(name, start)
}

// schemaRule compiles a schema within a larger grammar.
func schemaRule(b *builder, schema []byte) (int32, error) {
	root, err := parseValue(schema)
	if err != nil {
		return 0, &SchemaError{Path: "#", Reason: err.Error()}
	}
	c := &compiler{b: b, root: root, rules: map[*value]int32{}, merged: map[[2]*value]*value{}}
	return c.schema("#", root)
}

// compiler turns one schema document into rules.
type compiler struct {
	b      *builder
	root   *value
	rules  map[*value]int32 // by place, so that references may recurse
	merged map[[2]*value]*value
	depth  int
}

// Keywords that say nothing about what is valid.
var annotations = []string{"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly",
	"$schema", "$id", "$comment", "$defs", "definitions", "contentMediaType", "contentEncoding", "nullable"}

// Keywords by the type of value that they are about.
var (
	stringKeywords = []string{"minLength", "maxLength", "pattern", "format"}
	numberKeywords = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
	arrayKeywords  = []string{"items", "prefixItems", "minItems", "maxItems"}
	objectKeywords = []string{"properties", "required", "additionalProperties"}
	otherKeywords  = []string{"type", "enum", "const", "$ref", "allOf", "anyOf", "oneOf"}
	typeNames      = []string{"string", "number", "integer", "boolean", "null", "array", "object"}
)

// schema returns the rule of the values that a schema allows.
func (c *compiler) schema(path string, v *value) (int32, error) {
	if rule, ok := c.rules[v]; ok {
		return rule, nil
	}
	if c.depth++; c.depth > maxDepth {
		return 0, &SchemaError{Path: path, Reason: fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	defer func() { c.depth-- }()
	rule := c.b.state()
	c.rules[v] = rule
	to, err := c.values(path, v, rule)
	if err != nil {
		return 0, err
	}
	c.b.end(to)
	return rule, nil
}

// values reads the values of a schema.
func (c *compiler) values(path string, v *value, from int32) (int32, error) {
	switch v.kind {
	case 't':
		return c.b.any(from), nil
	case 'f':
		return c.b.state(), nil // a state that nothing leads to
	case '{':
	default:
		return 0, &SchemaError{Path: path, Reason: fmt.Sprintf("expected an object or a boolean, found %s", v.jsonType())}
	}
	if err := checkKeywords(path, v); err != nil {
		return 0, err
	}
	for _, combine := range []struct {
		keyword string
		compile func(string, *value, int32) (int32, error)
	}{{"$ref", c.reference}, {"allOf", c.allOf}, {"anyOf", c.anyOf}, {"oneOf", c.oneOf}, {"const", c.enumerated}, {"enum", c.enumerated}} {
		if v.members[combine.keyword] != nil {
			return combine.compile(path, v, from)
		}
	}
	types, err := schemaTypes(path, v)
	if err != nil {
		return 0, err
	}
	if types == nil {
		return c.b.any(from), nil
	}
	to := c.b.state()
	for _, name := range types {
		first := c.b.state()
		c.b.join(from, first)
		last, err := c.typed(path, v, name, first)
		if err != nil {
			return 0, err
		}
		c.b.join(last, to)
	}
	return to, nil
}

// checkKeywords refuses what is not understood, by name.
func checkKeywords(path string, v *value) error {
	known := slices.Concat(annotations, stringKeywords, numberKeywords, arrayKeywords, objectKeywords, otherKeywords)
	for _, key := range v.keys {
		if key == "$id" && path != "#" {
			return &SchemaError{path, key, "a name within the document changes what references mean; remove it"}
		}
		if !slices.Contains(known, key) && !strings.HasPrefix(key, "x-") {
			return &SchemaError{path, key, "this keyword is not supported; remove it, and check it after generation"}
		}
	}
	return nil
}

// schemaTypes returns the types that a schema allows; nil is all. Without "type" they follow from the keywords.
func schemaTypes(path string, v *value) ([]string, error) {
	var types []string
	if t := v.members["type"]; t != nil {
		list := []*value{t}
		if t.kind == '[' {
			list = t.items
		}
		for _, item := range list {
			if item.kind != '"' || !slices.Contains(typeNames, item.text) {
				return nil, &SchemaError{path, "type", fmt.Sprintf("found %s, expected one of %s", item.text, strings.Join(typeNames, ", "))}
			}
			if !slices.Contains(types, item.text) {
				types = append(types, item.text)
			}
		}
		if len(types) == 0 {
			return nil, &SchemaError{path, "type", "the list is empty"}
		}
	} else {
		for _, implied := range []struct {
			name     string
			keywords []string
		}{{"string", stringKeywords}, {"number", numberKeywords}, {"array", arrayKeywords}, {"object", objectKeywords}} {
			if slices.ContainsFunc(implied.keywords, func(k string) bool { return v.members[k] != nil }) {
				types = append(types, implied.name)
			}
		}
	}
	if slices.Contains(types, "number") { // whole numbers are numbers
		types = slices.DeleteFunc(types, func(t string) bool { return t == "integer" })
	}
	return types, nil
}

// typed reads the values of one type.
func (c *compiler) typed(path string, v *value, name string, from int32) (int32, error) {
	switch name {
	case "string":
		return c.stringValue(path, v, from)
	case "integer", "number":
		return c.numeric(path, v, name, from)
	case "array":
		return c.array(path, v, from)
	case "object":
		return c.object(path, v, from)
	case "null":
		return c.b.literal(from, "null"), nil
	}
	return c.b.alternatives(from,
		func(s int32) int32 { return c.b.literal(s, "true") },
		func(s int32) int32 { return c.b.literal(s, "false") }), nil
}

// numeric reads numbers within the schema's bounds.
func (c *compiler) numeric(path string, v *value, name string, from int32) (int32, error) {
	var low, high bound
	for _, k := range []struct {
		keyword string
		bound   *bound
		strict  bool
		sign    int
	}{{"minimum", &low, false, 1}, {"exclusiveMinimum", &low, true, 1}, {"maximum", &high, false, -1}, {"exclusiveMaximum", &high, true, -1}} {
		limit := v.members[k.keyword]
		if limit == nil {
			continue
		}
		if limit.kind != '0' {
			return 0, &SchemaError{path, k.keyword, "expected a number, found " + limit.jsonType()}
		}
		x, err := parseBound(limit.text)
		if err != nil {
			return 0, &SchemaError{path, k.keyword, err.Error()}
		}
		k.bound.tighter(x, k.strict, k.sign)
	}
	switch bounded := low.value != nil || high.value != nil; {
	case name == "integer" && bounded:
		return c.b.integerRange(from, low, high), nil
	case name == "integer":
		return c.b.integer(from), nil
	case bounded:
		to, err := c.b.numberRange(from, low, high)
		if err != nil {
			return 0, &SchemaError{path, "", err.Error()}
		}
		return to, nil
	}
	return c.b.number(from), nil
}

// array reads arrays: fixed places first, then items of one schema.
func (c *compiler) array(path string, v *value, from int32) (int32, error) {
	low, high, err := countRange(path, v, "minItems", "maxItems")
	if err != nil {
		return 0, err
	}
	if v.members["prefixItems"] != nil {
		return c.tuple(path, v, from, low, high)
	}
	item := c.b.ruleAny()
	if s := v.members["items"]; s != nil {
		if item, err = c.schema(path+"/items", s); err != nil {
			return 0, err
		}
	}
	return c.b.list(from, item, low, high), nil
}

// tuple reads arrays whose first places have schemas of their own. Without "items" nothing follows them.
func (c *compiler) tuple(path string, v *value, from int32, low, high int) (int32, error) {
	prefix := v.members["prefixItems"]
	if prefix.kind != '[' {
		return 0, &SchemaError{path, "prefixItems", "expected a list of schemas, found " + prefix.jsonType()}
	}
	if len(prefix.items) < low && v.members["items"] == nil {
		return 0, &SchemaError{path, "minItems", fmt.Sprintf("asks for %d items, but only %d have a schema; add \"items\"", low, len(prefix.items))}
	}
	b := c.b
	end := b.state()
	s := b.literal(from, "[")
	n := 0
	mayEnd := func() {
		if n >= low {
			b.join(s, end)
		}
	}
	mayEnd()
	for i, schema := range prefix.items {
		if high >= 0 && n == high {
			break
		}
		rule, err := c.schema(fmt.Sprintf("%s/prefixItems/%d", path, i), schema)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			s = b.space(b.literal(s, ","))
		}
		s = b.invoke(s, rule)
		n++
		mayEnd()
	}
	if items := v.members["items"]; items != nil && (high < 0 || n < high) && len(prefix.items) > 0 {
		rule, err := c.schema(path+"/items", items)
		if err != nil {
			return 0, err
		}
		further := b.rule(func(from int32) int32 { return b.invoke(b.space(b.literal(from, ",")), rule) })
		rest := -1
		if high >= 0 {
			rest = high - n
		}
		b.join(b.repeat(s, further, max(low-n, 0), rest), end)
	}
	return b.literal(end, "]"), nil
}

// countRange reads a pair of keywords that count; high is -1 where there is no limit.
func countRange(path string, v *value, lowKeyword, highKeyword string) (low, high int, err error) {
	count := func(keyword string, missing int) (int, error) {
		n := v.members[keyword]
		if n == nil {
			return missing, nil
		}
		var x *big.Rat
		if n.kind == '0' {
			x, _ = parseBound(n.text)
		}
		if x == nil || !x.IsInt() || x.Sign() < 0 {
			return 0, &SchemaError{path, keyword, fmt.Sprintf("expected a count, found %s", n.text)}
		}
		if !x.Num().IsInt64() || x.Num().Int64() > maxStates {
			return 0, &SchemaError{path, keyword, fmt.Sprintf("%s is too large; at most %d can be kept while generating", n.text, maxStates)}
		}
		return int(x.Num().Int64()), nil
	}
	if low, err = count(lowKeyword, 0); err != nil {
		return 0, 0, err
	}
	if high, err = count(highKeyword, -1); err != nil {
		return 0, 0, err
	}
	if high >= 0 && high < low {
		return 0, 0, &SchemaError{path, highKeyword, fmt.Sprintf("%d is less than %s %d: no value is valid", high, lowKeyword, low)}
	}
	return low, high, nil
}
