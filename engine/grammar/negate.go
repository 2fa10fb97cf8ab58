package grammar

import (
	"fmt"
	"slices"
	"strconv"
)

// refuse adds that a schema must not hold: one of its keywords fails. What that means for each keyword is written with schemas
// again, De Morgan's way.
func (c *compiler) refuse(d *demand, p pending) (more []pending, possible bool, err error) {
	v := p.v
	switch v.kind {
	case 't':
		return nil, false, nil
	case 'f':
		return nil, true, nil
	}
	if err := c.doc.usable(v); err != nil {
		return nil, false, err
	}
	up := &chain{p.literal, p.chain}
	plain := func(v *value) pending { return pending{literal{v, false}, nil, up} }
	not := func(v *value) pending { return pending{literal{v, true}, nil, up} }
	var next choice
	add := func(list ...pending) { next = append(next, alternative{list: list}) }

	targets, err := c.doc.targets(v)
	if err != nil {
		return nil, false, err
	}
	for _, target := range targets {
		add(not(target))
	}
	if len(targets) == 0 || c.doc.siblings {
		if types := v.types(); types != nil {
			c.typed = true
			if !slices.Contains(types, d.kind) {
				if d.kind != "number" || !slices.Contains(types, "integer") {
					return nil, true, nil // another type: the schema fails by itself
				}
				add(plain(c.made(v, "broken", func() *value { return schemaOf(brokenOnly, &value{kind: 't'}) })))
			}
		}
		if err := c.refuseCombined(v, plain, not, add); err != nil {
			return nil, false, err
		}
		if failing, err := c.refuseValues(d, v, plain, not, add); err != nil || failing {
			return nil, failing, err
		}
		switch d.kind {
		case "string":
			err = c.refuseString(v, plain, add)
		case "number":
			c.refuseNumber(v, plain, add)
		case "array":
			err = c.refuseArray(v, plain, not, add)
		case "object":
			err = c.refuseObject(d, v, plain, not, &next)
		}
		if err != nil {
			return nil, false, err
		}
	}
	switch len(next) {
	case 0:
		return nil, false, nil
	case 1:
		return next[0].list, true, nil
	}
	d.choices = append(d.choices, next)
	return nil, true, nil
}

func (c *compiler) refuseCombined(v *value, plain, not func(*value) pending, add func(...pending)) error {
	if all := v.members["allOf"]; all != nil {
		for _, part := range all.items {
			add(not(part))
		}
	}
	if list := v.members["anyOf"]; list != nil {
		var none []pending
		for _, part := range list.items {
			none = append(none, not(part))
		}
		add(none...)
	}
	if list := v.members["oneOf"]; list != nil {
		var none []pending
		for i, part := range list.items {
			none = append(none, not(part))
			for _, other := range list.items[:i] {
				add(plain(part), plain(other))
			}
		}
		add(none...)
	}
	if s := v.members["not"]; s != nil {
		add(plain(s))
	}
	if condition := v.members["if"]; condition != nil {
		if then := v.members["then"]; then != nil {
			add(plain(condition), not(then))
		}
		if otherwise := v.members["else"]; otherwise != nil {
			add(not(condition), not(otherwise))
		}
	}
	for _, keyword := range []string{"unevaluatedProperties", "unevaluatedItems"} {
		if s := v.members[keyword]; s != nil && s.kind != 't' {
			return c.doc.fail(v, keyword, "not supported within not, oneOf whose branches may both match, and if")
		}
	}
	return nil
}

// refuseValues is for enum and const. failing: no listed value is of the type, so the schema fails by itself.
func (c *compiler) refuseValues(d *demand, v *value, plain, not func(*value) pending, add func(...pending)) (failing bool, err error) {
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
		var same []*value
		for _, x := range values {
			if t := x.jsonType(); t == d.kind || t == "integer" && d.kind == "number" {
				same = append(same, x)
			}
		}
		if len(same) == 0 {
			return true, nil
		}
		if d.kind == "string" || d.kind == "number" {
			add(plain(c.made(v, "excluding "+keyword, func() *value { return schemaOf(excluding, listOf(same...)) })))
			continue
		}
		var all []pending
		for i, x := range same {
			all = append(all, not(c.made(v, fmt.Sprint("equal ", keyword, i), func() *value { return c.equalTo(v, x) })))
		}
		add(all...)
	}
	return false, nil
}

// equalTo is a schema of the value x only, an array or object, without "const".
func (c *compiler) equalTo(of, x *value) *value {
	constant := func(x *value) *value { return c.made(x, "const", func() *value { return schemaOf("const", x) }) }
	if x.kind == '[' {
		var items []*value
		for _, item := range x.items {
			items = append(items, constant(item))
		}
		s := schemaOf("type", textOf("array"), "minItems", numberOf(len(items)), "maxItems", numberOf(len(items)))
		if len(items) > 0 {
			s.keys, s.members["prefixItems"] = append(s.keys, "prefixItems"), listOf(items...)
		}
		return s
	}
	properties := &value{kind: '{', members: map[string]*value{}}
	var names []*value
	for _, name := range x.keys {
		names = append(names, textOf(name))
		properties.keys = append(properties.keys, name)
		properties.members[name] = constant(x.members[name])
	}
	return schemaOf("type", textOf("object"), "required", listOf(names...), "properties", properties, "maxProperties", numberOf(len(names)))
}

