package grammar

import (
	"fmt"
	"slices"
	"strings"
)

// compiler turns the terms of one schema document into rules.
type compiler struct {
	b        *builder
	doc      *document
	rules    map[string]int32 // by term, so that references may recurse
	ids      map[*value]int
	own      map[madeKey]*value
	typed    bool // the term being expanded says something about types
	unfolded int
	depth    int
}

func newCompiler(b *builder, doc *document) *compiler {
	return &compiler{b: b, doc: doc, rules: map[string]int32{}, ids: map[*value]int{}, own: map[madeKey]*value{}}
}

var kinds = []string{"string", "number", "array", "object"}

// rule returns the rule of the values of a term.
func (c *compiler) rule(t term) (int32, error) {
	t = slices.DeleteFunc(slices.Clone(t), func(l literal) bool { return !l.not && (l.v.kind == 't' || l.v.kind == '{' && len(l.v.keys) == 0) })
	if len(t) == 0 {
		return c.b.ruleAny(), nil
	}
	key := c.key(t)
	if rule, ok := c.rules[key]; ok {
		return rule, nil
	}
	if c.depth++; c.depth > maxDepth {
		return 0, c.doc.fail(t[0].v, "", "nested deeper than %d", maxDepth)
	}
	defer func() { c.depth-- }()
	rule := c.b.state()
	c.rules[key] = rule
	end := c.b.state()
	c.b.end(end)
	demands, plain, err := c.demands(t)
	if err != nil {
		return 0, err
	}
	for _, text := range plain {
		c.b.join(c.b.literal(rule, text), end)
	}
	done := map[string]bool{}
	var values []*value
	for _, d := range demands {
		if d.listed {
			kept, err := c.kept(t, d)
			if err != nil {
				return 0, err
			}
			values = append(values, kept...)
			continue
		}
		if key := c.demandKey(d); done[key] {
			continue
		} else {
			done[key] = true
		}
		from := c.b.state()
		c.b.join(rule, from)
		to, err := c.typedValue(d, from)
		if err != nil {
			return 0, err
		}
		c.b.join(to, end)
	}
	c.b.values(rule, values, end)
	return rule, nil
}

// demands are those of a term by type, and the texts among null, true and false that it allows. A schema that names no type but
// has keywords of some is taken to mean those: the others are valid, but not what anyone wants generated.
func (c *compiler) demands(t term) (list []*demand, plain []string, err error) {
	c.typed = false
	for _, kind := range kinds {
		some, err := c.expand(kind, t)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, some...)
	}
	for _, x := range []*value{{kind: 'n', text: "null"}, {kind: 't', text: "true"}, {kind: 'f', text: "false"}} {
		ok := true
		for _, l := range t {
			valid, err := c.doc.valid(x, l.v)
			if err != nil {
				return nil, nil, err
			}
			ok = ok && valid != l.not
		}
		if ok {
			plain = append(plain, x.text)
		}
	}
	if !c.typed && slices.ContainsFunc(list, func(d *demand) bool { return d.touched }) {
		return keep(list, func(d *demand) bool { return d.touched }), nil, nil
	}
	return list, plain, nil
}

// kept are the listed values of the demand's type that the term allows.
func (c *compiler) kept(t term, d *demand) (kept []*value, err error) {
	seen := map[string]bool{}
	for i, x := range d.values {
		if t.shareLeavesOut(i) {
			continue
		}
		if name := x.jsonType(); name != d.kind && !(name == "integer" && d.kind == "number") {
			continue
		}
		ok := true
		for _, l := range t {
			valid, err := c.doc.valid(x, l.v)
			if err != nil {
				return nil, err
			}
			ok = ok && valid != l.not
		}
		if same := x.canonical(); ok && !seen[same] {
			seen[same] = true
			kept = append(kept, x)
		}
	}
	return kept, nil
}

