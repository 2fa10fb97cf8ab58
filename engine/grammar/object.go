package grammar

import (
	"slices"
)

// objectWalk builds the states of an object: which properties are behind, and how many members there are where that counts.
type objectWalk struct {
	c      *compiler
	d      *demand
	groups []group
	names  []string // properties in their order
	known  []string // those, and those that are forbidden
	values map[string]term
	rest   []restMember
	low    int
	high   int
}

// restMember is the members of other names: their keys and what holds for their values.
type restMember struct {
	key  *language // nil is any but the known
	term term
}

// object reads objects: the declared properties in their order, each optional one present or not, then the others where a
// schema says what they are.
func (c *compiler) object(d *demand, from int32) (int32, error) {
	w := &objectWalk{c: c, d: d, low: d.object.low, high: d.object.high, values: map[string]term{}}
	if max(w.low, w.high) > 1<<12 {
		if w.low > 1<<12 {
			return 0, c.doc.fail(d.origin[0].v, "minProperties", "%d is too large; at most %d can be kept while generating", w.low, 1<<12)
		}
		w.high = 1 << 12
	}
	w.groups = c.memberGroups(d)
	if possible, err := w.declare(); err != nil || !possible {
		return c.b.state(), err
	}
	if s := d.object.share; s != nil && !w.apart(*s) {
		return c.b.state(), nil
	}
	if err := w.others(); err != nil {
		return 0, err
	}
	return w.read(from)
}

// apart makes the objects of different places differ in a property: the first that is required, else the first. Objects
// without any have no share.
func (w *objectWalk) apart(s share) bool {
	if len(w.names) == 0 {
		return false
	}
	name := w.names[0]
	for _, n := range w.names {
		if slices.Contains(w.d.object.required, n) {
			name = n
			break
		}
	}
	if !slices.Contains(w.d.object.required, name) {
		w.d.object.required = append(w.d.object.required, name)
	}
	w.values[name] = append(slices.Clip(w.values[name]), literal{w.c.shareSchema(w.d.origin[0].v, s.place, s.of), false})
	return true
}

// memberGroups are what the schemas say about members, with those of "unevaluatedProperties".
func (c *compiler) memberGroups(d *demand) []group {
	groups := slices.Clone(d.object.groups)
	for _, u := range d.scopes {
		spoken := &value{kind: '{', members: map[string]*value{
			"properties": {kind: '{', members: map[string]*value{}}, "patternProperties": {kind: '{', members: map[string]*value{}}}}
		all := false
		for _, g := range d.object.groups {
			if !slices.Contains(g.scopes, u.owner) {
				continue
			}
			all = all || g.all
			for keyword, into := range spoken.members {
				if m := g.v.members[keyword]; m != nil {
					for _, name := range m.keys {
						if into.members[name] == nil {
							into.keys = append(into.keys, name)
							into.members[name] = &value{kind: 't'}
						}
					}
				}
			}
		}
		if !all {
			groups = append(groups, group{v: spoken, rest: u.schema, quiet: true, all: true})
		}
	}
	return groups
}

// memberTerm is what holds for the value of a member: of a name, or of other names that match a set of patterns.
func (w *objectWalk) memberTerm(name *string, matches func(group, string) (bool, error)) (t term, forbidden bool, err error) {
	for _, g := range w.groups {
		spoken := false
		add := func(s *value) {
			switch {
			case s.kind == 'f':
				forbidden = true
			case s.kind == '{':
				t = append(t, literal{s, false})
			}
		}
		if name != nil {
			if s := g.v.property(*name); s != nil {
				spoken = true
				add(s)
			}
		}
		if patterns := g.v.members["patternProperties"]; patterns != nil {
			for _, pattern := range patterns.keys {
				ok, err := matches(g, pattern)
				if err != nil {
					return nil, false, err
				}
				if ok {
					spoken = true
					add(patterns.members[pattern])
				}
			}
		}
		if !spoken && g.rest != nil {
			add(g.rest)
		}
	}
	return t, forbidden, nil
}

