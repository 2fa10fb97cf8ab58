package grammar

import (
	"fmt"
	"slices"
	"strings"
)

// term is schemas that apply together: the value must be valid for all that are plain and for none that are negated. Every
// place of a schema is compiled as the term that holds there, so equal terms are one rule and references may recurse.
type term []literal

type literal struct {
	v   *value
	not bool
}

// internal begins the keywords of schemas that the compiler itself makes.
const internal = "\x00"

const (
	quietly    = internal + "quiet"    // its properties do not count as declared
	brokenOnly = internal + "broken"   // no whole numbers
	excluding  = internal + "excluded" // none of these strings and numbers
	shareOf    = internal + "share"    // [place, of]
)

// demand is what a term asks of values of one type, where all choices that "anyOf" and its relatives leave have been made: a
// term is the union of its demands. Source of the idea: disjunctive normal form.
type demand struct {
	kind    string
	origin  term
	touched bool     // something is asked of this type
	values  []*value // one of these; nil is no list
	listed  bool

	text    textDemand
	number  numeric
	array   arrayDemand
	object  objectDemand
	choices []choice // not made yet
	met     map[literal]bool
	scopes  []scope // of unevaluated…
}

type textDemand struct {
	low, high int // code points; high < 0 is no limit
	patterns  []patternDemand
	excluded  []string
	share     *share
}

type patternDemand struct {
	v       *value // the schema that says so
	keyword string
	text    string
	not     bool
}

type arrayDemand struct {
	low, high int
	groups    []group
	contains  []containsDemand
	unique    bool
	share     *share
}

type containsDemand struct {
	item      literal
	low, high int
}

type objectDemand struct {
	low, high int
	groups    []group
	required  []string
	names     term
	share     *share
}

// group is what one schema says about the members or items of a value.
type group struct {
	v      *value // whose properties, patternProperties and additionalProperties
	first  []*value
	rest   *value
	scopes []*value
	quiet  bool
	all    bool // speaks of all members or items
}

// scope is a schema whose unevaluated… waits for what the schemas within it have spoken of.
type scope struct{ owner, schema *value }

// pending is a literal that a demand has yet to meet.
type pending struct {
	literal
	scopes []*value // owners of unevaluated… that see what it evaluates
	chain  *chain   // the schemas through which it was reached
}

type chain struct {
	literal
	up *chain
}

// choice is alternatives of which one must hold.
type choice []alternative

type alternative struct {
	list []pending
	// asks is the property that the alternative asks for, absent one that it forbids: where a property may be absent, it
	// is not made up only to be wrong.
	asks, absent string
}

// Bounds of the unfolding of one schema.
const (
	maxDemands  = 2000
	maxUnfolded = 200_000
)

// expand lists the demands of a term for a type.
func (c *compiler) expand(kind string, t term) ([]*demand, error) {
	d := &demand{kind: kind, origin: t, met: map[literal]bool{}}
	d.text.high, d.array.high, d.object.high = -1, -1, -1
	var todo []pending
	for _, l := range t {
		todo = append(todo, pending{literal: l})
	}
	var out []*demand
	err := c.grow(d, todo, &out)
	return out, err
}

func (c *compiler) grow(d *demand, todo []pending, out *[]*demand) error {
	for len(todo) > 0 {
		next := max(slices.IndexFunc(todo, func(p pending) bool { return !p.not }), 0) // what must hold first: it says which ways there are to fail
		p := todo[next]
		todo = slices.Delete(slices.Clone(todo), next, next+1)
		for up := p.chain; up != nil; up = up.up {
			if up.literal == p.literal {
				return c.doc.fail(p.v, "", "refers to itself before any text is read")
			}
		}
		if len(p.scopes) == 0 {
			if d.met[p.literal] {
				continue
			}
			d.met[p.literal] = true
		}
		if c.unfolded++; c.unfolded > maxUnfolded {
			return c.doc.fail(p.v, "", "its combinations of anyOf, oneOf, not and if are too many")
		}
		var more []pending
		var possible bool
		var err error
		if p.not {
			more, possible, err = c.refuse(d, p)
		} else {
			more, possible, err = c.ask(d, p)
		}
		if err != nil || !possible {
			return err
		}
		todo = append(more, todo...)
	}
	if !d.possible(c) {
		return nil
	}
	if len(d.choices) == 0 {
		if len(*out) >= maxDemands {
			return c.doc.fail(d.origin[0].v, "", "its combinations of anyOf, oneOf, not and if are too many")
		}
		*out = append(*out, d)
		return nil
	}
	next := d.choices[0]
	taken := false
	for _, pass := range []bool{true, false} { // alternatives that make nothing up come first
		for _, a := range next {
			easy := a.asks == "" || d.declares(a.asks)
			if easy != pass || !easy && taken {
				continue
			}
			branch := d.clone()
			branch.choices = branch.choices[1:]
			before := len(*out)
			if err := c.grow(branch, a.list, out); err != nil {
				return err
			}
			taken = taken || len(*out) > before
		}
	}
	return nil
}

