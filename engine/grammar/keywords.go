package grammar

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// What the value of a keyword must be.
type shape int

const (
	anyShape shape = iota
	stringShape
	booleanShape
	countShape
	numberShape
	limitShape // a number, or draft 4's boolean
	factorShape
	patternShape
	namesShape
	listShape
	typeShape
	schemaShape
	schemasShape    // a list of schemas, not empty
	schemaMapShape  // by name
	patternMapShape // by pattern
	nameMapShape    // lists of names by name
	itemsShape      // a schema, or the list of drafts before 2020-12
	mixedMapShape   // draft 7's dependencies: a schema or a list of names, by name
)

// keywords are those that decide what is valid, by the type of value that they are about; "" is any.
var keywords = map[string]struct {
	kind  string
	shape shape
}{
	"type": {"", typeShape}, "enum": {"", listShape}, "const": {"", anyShape}, "$ref": {"", stringShape}, "$dynamicRef": {"", stringShape}, "$recursiveRef": {"", stringShape},
	"allOf": {"", schemasShape}, "anyOf": {"", schemasShape}, "oneOf": {"", schemasShape}, "not": {"", schemaShape},
	"if": {"", schemaShape}, "then": {"", schemaShape}, "else": {"", schemaShape},
	"minLength": {"string", countShape}, "maxLength": {"string", countShape}, "pattern": {"string", patternShape}, "format": {"string", stringShape},
	"minimum": {"number", numberShape}, "maximum": {"number", numberShape}, "exclusiveMinimum": {"number", limitShape}, "exclusiveMaximum": {"number", limitShape}, "multipleOf": {"number", factorShape},
	"items": {"array", itemsShape}, "prefixItems": {"array", schemasShape}, "additionalItems": {"array", schemaShape}, "minItems": {"array", countShape}, "maxItems": {"array", countShape},
	"uniqueItems": {"array", booleanShape}, "contains": {"array", schemaShape}, "minContains": {"array", countShape}, "maxContains": {"array", countShape}, "unevaluatedItems": {"array", schemaShape},
	"properties": {"object", schemaMapShape}, "patternProperties": {"object", patternMapShape}, "additionalProperties": {"object", schemaShape}, "propertyNames": {"object", schemaShape},
	"required": {"object", namesShape}, "minProperties": {"object", countShape}, "maxProperties": {"object", countShape}, "unevaluatedProperties": {"object", schemaShape},
	"dependentRequired": {"object", nameMapShape}, "dependentSchemas": {"object", schemaMapShape}, "dependencies": {"object", mixedMapShape},
	// These hold or name schemas, and say nothing by themselves.
	"$defs": {"annotation", schemaMapShape}, "definitions": {"annotation", schemaMapShape}, "$id": {"annotation", stringShape}, "$anchor": {"annotation", stringShape},
	"$dynamicAnchor": {"annotation", stringShape}, "$schema": {"annotation", stringShape}, "nullable": {"annotation", booleanShape}, "contentSchema": {"annotation", schemaShape},
}

// annotations say nothing about what is valid: those of JSON Schema, of OpenAPI and of common generators.
var annotations = []string{"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$comment", "$vocabulary", "$recursiveAnchor", "id",
	"contentMediaType", "contentEncoding", "discriminator", "xml", "externalDocs", "propertyOrdering", "enumNames", "enumDescriptions", "markdownDescription", "errorMessage", "options",
	"displayName", "label", "order", "strict", "name", "summary", "units", "unit", "tsType", "media", "links"}

func isAnnotation(keyword string) bool {
	return slices.Contains(annotations, keyword) || strings.HasPrefix(keyword, "x-")
}

var typeNames = []string{"string", "number", "integer", "boolean", "null", "array", "object"}

