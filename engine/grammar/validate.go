package grammar

import (
	"math/big"
	"slices"
	"unicode/utf8"
)

// spoken is what the schemas have evaluated of a value, for "unevaluated…".
type spoken struct {
	names map[string]bool
	items map[int]bool
	all   bool // all items
}

func (s *spoken) add(o *spoken) {
	for name := range o.names {
		s.name(name)
	}
	for i := range o.items {
		s.item(i)
	}
	s.all = s.all || o.all
}

func (s *spoken) name(name string) {
	if s.names == nil {
		s.names = map[string]bool{}
	}
	s.names[name] = true
}

func (s *spoken) item(i int) {
	if s.items == nil {
		s.items = map[int]bool{}
	}
	s.items[i] = true
}

// valid reports whether a schema allows a value, as the standard has it: in any order of members, with members of other names,
// for any type where none is asked. Formats are asserted. Source: JSON Schema 2020-12.
func (d *document) valid(x, schema *value) (bool, error) {
	return (&validation{d: d}).check(x, schema, &spoken{})
}

type validation struct {
	d     *document
	depth int
	known map[[2]*value]verdict // of values and schemas: references may lead to one schema in many ways
}

type verdict struct {
	ok   bool
	here *spoken
}

func (w *validation) check(x, v *value, seen *spoken) (bool, error) {
	switch v.kind {
	case 't':
		return true, nil
	case 'f':
		return false, nil
	}
	key := [2]*value{x, v}
	if known, ok := w.known[key]; ok {
		if known.ok {
			seen.add(known.here)
		}
		return known.ok, nil
	}
	here := &spoken{}
	ok, err := w.fresh(x, v, here)
	if err != nil {
		return false, err
	}
	if w.known == nil {
		w.known = map[[2]*value]verdict{}
	}
	w.known[key] = verdict{ok, here}
	if ok {
		seen.add(here)
	}
	return ok, nil
}

// fresh checks what is not known yet.
func (w *validation) fresh(x, v *value, here *spoken) (bool, error) {
	if w.depth++; w.depth > 4*maxDepth {
		return false, w.d.fail(v, "$ref", "references go round in a circle")
	}
	defer func() { w.depth-- }()
	if err := w.d.usable(v); err != nil {
		return false, err
	}
	targets, err := w.d.targets(v)
	if err != nil {
		return false, err
	}
	for _, target := range targets {
		if ok, err := w.check(x, target, here); !ok {
			return false, err
		}
	}
	if len(targets) > 0 && !w.d.siblings {
		return true, nil
	}
	kind := x.jsonType()
	if types := v.types(); types != nil && !slices.Contains(types, kind) && !(kind == "integer" && slices.Contains(types, "number")) {
		return false, nil
	}
	if list := v.members["enum"]; list != nil && !w.d.lists(list, x) {
		return false, nil
	}
	if only := v.members["const"]; only != nil && !only.equal(x) {
		return false, nil
	}
	if ok, err := w.combined(x, v, here); !ok {
		return false, err
	}
	ok := true
	switch x.kind {
	case '"':
		ok, err = w.text(x, v)
	case '0':
		ok = w.number(x, v)
	case '[':
		ok, err = w.items(x, v, here)
	case '{':
		ok, err = w.members(x, v, here)
	case 'n', 't', 'f':
		if s := v.members[shareOf]; s != nil {
			s := s.share()
			ok = map[byte]int{'n': 0, 't': 1, 'f': 2}[x.kind]%s.of == s.place
		}
	}
	return ok, err
}

// lists reports whether a list of values has one; of long lists the values are looked up.
func (d *document) lists(list, x *value) bool {
	if len(list.items) < 16 {
		return slices.ContainsFunc(list.items, x.equal)
	}
	index, ok := d.listed[list]
	if !ok {
		index = map[string]bool{}
		for _, item := range list.items {
			index[item.canonical()] = true
		}
		d.listed[list] = index
	}
	return index[x.canonical()]
}