func (d *demand) clone() *demand {
	e := *d
	e.met = make(map[literal]bool, len(d.met)+8)
	for l := range d.met {
		e.met[l] = true
	}
	e.choices = slices.Clip(d.choices)
	e.values = slices.Clip(d.values)
	e.scopes = slices.Clip(d.scopes)
	e.text.patterns, e.text.excluded = slices.Clip(d.text.patterns), slices.Clip(d.text.excluded)
	e.number.multiples, e.number.notMultiples, e.number.excluded = slices.Clip(d.number.multiples), slices.Clip(d.number.notMultiples), slices.Clip(d.number.excluded)
	e.array.groups, e.array.contains = slices.Clip(d.array.groups), slices.Clip(d.array.contains)
	e.object.groups, e.object.required, e.object.names = slices.Clip(d.object.groups), slices.Clip(d.object.required), slices.Clip(d.object.names)
	return &e
}

// ask adds what a schema asks. Not possible: no value of this type satisfies it.
func (c *compiler) ask(d *demand, p pending) (more []pending, possible bool, err error) {
	v := p.v
	switch v.kind {
	case 't':
		return nil, true, nil
	case 'f':
		return nil, false, nil
	}
	if err := c.doc.usable(v); err != nil {
		return nil, false, err
	}
	up := &chain{p.literal, p.chain}
	sub := func(v *value, not bool) pending {
		if not {
			return pending{literal{v, true}, nil, up}
		}
		return pending{literal{v, false}, p.scopes, up}
	}
	targets, err := c.doc.targets(v)
	if err != nil {
		return nil, false, err
	}
	if len(targets) > 0 && !c.doc.siblings {
		return []pending{sub(targets[0], false)}, true, nil
	}
	if types := v.types(); types != nil {
		c.typed = true
		whole := d.kind == "number" && slices.Contains(types, "integer")
		if !slices.Contains(types, d.kind) && !whole {
			return nil, false, nil
		}
		d.number.integer = d.number.integer || whole
	}
	for _, keyword := range []string{"enum", "const"} {
		list := v.members[keyword]
		if list == nil {
			continue
		}
		c.typed = true
		values := []*value{list}
		if keyword == "enum" {
			values = list.items
		}
		if !d.listed || len(values) < len(d.values) {
			d.values, d.listed = values, true
		}
	}
	if u := v.members["unevaluatedProperties"]; u != nil && d.kind == "object" {
		p.scopes = append(slices.Clip(p.scopes), v)
		d.scopes = append(d.scopes, scope{v, u})
		d.touched = true
	}
	if u := v.members["unevaluatedItems"]; u != nil && d.kind == "array" {
		p.scopes = append(slices.Clip(p.scopes), v)
		d.scopes = append(d.scopes, scope{v, u})
		d.touched = true
	}
	c.askKind(d, v, p.scopes)
	for _, target := range targets {
		more = append(more, sub(target, false))
	}
	if all := v.members["allOf"]; all != nil {
		for _, part := range all.items {
			more = append(more, sub(part, false))
		}
	}
	if not := v.members["not"]; not != nil {
		more = append(more, sub(not, true))
	}
	if list := v.members["anyOf"]; list != nil {
		var next choice
		for _, part := range list.items {
			next = append(next, alternative{list: []pending{sub(part, false)}})
		}
		d.choices = append(d.choices, next)
	}
	if list := v.members["oneOf"]; list != nil {
		var next choice
		for i, part := range list.items {
			a := alternative{list: []pending{sub(part, false)}}
			for j, other := range list.items {
				if i != j && !c.never(part, other) {
					a.list = append(a.list, sub(other, true))
				}
			}
			next = append(next, a)
		}
		d.choices = append(d.choices, next)
	}
	if condition := v.members["if"]; condition != nil {
		with, without := alternative{list: []pending{sub(condition, false)}}, alternative{list: []pending{sub(condition, true)}}
		if then := v.members["then"]; then != nil {
			with.list = append(with.list, sub(then, false))
		}
		if otherwise := v.members["else"]; otherwise != nil {
			without.list = append(without.list, sub(otherwise, false))
		}
		if len(with.list)+len(without.list) > 2 {
			d.choices = append(d.choices, choice{with, without})
		}
	}
	if d.kind == "object" {
		for _, dep := range v.dependencies() {
			with := alternative{list: []pending{sub(c.made(v, "required "+dep.name, func() *value { return requiring(dep.name) }), false)}, asks: dep.name}
			if dep.schema != nil {
				with.list = append(with.list, sub(dep.schema, false))
			} else {
				with.list = append(with.list, sub(c.made(v, "dependent "+dep.name, func() *value { return requiring(dep.needs...) }), false))
			}
			without := alternative{list: []pending{sub(c.made(v, "absent "+dep.name, func() *value { return forbidding(dep.name) }), false)}, absent: dep.name}
			d.choices = append(d.choices, choice{without, with})
			d.touched = true
		}
	}
	return more, true, nil
}