func (c *compiler) refuseString(v *value, plain func(*value) pending, add func(...pending)) error {
	c.refuseCount(v, "minLength", "maxLength", plain, add)
	if p := v.members["pattern"]; p != nil {
		add(plain(c.made(v, "no pattern", func() *value { return schemaOf(internal+"pattern", p) })))
	}
	if f := v.members["format"]; f != nil {
		return c.doc.fail(v, "format", "not supported within not, oneOf whose branches may both match, and if: validators differ in whether it says anything there")
	}
	return nil
}

// refuseCount is for a pair of keywords that count.
func (c *compiler) refuseCount(v *value, low, high string, plain func(*value) pending, add func(...pending)) {
	if n := v.count(low, 0); n > 0 {
		add(plain(c.made(v, "below "+low, func() *value { return schemaOf(high, numberOf(n-1)) })))
	}
	if v.members[high] != nil {
		n := v.count(high, 0)
		add(plain(c.made(v, "above "+high, func() *value { return schemaOf(low, numberOf(n+1)) })))
	}
}

func (c *compiler) refuseNumber(v *value, plain func(*value) pending, add func(...pending)) {
	low, high := v.limits()
	for _, k := range []struct {
		bound            bound
		plain, exclusive string
	}{{low, "maximum", "exclusiveMaximum"}, {high, "minimum", "exclusiveMinimum"}} {
		if k.bound.value == nil {
			continue
		}
		keyword := k.exclusive
		if k.bound.strict {
			keyword = k.plain
		}
		add(plain(c.made(v, "beyond "+keyword, func() *value {
			return schemaOf(keyword, &value{kind: '0', text: k.bound.value.FloatString(maxDigits)})
		})))
	}
	if m := v.members["multipleOf"]; m != nil {
		add(plain(c.made(v, "no multiple", func() *value { return schemaOf(internal+"multipleOf", m) })))
	}
}

func (c *compiler) refuseArray(v *value, plain, not func(*value) pending, add func(...pending)) error {
	c.refuseCount(v, "minItems", "maxItems", plain, add)
	first, rest := v.places()
	for i, item := range first {
		if item.kind == 't' {
			continue
		}
		add(plain(c.made(v, "place "+strconv.Itoa(i), func() *value {
			var items []*value
			for range i {
				items = append(items, &value{kind: 't'})
			}
			items = append(items, schemaOf("not", item))
			return schemaOf("prefixItems", listOf(items...), "minItems", numberOf(i+1))
		})))
	}
	if rest != nil && rest.kind != 't' {
		switch {
		case rest.kind == 'f':
			add(plain(c.made(v, "more places", func() *value { return schemaOf("minItems", numberOf(len(first)+1)) })))
		case len(first) == 0:
			add(plain(c.made(v, "another item", func() *value { return schemaOf(internal+"contains", rest) })))
		default: // the first one after the places, which is less than any one
			add(plain(c.made(v, "item after", func() *value {
				var items []*value
				for range first {
					items = append(items, &value{kind: 't'})
				}
				return schemaOf("prefixItems", listOf(append(items, schemaOf("not", rest))...), "minItems", numberOf(len(first)+1))
			})))
		}
	}
	if u := v.members["uniqueItems"]; u != nil && u.kind == 't' {
		return c.doc.fail(v, "uniqueItems", "not supported within not, oneOf whose branches may both match, and if")
	}
	if item := v.members["contains"]; item != nil {
		if n := v.count("minContains", 1); n > 0 {
			add(plain(c.made(v, "contains less", func() *value {
				return schemaOf("contains", item, "minContains", numberOf(0), "maxContains", numberOf(n-1))
			})))
		}
		if v.members["maxContains"] != nil {
			n := v.count("maxContains", 0)
			add(plain(c.made(v, "contains more", func() *value { return schemaOf("contains", item, "minContains", numberOf(n+1)) })))
		}
	}
	return nil
}