// checkShape says what is wrong with the value of a keyword, "" if nothing.
func checkShape(s shape, v *value) string {
	expected := func(what string) string { return fmt.Sprintf("expected %s, found %s", what, v.shown()) }
	each := func(ok func(*value) bool) bool {
		return !slices.ContainsFunc(v.items, func(item *value) bool { return !ok(item) })
	}
	isSchema := func(v *value) bool { return v.kind == '{' || v.kind == 't' || v.kind == 'f' }
	members := func(what string, ok func(*value) bool) string {
		if v.kind != '{' {
			return expected(what)
		}
		for _, name := range v.keys {
			if !ok(v.members[name]) {
				return fmt.Sprintf("expected %s; %q is %s", what, name, v.members[name].shown())
			}
		}
		return ""
	}
	isNames := func(v *value) bool {
		return v.kind == '[' && !slices.ContainsFunc(v.items, func(item *value) bool { return item.kind != '"' })
	}
	switch s {
	case stringShape:
		if v.kind != '"' {
			return expected("a text")
		}
	case booleanShape:
		if v.kind != 't' && v.kind != 'f' {
			return expected("true or false")
		}
	case countShape:
		if v.kind == '0' {
			if x, err := parseBound(v.text); err == nil && x.IsInt() && x.Sign() >= 0 {
				return ""
			}
		}
		return expected("a count")
	case numberShape, factorShape, limitShape:
		if s == limitShape && (v.kind == 't' || v.kind == 'f') {
			return ""
		}
		if v.kind != '0' {
			return expected("a number")
		}
		x, err := parseBound(v.text)
		if err != nil {
			return err.Error()
		}
		if s == factorShape && x.Sign() <= 0 {
			return expected("a number greater than 0")
		}
	case patternShape:
		if v.kind != '"' {
			return expected("a pattern")
		}
		if _, err := parsePattern(v.text, narrow); err != nil {
			return err.Error()
		}
	case namesShape:
		if !isNames(v) {
			return expected("a list of names")
		}
	case listShape:
		if v.kind != '[' {
			return expected("a list of values")
		}
	case typeShape:
		list := []*value{v}
		if v.kind == '[' {
			list = v.items
		}
		if len(list) == 0 {
			return "the list is empty"
		}
		for _, item := range list {
			if item.kind != '"' || !slices.Contains(typeNames, item.text) {
				return fmt.Sprintf("found %s, expected one of %s", item.shown(), strings.Join(typeNames, ", "))
			}
		}
	case schemaShape:
		if !isSchema(v) {
			return expected("a schema, an object or a boolean")
		}
	case itemsShape:
		if !isSchema(v) && !(v.kind == '[' && each(isSchema)) {
			return expected("a schema")
		}
	case schemasShape:
		if v.kind != '[' || len(v.items) == 0 || !each(isSchema) {
			return expected("a list of schemas with at least one")
		}
	case schemaMapShape:
		return members("an object of schemas", isSchema)
	case patternMapShape:
		if v.kind == '{' {
			for _, pattern := range v.keys {
				if _, err := parsePattern(pattern, narrow); err != nil {
					return err.Error()
				}
			}
		}
		return members("an object of schemas", isSchema)
	case nameMapShape:
		return members("an object of lists of names", isNames)
	case mixedMapShape:
		return members("an object of schemas or lists of names", func(v *value) bool { return isSchema(v) || isNames(v) })
	}
	return ""
}

// shown is a value for an error.
func (v *value) shown() string {
	switch v.kind {
	case '{', '[':
		return "an " + v.jsonType()
	case '"':
		if len(v.text) > 60 {
			return fmt.Sprintf("%.60q…", v.text)
		}
		return fmt.Sprintf("%q", v.text)
	}
	return v.text
}

// count is the value of a keyword that counts, missing where there is none. Counts above what can be built are refused by
// the compiler where they are lower bounds.
func (v *value) count(keyword string, missing int) int {
	n := v.members[keyword]
	if n == nil {
		return missing
	}
	x, err := parseBound(n.text)
	if err != nil || !x.Num().IsInt64() || x.Num().Int64() > 1<<40 {
		return 1 << 40
	}
	return int(x.Num().Int64())
}

// number is the value of a keyword that is a number, nil where there is none.
func (v *value) number(keyword string) *big.Rat {
	n := v.members[keyword]
	if n == nil || n.kind != '0' {
		return nil
	}
	x, err := parseBound(n.text)
	if err != nil {
		return nil // checked when the document was read
	}
	return x
}

// limits are the bounds that a schema sets on numbers, in the spelling of any draft.
func (v *value) limits() (low, high bound) {
	for _, k := range []struct {
		plain, exclusive string
		bound            *bound
		sign             int
	}{{"minimum", "exclusiveMinimum", &low, 1}, {"maximum", "exclusiveMaximum", &high, -1}} {
		if x := v.number(k.plain); x != nil {
			e := v.members[k.exclusive]
			k.bound.tighter(x, e != nil && e.kind == 't', k.sign)
		}
		if x := v.number(k.exclusive); x != nil {
			k.bound.tighter(x, true, k.sign)
		}
	}
	return low, high
}

// places are the schemas of an array's first items and of those after them, nil where there is none, in the spelling of any draft.
func (v *value) places() (first []*value, rest *value) {
	items := v.members["items"]
	if items != nil && items.kind == '[' {
		return items.items, v.members["additionalItems"]
	}
	if prefix := v.members["prefixItems"]; prefix != nil {
		first = prefix.items
	}
	return first, items
}

// types are what "type" lists, nil where it is missing; "integer" is left out beside "number".
func (v *value) types() []string {
	t := v.members["type"]
	if t == nil {
		return nil
	}
	list := []*value{t}
	if t.kind == '[' {
		list = t.items
	}
	var names []string
	for _, item := range list {
		names = append(names, item.text)
	}
	if slices.Contains(names, "number") {
		names = slices.DeleteFunc(names, func(n string) bool { return n == "integer" })
	}
	if n := v.members["nullable"]; n != nil && n.kind == 't' && !slices.Contains(names, "null") { // OpenAPI 3.0
		names = append(names, "null")
	}
	return names
}