// demandKey names a demand, so that branches that come to the same are compiled once.
func (c *compiler) demandKey(d *demand) string {
	var s strings.Builder
	limit := func(o bound) string {
		if o.value == nil {
			return "-"
		}
		return fmt.Sprint(o.value, o.strict)
	}
	fmt.Fprint(&s, d.kind, d.text.low, d.text.high, d.text.excluded, d.number.integer, d.number.broken, limit(d.number.low), limit(d.number.high), d.number.multiples, d.number.notMultiples, d.number.excluded)
	for _, p := range d.text.patterns {
		fmt.Fprint(&s, p.keyword, p.text, p.not)
	}
	fmt.Fprint(&s, d.array.low, d.array.high, d.array.unique, d.object.low, d.object.high, d.object.required)
	for _, x := range d.array.contains {
		fmt.Fprint(&s, c.key(term{x.item}), x.low, x.high)
	}
	for _, g := range append(slices.Clip(d.array.groups), d.object.groups...) {
		fmt.Fprint(&s, "g", c.key(term{{v: g.v}}))
		for _, o := range g.scopes {
			fmt.Fprint(&s, "o", c.key(term{{v: o}}))
		}
	}
	for _, u := range d.scopes {
		fmt.Fprint(&s, "u", c.key(term{{v: u.owner}}))
	}
	for _, sh := range []*share{d.text.share, d.number.share, d.array.share, d.object.share} {
		if sh != nil {
			fmt.Fprint(&s, "s", *sh)
		}
	}
	fmt.Fprint(&s, c.key(d.object.names))
	return s.String()
}

// typedValue reads the values of a demand.
func (c *compiler) typedValue(d *demand, from int32) (int32, error) {
	switch d.kind {
	case "string":
		return c.stringValue(d, from)
	case "number":
		return c.numberValue(d, from)
	case "array":
		return c.array(d, from)
	}
	return c.object(d, from)
}

func (c *compiler) numberValue(d *demand, from int32) (int32, error) {
	l, err := d.number.language(c.b.algebra)
	if err != nil {
		return 0, c.doc.fail(d.origin[0].v, c.numberKeyword(d), "%v", err)
	}
	return c.readLanguage(d, l, false, from, c.numberKeyword(d))
}

// numberKeyword is the keyword that an error about a number is likely about.
func (c *compiler) numberKeyword(d *demand) string {
	switch {
	case len(d.number.multiples)+len(d.number.notMultiples) > 0:
		return "multipleOf"
	case d.number.low.value != nil:
		return "minimum"
	}
	return "maximum"
}

// readLanguage reads the texts of a language by a rule of its own, which equal ones share.
func (c *compiler) readLanguage(d *demand, l *language, quoted bool, from int32, keyword string) (int32, error) {
	name := fmt.Sprint("language ", quoted, l.id)
	if rule, ok := c.b.shared[name]; ok {
		return c.b.invoke(from, rule), nil
	}
	t, err := c.b.algebra.automaton(l)
	if err != nil {
		return 0, c.doc.fail(d.origin[0].v, keyword, "%v", err)
	}
	return c.b.invoke(from, c.b.named(name, func(from int32) int32 { return c.b.regular(from, t, quoted) })), nil
}

// values reads the listed values; those that begin alike share their beginning.
func (b *builder) values(from int32, list []*value, to int32) {
	var texts []string
	for _, x := range list {
		if x.kind == '[' || x.kind == '{' {
			first := b.state()
			b.join(from, first)
			b.join(b.exactly(first, x), to)
			continue
		}
		text := x.text
		if x.kind == '"' {
			text = quote(text)
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	b.texts(from, slices.Compact(texts), to)
}

// texts reads one of sorted texts.
func (b *builder) texts(from int32, list []string, to int32) {
	for len(list) > 0 {
		if list[0] == "" {
			b.join(from, to)
			list = list[1:]
			continue
		}
		n := 1
		for n < len(list) && list[n][0] == list[0][0] {
			n++
		}
		rest := make([]string, n)
		for i, text := range list[:n] {
			rest[i] = text[1:]
		}
		next := b.state()
		b.edge(from, list[0][0], list[0][0], next)
		b.texts(next, rest, to)
		list = list[n:]
	}
}

// shareLeavesOut reports whether number i of a list of values belongs to another place.
func (t term) shareLeavesOut(i int) bool {
	return slices.ContainsFunc(t, func(l literal) bool {
		s := l.v.members[shareOf]
		return s != nil && i%s.share().of != s.share().place
	})
}