// canonical is equal for equal values.
func (v *value) canonical() string {
	switch v.kind {
	case '"':
		return quote(v.text)
	case '0':
		if x, err := parseBound(v.text); err == nil {
			return x.RatString()
		}
	case '[':
		out := "["
		for _, item := range v.items {
			out += item.canonical() + ","
		}
		return out + "]"
	case '{':
		out := "{"
		for _, name := range slices.Sorted(slices.Values(v.keys)) {
			out += quote(name) + ":" + v.members[name].canonical() + ","
		}
		return out + "}"
	}
	return v.text
}

// combined checks what holds for values of any type.
func (w *validation) combined(x, v *value, here *spoken) (bool, error) {
	if all := v.members["allOf"]; all != nil {
		for _, part := range all.items {
			if ok, err := w.check(x, part, here); !ok {
				return false, err
			}
		}
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		list := v.members[keyword]
		if list == nil {
			continue
		}
		n := 0
		for _, part := range list.items {
			ok, err := w.check(x, part, here)
			if err != nil {
				return false, err
			}
			if ok {
				n++
			}
		}
		if n == 0 || keyword == "oneOf" && n > 1 {
			return false, nil
		}
	}
	if not := v.members["not"]; not != nil {
		if ok, err := w.check(x, not, &spoken{}); ok || err != nil {
			return false, err
		}
	}
	if condition := v.members["if"]; condition != nil {
		met, err := w.check(x, condition, here)
		if err != nil {
			return false, err
		}
		keyword := "else"
		if met {
			keyword = "then"
		}
		if next := v.members[keyword]; next != nil {
			return w.check(x, next, here)
		}
	}
	return true, nil
}

func (w *validation) text(x, v *value) (bool, error) {
	n := utf8.RuneCountInString(x.text)
	if n < v.count("minLength", 0) || v.members["maxLength"] != nil && n > v.count("maxLength", 0) {
		return false, nil
	}
	for _, keyword := range []string{"pattern", "format", internal + "pattern"} {
		p := v.members[keyword]
		if p == nil {
			continue
		}
		text, known := p.text, true
		if keyword == "format" {
			if text, known = formats[p.text]; !known {
				_, err := w.d.algebra.pattern(patternDemand{v: v, keyword: keyword, text: p.text}, exact)
				return false, w.d.fail(v, keyword, "%v", err)
			}
		}
		ok, err := w.d.matches(v, text, x.text)
		if err != nil || ok == (keyword == internal+"pattern") {
			return false, err
		}
	}
	list := v.members[excluding]
	return list == nil || !slices.ContainsFunc(list.items, x.equal), nil
}

// matches reports whether a pattern matches within a text.
func (d *document) matches(v *value, pattern, text string) (bool, error) {
	t, known := d.patterns[pattern]
	if !known {
		l, err := d.algebra.pattern(patternDemand{keyword: "pattern", text: pattern}, exact)
		if err == nil {
			t, err = d.algebra.automaton(l)
		}
		if err != nil {
			return false, d.fail(v, "pattern", "%v", err)
		}
		d.patterns[pattern] = t
	}
	return t.has(text), nil
}

func (w *validation) number(x, v *value) bool {
	value, err := parseBound(x.text)
	if err != nil {
		return false
	}
	low, high := v.limits()
	if low.value != nil {
		if c := value.Cmp(low.value); c < 0 || c == 0 && low.strict {
			return false
		}
	}
	if high.value != nil {
		if c := value.Cmp(high.value); c > 0 || c == 0 && high.strict {
			return false
		}
	}
	for _, keyword := range []string{"multipleOf", internal + "multipleOf"} {
		if m := v.number(keyword); m != nil && new(big.Rat).Quo(value, m).IsInt() == (keyword != "multipleOf") {
			return false
		}
	}
	if v.members[brokenOnly] != nil && value.IsInt() {
		return false
	}
	list := v.members[excluding]
	return list == nil || !slices.ContainsFunc(list.items, x.equal)
}

