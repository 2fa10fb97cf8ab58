package grammar

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// errNothing is what finish reports where no text is of the language.
var errNothing = errors.New("no finite text satisfies it")

// contradiction finds why no value satisfies a schema: the first place with keywords that contradict each other.
func (d *document) contradiction() error {
	sites := slices.SortedFunc(maps.Keys(d.sites), func(a, b *value) int { return strings.Compare(d.path(a), d.path(b)) })
	for _, v := range sites {
		if v.kind != '{' {
			continue
		}
		if keyword, reason := d.contradicts(v); reason != "" {
			return d.fail(v, keyword, "%s: no value is valid", reason)
		}
	}
	return nil
}

func (d *document) contradicts(v *value) (keyword, reason string) {
	for _, pair := range [][2]string{{"minLength", "maxLength"}, {"minItems", "maxItems"}, {"minProperties", "maxProperties"}, {"minContains", "maxContains"}} {
		if low := v.count(pair[0], 0); v.members[pair[1]] != nil && v.count(pair[1], 0) < low {
			return pair[1], fmt.Sprintf("%d is less than %s %d", v.count(pair[1], 0), pair[0], low)
		}
	}
	if low, high := v.limits(); low.value != nil && high.value != nil {
		if order := low.value.Cmp(high.value); order > 0 || order == 0 && (low.strict || high.strict) {
			return "maximum", fmt.Sprintf("there is no number between %s and %s", low.value.FloatString(2), high.value.FloatString(2))
		}
	}
	if list := v.members["required"]; list != nil {
		closed := v.members["additionalProperties"]
		for _, item := range list.items {
			s := v.property(item.text)
			if s == nil && closed != nil && closed.kind == 'f' && v.members["patternProperties"] == nil {
				return "required", fmt.Sprintf("property %q is required, but not among the properties, and others are not allowed", item.text)
			}
			if s != nil && s.kind == 'f' {
				return "required", fmt.Sprintf("property %q is required, but its schema is false", item.text)
			}
		}
	}
	for _, keyword := range []string{"enum", "const"} {
		list := v.listed()
		if v.members[keyword] == nil || slices.ContainsFunc(list, func(x *value) bool { ok, err := d.valid(x, v); return ok || err != nil }) {
			continue
		}
		typed := func(x *value) bool {
			types := v.types()
			return types == nil || slices.Contains(types, x.jsonType()) || x.jsonType() == "integer" && slices.Contains(types, "number")
		}
		switch {
		case len(list) == 0:
			return keyword, "the list is empty"
		case !slices.ContainsFunc(list, typed):
			return keyword, "no listed value is of the type asked"
		}
		return keyword, "what is listed is not valid for the keywords beside it"
	}
	isFalse := func(v *value) bool { return v.kind == 'f' }
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		if list := v.members[keyword]; list != nil {
			no := len(keep(slices.Clone(list.items), isFalse))
			if no == len(list.items) || no > 0 && keyword == "allOf" {
				return keyword, "false among its schemas"
			}
		}
	}
	if item := v.members["contains"]; item != nil && isFalse(item) && v.count("minContains", 1) > 0 {
		return "contains", "its schema is false"
	}
	if not := v.members["not"]; not != nil && (not.kind == 't' || not.kind == '{' && !slices.ContainsFunc(not.keys, func(k string) bool { return !isAnnotation(k) })) {
		return "not", "it excludes everything"
	}
	if p := v.members["pattern"]; p != nil {
		a := newAlgebra()
		if l, err := a.pattern(patternDemand{v: v, keyword: "pattern", text: p.text}, narrow); err == nil {
			limits := a.repeat(a.any, min(v.count("minLength", 0), maxAutomaton), v.count("maxLength", -1))
			if t, err := a.automaton(a.intersect(l, limits)); err == nil && t == nil {
				return "pattern", "no text of the length asked matches it"
			}
		}
	}
	if u := v.members["uniqueItems"]; u != nil && u.kind == 't' && v.count("minItems", 0) > 1 {
		return "uniqueItems", fmt.Sprintf("so many different items cannot be promised (minItems %d)", v.count("minItems", 0))
	}
	return "", ""
}