// declare finds the properties that have a name. Not possible: a required one is forbidden.
func (w *objectWalk) declare() (possible bool, err error) {
	for _, g := range w.groups {
		if p := g.v.members["properties"]; p != nil {
			for _, name := range p.keys {
				if !slices.Contains(w.known, name) {
					w.known = append(w.known, name)
				}
				if !g.quiet && !slices.Contains(w.names, name) {
					w.names = append(w.names, name)
				}
			}
		}
	}
	listed, finite, err := w.listedNames()
	if err != nil {
		return false, err
	}
	if finite {
		w.d.object.groups = append(w.d.object.groups, group{v: w.d.origin[0].v, rest: &value{kind: 'f'}, all: true}) // no others
	}
	for _, name := range append(slices.Clone(w.d.object.required), listed...) {
		if !slices.Contains(w.names, name) {
			w.names = append(w.names, name)
		}
		if !slices.Contains(w.known, name) {
			w.known = append(w.known, name)
		}
	}
	var kept []string
	for _, name := range w.names {
		t, forbidden, err := w.memberTerm(&name, func(g group, pattern string) (bool, error) { return w.c.doc.matches(g.v, pattern, name) })
		if err != nil {
			return false, err
		}
		for _, l := range w.d.object.names {
			ok, err := w.c.doc.valid(textOf(name), l.v)
			if err != nil {
				return false, err
			}
			forbidden = forbidden || !ok
		}
		if forbidden {
			if slices.Contains(w.d.object.required, name) {
				return false, nil
			}
			continue
		}
		kept = append(kept, name)
		w.values[name] = t
	}
	w.names = kept
	return true, nil
}

// listedNames are the names that "propertyNames" lists, where it lists them.
func (w *objectWalk) listedNames() (names []string, finite bool, err error) {
	if len(w.d.object.names) == 0 {
		return nil, false, nil
	}
	demands, err := w.c.expand("string", w.d.object.names)
	if err != nil {
		return nil, false, err
	}
	for _, d := range demands {
		if !d.listed {
			return nil, false, nil
		}
		kept, err := w.c.kept(w.d.object.names, d)
		if err != nil {
			return nil, false, err
		}
		for _, x := range kept {
			names = append(names, x.text)
		}
	}
	return names, true, nil
}

// others finds what members of other names there may be. Where no schema speaks of them they are valid, but not generated,
// unless no property is declared at all or too few are.
func (w *objectWalk) others() error {
	var patterns []patternDemand
	open := len(w.names) == 0 || w.low > len(w.names)
	for _, g := range w.groups {
		open = open || g.all
		if p := g.v.members["patternProperties"]; p != nil {
			for _, pattern := range p.keys {
				if !slices.ContainsFunc(patterns, func(q patternDemand) bool { return q.text == pattern }) {
					patterns = append(patterns, patternDemand{v: g.v, keyword: "patternProperties", text: pattern})
				}
			}
		}
	}
	if len(w.names) == 0 && len(patterns) > 0 && w.low == 0 {
		open = slices.ContainsFunc(w.groups, func(g group) bool { return g.all })
	}
	if slices.ContainsFunc(w.d.object.groups, func(g group) bool {
		return g.v == w.d.origin[0].v && g.rest != nil && g.rest.kind == 'f' && g.v.members["additionalProperties"] != g.rest
	}) {
		return nil // propertyNames lists all names
	}
	if len(patterns) > 6 {
		return w.c.doc.fail(patterns[0].v, "patternProperties", "%d patterns apply together, at most 6 are supported", len(patterns))
	}
	a := w.c.b.algebra
	keys := a.anyText
	if len(w.d.object.names) > 0 {
		demands, err := w.c.expand("string", w.d.object.names)
		if err != nil {
			return err
		}
		keys = a.none
		for _, d := range demands {
			if d.listed {
				kept, err := w.c.kept(w.d.object.names, d)
				if err != nil {
					return err
				}
				for _, x := range kept {
					keys = a.union(keys, a.text(x.text))
				}
				continue
			}
			l, _, err := w.c.stringLanguage(d)
			if err != nil {
				return err
			}
			keys = a.union(keys, l)
		}
	}
	for cell := range 1 << len(patterns) {
		if cell == 0 && !open {
			continue
		}
		in := func(text string) bool {
			i := slices.IndexFunc(patterns, func(q patternDemand) bool { return q.text == text })
			return cell>>i&1 == 1
		}
		t, forbidden, err := w.memberTerm(nil, func(_ group, pattern string) (bool, error) { return in(pattern), nil })
		if err != nil {
			return err
		}
		if forbidden {
			continue
		}
		if len(patterns) == 0 && keys == a.anyText && w.low <= len(w.d.object.required) {
			w.rest = append(w.rest, restMember{nil, t})
			continue
		}
		parts := []*language{keys, a.not(a.list(w.known))}
		for _, p := range patterns {
			p.not = !in(p.text)
			l, err := a.pattern(p, map[bool]reading{false: narrow, true: wide}[p.not])
			if err != nil {
				return w.c.doc.fail(p.v, "patternProperties", "%v", err)
			}
			parts = append(parts, l)
		}
		w.rest = append(w.rest, restMember{a.intersect(parts...), t})
	}
	return nil
}