// askKind adds what the keywords of the demand's type ask.
func (c *compiler) askKind(d *demand, v *value, scopes []*value) {
	for keyword := range v.members {
		if known, ok := keywords[keyword]; ok && known.kind == d.kind {
			d.touched = true
		}
	}
	quiet := v.members[quietly] != nil
	switch d.kind {
	case "string":
		d.text.low = max(d.text.low, v.count("minLength", 0))
		d.text.high = lower(d.text.high, v.count("maxLength", -1))
		for _, keyword := range []string{"pattern", "format"} {
			if p := v.members[keyword]; p != nil {
				d.text.patterns = append(d.text.patterns, patternDemand{v, keyword, p.text, false})
			}
		}
		if p := v.members[internal+"pattern"]; p != nil {
			d.text.patterns = append(d.text.patterns, patternDemand{v, "pattern", p.text, true})
		}
		if list := v.members[excluding]; list != nil {
			for _, item := range list.items {
				if item.kind == '"' {
					d.text.excluded = append(d.text.excluded, item.text)
				}
			}
		}
		if s := v.members[shareOf]; s != nil {
			d.text.share = s.share()
		}
	case "number":
		low, high := v.limits()
		if low.value != nil {
			d.number.low.tighter(low.value, low.strict, 1)
		}
		if high.value != nil {
			d.number.high.tighter(high.value, high.strict, -1)
		}
		if m := v.number("multipleOf"); m != nil {
			d.number.multiples = append(d.number.multiples, m)
		}
		if m := v.number(internal + "multipleOf"); m != nil {
			d.number.notMultiples = append(d.number.notMultiples, m)
		}
		d.number.broken = d.number.broken || v.members[brokenOnly] != nil
		if list := v.members[excluding]; list != nil {
			for _, item := range list.items {
				if item.kind == '0' {
					if x, err := parseBound(item.text); err == nil {
						d.number.excluded = append(d.number.excluded, x)
					}
				}
			}
		}
		if s := v.members[shareOf]; s != nil {
			d.number.share = s.share()
		}
	case "array":
		d.array.low = max(d.array.low, v.count("minItems", 0))
		d.array.high = lower(d.array.high, v.count("maxItems", -1))
		if first, rest := v.places(); len(first) > 0 || rest != nil {
			d.array.groups = append(d.array.groups, group{v: v, first: first, rest: rest, scopes: scopes, quiet: quiet, all: rest != nil})
		}
		if u := v.members["uniqueItems"]; u != nil && u.kind == 't' {
			d.array.unique = true
		}
		if item := v.members["contains"]; item != nil {
			d.array.contains = append(d.array.contains, containsDemand{literal{item, false}, v.count("minContains", 1), v.count("maxContains", -1)})
		}
		if s := v.members[shareOf]; s != nil {
			d.array.share = s.share()
		}
		if item := v.members[internal+"contains"]; item != nil { // one that is not valid
			d.array.contains = append(d.array.contains, containsDemand{literal{item, true}, 1, -1})
		}
	case "object":
		d.object.low = max(d.object.low, v.count("minProperties", 0))
		d.object.high = lower(d.object.high, v.count("maxProperties", -1))
		if v.members["properties"] != nil || v.members["patternProperties"] != nil || v.members["additionalProperties"] != nil {
			d.object.groups = append(d.object.groups, group{v: v, rest: v.members["additionalProperties"], scopes: scopes, quiet: quiet, all: v.members["additionalProperties"] != nil})
		}
		if list := v.members["required"]; list != nil {
			for _, item := range list.items {
				if !slices.Contains(d.object.required, item.text) {
					d.object.required = append(d.object.required, item.text)
				}
			}
		}
		if s := v.members[shareOf]; s != nil {
			d.object.share = s.share()
		}
		if names := v.members["propertyNames"]; names != nil {
			d.object.names = append(d.object.names, literal{names, false})
		}
	}
}