func (c *compiler) refuseObject(d *demand, v *value, plain, not func(*value) pending, next *choice) error {
	add := func(list ...pending) { *next = append(*next, alternative{list: list}) }
	c.refuseCount(v, "minProperties", "maxProperties", plain, add)
	present := func(name string) pending {
		return plain(c.made(v, "required "+name, func() *value { return requiring(name) }))
	}
	wrong := func(name string, s *value) pending {
		return plain(c.made(v, "wrong "+name, func() *value { return schemaOf("properties", objectOf(name, schemaOf("not", s))) }))
	}
	if list := v.members["required"]; list != nil {
		for _, item := range list.items {
			absent := c.made(v, "absent "+item.text, func() *value { return forbidding(item.text) })
			*next = append(*next, alternative{list: []pending{plain(absent)}, absent: item.text})
		}
	}
	if p := v.members["properties"]; p != nil {
		for _, name := range p.keys {
			s := p.members[name]
			if s.kind == 't' {
				continue
			}
			*next = append(*next, alternative{list: []pending{present(name), wrong(name, s)}, asks: name})
		}
	}
	for _, dep := range v.dependencies() {
		if dep.schema != nil {
			*next = append(*next, alternative{list: []pending{present(dep.name), not(dep.schema)}, asks: dep.name})
			continue
		}
		for _, need := range dep.needs {
			absent := c.made(v, "absent "+need, func() *value { return forbidding(need) })
			*next = append(*next, alternative{list: []pending{present(dep.name), plain(absent)}, asks: dep.name})
		}
	}
	// Some member that is wrong: one of those that the demand names. Fewer than all that would do.
	for _, keyword := range []string{"additionalProperties", "patternProperties", "propertyNames"} {
		s := v.members[keyword]
		if s == nil || s.kind == 't' {
			continue
		}
		var names []string
		for _, g := range d.object.groups {
			if p := g.v.members["properties"]; p != nil && !g.quiet {
				names = append(names, p.keys...)
			}
		}
		names = append(names, d.object.required...)
		slices.Sort(names)
		found := false
		for _, name := range slices.Compact(names) {
			switch keyword {
			case "additionalProperties":
				if v.property(name) != nil || c.matchesPattern(v, name) {
					continue
				}
				found = true
				*next = append(*next, alternative{list: []pending{present(name), wrong(name, s)}, asks: name})
			case "propertyNames":
				ok, err := c.doc.valid(textOf(name), s)
				if err != nil {
					return err
				}
				if !ok {
					found = true
					*next = append(*next, alternative{list: []pending{present(name)}, asks: name})
				}
			default:
				for _, pattern := range s.keys {
					if ok, err := c.doc.matches(v, pattern, name); err != nil {
						return err
					} else if ok {
						found = true
						*next = append(*next, alternative{list: []pending{present(name), wrong(name, s.members[pattern])}, asks: name})
					}
				}
			}
		}
		if !found && len(*next) == 0 {
			return c.doc.fail(v, keyword, "not supported within not, oneOf whose branches may both match, and if, where no property is declared that could break it")
		}
	}
	return nil
}

func (c *compiler) matchesPattern(v *value, name string) bool {
	patterns := v.members["patternProperties"]
	if patterns == nil {
		return false
	}
	return slices.ContainsFunc(patterns.keys, func(p string) bool {
		ok, err := c.doc.matches(v, p, name)
		return ok || err != nil
	})
}

// never reports whether it is plain that no value is valid for both schemas.
func (c *compiler) never(a, b *value) bool { return c.neverTogether(a, b, 8) }

func (c *compiler) neverTogether(a, b *value, depth int) bool {
	if a, b = c.follow(a), c.follow(b); depth == 0 || a == nil || b == nil || a.kind != '{' || b.kind != '{' {
		return a != nil && a.kind == 'f' || b != nil && b.kind == 'f'
	}
	for _, pair := range [][2]*value{{a, b}, {b, a}} {
		if list := pair[0].listed(); list != nil {
			if other := pair[1].listed(); other != nil {
				return !slices.ContainsFunc(list, func(x *value) bool { return slices.ContainsFunc(other, x.equal) })
			}
			valid := func(x *value) bool { ok, err := c.doc.valid(x, pair[1]); return ok || err != nil }
			return !slices.ContainsFunc(list, valid)
		}
	}
	ta, tb := a.types(), b.types()
	if ta != nil && tb != nil && !slices.ContainsFunc(ta, func(t string) bool {
		return slices.Contains(tb, t) || t == "integer" && slices.Contains(tb, "number") || t == "number" && slices.Contains(tb, "integer")
	}) {
		return true
	}
	if !slices.Equal(ta, []string{"object"}) || !slices.Equal(tb, ta) {
		return false
	}
	for _, pair := range [][2]*value{{a, b}, {b, a}} {
		list := pair[0].members["required"]
		if list == nil {
			continue
		}
		closed := pair[1].members["additionalProperties"]
		for _, item := range list.items {
			mine, other := pair[0].property(item.text), pair[1].property(item.text)
			if other == nil && closed != nil && closed.kind == 'f' && !c.matchesPattern(pair[1], item.text) {
				return true
			}
			if other != nil && (other.kind == 'f' || mine != nil && c.neverTogether(mine, other, depth-1)) {
				return true
			}
		}
	}
	return false
}

// listed are the values of const or enum, nil where there is neither.
func (v *value) listed() []*value {
	if only := v.members["const"]; only != nil {
		return []*value{only}
	}
	if list := v.members["enum"]; list != nil {
		return list.items
	}
	return nil
}

// follow resolves a chain of plain references; nil where that is not possible.
func (c *compiler) follow(v *value) *value {
	for range maxDepth {
		if v.kind != '{' || v.members["$ref"] == nil {
			return v
		}
		target, err := c.doc.resolve(v, "$ref", v.members["$ref"].text)
		if err != nil {
			return nil
		}
		v = target
	}
	return nil
}