// read builds the states.
func (w *objectWalk) read(from int32) (int32, error) {
	b := w.c.b
	type place struct {
		behind, count int
	}
	counted := w.high >= 0 || w.low > len(w.d.object.required)
	far := 1
	if counted {
		far = max(w.low, w.high, 1)
	}
	states := map[place]int32{}
	var queue []place
	at := func(p place) int32 {
		if w.high < 0 {
			p.count = min(p.count, far)
		}
		s, ok := states[p]
		if !ok {
			s = b.state()
			states[p] = s
			queue = append(queue, p)
		}
		return s
	}
	members := make([]int32, len(w.names))
	for i, name := range w.names {
		rule, err := w.c.rule(w.values[name])
		if err != nil {
			return 0, err
		}
		members[i] = b.rule(func(from int32) int32 {
			return b.invoke(b.space(b.literal(from, quote(name)+":")), rule)
		})
	}
	end := b.state()
	b.join(b.literal(from, "{"), at(place{}))
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		s := states[p]
		if p.behind == len(w.names) && (!counted || p.count >= w.low) {
			b.join(s, end)
		}
		full := counted && w.high >= 0 && p.count >= w.high
		comma := int32(-1)
		member := func(rule int32, next place) {
			if p.count == 0 {
				b.invokeTo(s, rule, at(next))
				return
			}
			if comma < 0 {
				comma = b.space(b.literal(s, ","))
			}
			b.invokeTo(comma, rule, at(next))
		}
		if p.behind < len(w.names) {
			if !full {
				member(members[p.behind], place{p.behind + 1, p.count + 1})
			}
			if !slices.Contains(w.d.object.required, w.names[p.behind]) {
				b.join(s, at(place{p.behind + 1, p.count}))
			}
			continue
		}
		if full {
			continue
		}
		for _, r := range w.rest {
			rule, err := w.restRule(r, counted, p.count)
			if err != nil {
				return 0, err
			}
			member(rule, place{p.behind, p.count + 1})
		}
	}
	return b.literal(end, "}"), nil
}

// restRule is the rule of a member of another name. As long as members are missing, the keys of different places differ.
func (w *objectWalk) restRule(r restMember, counted bool, count int) (int32, error) {
	b := w.c.b
	rule, err := w.c.rule(r.term)
	if err != nil {
		return 0, err
	}
	key := r.key
	if key != nil && counted && count < w.low {
		if key, err = b.algebra.shared(key, share{count, w.low}); err != nil {
			return 0, w.c.doc.fail(w.d.origin[0].v, "minProperties", "%v", err)
		}
	}
	start := b.state()
	s := start
	switch {
	case key != nil:
		if s, err = w.c.readLanguage(w.d, key, true, b.literal(start, `"`), "propertyNames"); err != nil {
			return 0, err
		}
		s = b.literal(s, `"`)
	case len(w.known) > 0:
		s = b.keyOtherThan(start, w.known)
	default:
		s = b.text(start, 0, -1)
	}
	b.end(b.invoke(b.space(b.literal(s, ":")), rule))
	return start, nil
}