// lower is the smaller of two upper limits, negative ones being none.
func lower(a, b int) int {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

func (v *value) share() *share {
	place, _ := parseBound(v.items[0].text)
	of, _ := parseBound(v.items[1].text)
	return &share{int(place.Num().Int64()), int(of.Num().Int64())}
}

// declares reports whether a property is spoken of by a schema that the author wrote for values that match it.
func (d *demand) declares(name string) bool {
	if slices.Contains(d.object.required, name) {
		return true
	}
	return slices.ContainsFunc(d.object.groups, func(g group) bool {
		return !g.quiet && g.v.property(name) != nil
	})
}

// property is the schema of a declared property.
func (v *value) property(name string) *value {
	if p := v.members["properties"]; p != nil {
		return p.members[name]
	}
	return nil
}

// possible is false where it is plain that nothing satisfies the demand.
func (d *demand) possible(c *compiler) bool {
	over := func(low, high int) bool { return high >= 0 && low > high }
	switch d.kind {
	case "string":
		return !over(d.text.low, d.text.high)
	case "array":
		return !over(d.array.low, d.array.high)
	case "object":
		if over(max(d.object.low, len(d.object.required)), d.object.high) {
			return false
		}
		for _, name := range d.object.required {
			for _, g := range d.object.groups {
				if s := g.v.property(name); s != nil && s.kind == 'f' {
					return false
				}
			}
		}
	case "number":
		if d.number.integer && d.number.broken {
			return false
		}
		low, high := d.number.low, d.number.high
		if low.value != nil && high.value != nil {
			order := low.value.Cmp(high.value)
			return order < 0 || order == 0 && !low.strict && !high.strict
		}
	}
	return true
}

// dependency is what the presence of a property asks: a schema or further properties.
type dependency struct {
	name   string
	schema *value
	needs  []string
}

func (v *value) dependencies() []dependency {
	var list []dependency
	for _, keyword := range []string{"dependentRequired", "dependentSchemas", "dependencies"} {
		m := v.members[keyword]
		if m == nil {
			continue
		}
		for _, name := range m.keys {
			dep := dependency{name: name}
			if what := m.members[name]; what.kind == '[' {
				for _, item := range what.items {
					dep.needs = append(dep.needs, item.text)
				}
				if len(dep.needs) == 0 {
					continue
				}
			} else {
				dep.schema = what
			}
			list = append(list, dep)
		}
	}
	return list
}

// made is a schema of the compiler's own, one for each use, so that equal terms stay equal.
func (c *compiler) made(of *value, use string, make func() *value) *value {
	key := madeKey{of, use}
	if v, ok := c.own[key]; ok {
		return v
	}
	v := make()
	c.own[key] = v
	c.doc.sites[v] = c.doc.sites[of]
	return v
}

type madeKey struct {
	of  *value
	use string
}

// Schemas of the compiler's own.
func schemaOf(pairs ...any) *value {
	v := &value{kind: '{', members: map[string]*value{quietly: {kind: 't'}}, keys: []string{quietly}}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		v.keys = append(v.keys, name)
		v.members[name] = pairs[i+1].(*value)
	}
	return v
}

func objectOf(name string, v *value) *value {
	return &value{kind: '{', keys: []string{name}, members: map[string]*value{name: v}}
}

func listOf(items ...*value) *value { return &value{kind: '[', items: items} }
func textOf(text string) *value     { return &value{kind: '"', text: text} }
func numberOf(n int) *value         { return &value{kind: '0', text: fmt.Sprint(n)} }

func requiring(names ...string) *value {
	var list []*value
	for _, name := range names {
		list = append(list, textOf(name))
	}
	return schemaOf("required", listOf(list...))
}

func forbidding(name string) *value {
	return schemaOf("properties", objectOf(name, &value{kind: 'f'}))
}

// key names a term.
func (c *compiler) key(t term) string {
	var parts []string
	for _, l := range t {
		id, ok := c.ids[l.v]
		if !ok {
			id = len(c.ids)
			c.ids[l.v] = id
		}
		sign := "+"
		if l.not {
			sign = "-"
		}
		parts = append(parts, fmt.Sprint(sign, id))
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), "")
}