func (w *validation) items(x, v *value, here *spoken) (bool, error) {
	n := len(x.items)
	if n < v.count("minItems", 0) || v.members["maxItems"] != nil && n > v.count("maxItems", 0) {
		return false, nil
	}
	if u := v.members["uniqueItems"]; u != nil && u.kind == 't' {
		for i, item := range x.items {
			if slices.ContainsFunc(x.items[:i], item.equal) {
				return false, nil
			}
		}
	}
	first, rest := v.places()
	for i, item := range x.items {
		s := rest
		if i < len(first) {
			s = first[i]
		}
		if s == nil {
			continue
		}
		here.item(i)
		if ok, err := w.check(item, s, &spoken{}); !ok {
			return false, err
		}
	}
	for _, keyword := range []string{"contains", internal + "contains"} {
		s := v.members[keyword]
		if s == nil {
			continue
		}
		found := 0
		for i, item := range x.items {
			ok, err := w.check(item, s, &spoken{})
			if err != nil {
				return false, err
			}
			if ok == (keyword == "contains") {
				found++
				here.item(i)
			}
		}
		if found < v.count("minContains", 1) || v.members["maxContains"] != nil && found > v.count("maxContains", 0) {
			return false, nil
		}
	}
	if u := v.members["unevaluatedItems"]; u != nil {
		for i, item := range x.items {
			if here.all || here.items[i] {
				continue
			}
			if ok, err := w.check(item, u, &spoken{}); !ok {
				return false, err
			}
		}
		here.all = true
	}
	return true, nil
}

func (w *validation) members(x, v *value, here *spoken) (bool, error) {
	n := len(x.keys)
	if n < v.count("minProperties", 0) || v.members["maxProperties"] != nil && n > v.count("maxProperties", 0) {
		return false, nil
	}
	if list := v.members["required"]; list != nil {
		for _, item := range list.items {
			if x.members[item.text] == nil {
				return false, nil
			}
		}
	}
	for _, name := range x.keys {
		if s := v.members["propertyNames"]; s != nil {
			if ok, err := w.check(textOf(name), s, &spoken{}); !ok {
				return false, err
			}
		}
		var schemas []*value
		if s := v.property(name); s != nil {
			schemas = append(schemas, s)
		}
		if patterns := v.members["patternProperties"]; patterns != nil {
			for _, pattern := range patterns.keys {
				ok, err := w.d.matches(v, pattern, name)
				if err != nil {
					return false, err
				}
				if ok {
					schemas = append(schemas, patterns.members[pattern])
				}
			}
		}
		if s := v.members["additionalProperties"]; s != nil && len(schemas) == 0 {
			schemas = append(schemas, s)
		}
		for _, s := range schemas {
			here.name(name)
			if ok, err := w.check(x.members[name], s, &spoken{}); !ok {
				return false, err
			}
		}
	}
	for _, dep := range v.dependencies() {
		if x.members[dep.name] == nil {
			continue
		}
		for _, need := range dep.needs {
			if x.members[need] == nil {
				return false, nil
			}
		}
		if dep.schema != nil {
			if ok, err := w.check(x, dep.schema, here); !ok {
				return false, err
			}
		}
	}
	if u := v.members["unevaluatedProperties"]; u != nil {
		for _, name := range x.keys {
			if here.names[name] {
				continue
			}
			if ok, err := w.check(x.members[name], u, &spoken{}); !ok {
				return false, err
			}
			here.name(name)
		}
	}
	return true, nil
}

// Validates reports whether text is JSON that the schema allows, in any layout and order, beyond the form in which the grammar
// generates it. It is false for grammars that were not compiled from a schema.
func (g *Grammar) Validates(text string) bool {
	if g.schema == nil {
		return false
	}
	x, err := parseValue([]byte(text))
	if err != nil {
		return false
	}
	g.mu.Lock() // the patterns are worked out when first asked for
	defer g.mu.Unlock()
	ok, err := g.schema.valid(x, g.schema.root)
	return ok && err == nil
}
