package grammar

import (
	"fmt"
	"slices"
)

// itemTerm is what holds at a place of an array.
func itemTerm(groups []group, place int) (t term, forbidden bool) {
	for _, g := range groups {
		s := g.rest
		if place < len(g.first) {
			s = g.first[place]
		}
		switch {
		case s == nil || s.kind == 't':
		case s.kind == 'f':
			return nil, true
		default:
			t = append(t, literal{s, false})
		}
	}
	return t, false
}

// array reads arrays: fixed places first, then items of one term. What is counted ("contains") is part of the state.
func (c *compiler) array(d *demand, from int32) (int32, error) {
	groups, prefix, open := c.itemGroups(d)
	low, high := d.array.low, d.array.high
	if !open && low <= prefix {
		high = lower(high, prefix)
	}
	far := prefix
	for i := 0; i <= prefix; i++ {
		if _, forbidden := itemTerm(groups, i); forbidden {
			high = lower(high, i)
			break
		}
	}
	if low > maxStates {
		return 0, c.doc.fail(d.origin[0].v, "minItems", "%d is too large; at most %d can be kept while generating", low, maxStates)
	}
	if high > maxGenerated {
		high = max(maxGenerated, low)
	}
	if sh := d.array.share; sh != nil { // by their number of items
		low += sh.place
		high = lower(high, low)
	}
	far = max(far, low, high, 1)
	w := &arrayWalk{c: c, d: d, low: low, high: high, far: far, item: func(place int) (term, error) {
		t, _ := itemTerm(groups, place)
		return t, nil
	}}
	if d.array.unique && (high < 0 || high > 1) {
		if values, ok, err := c.finite(groups, prefix); err != nil {
			return 0, err
		} else if ok {
			return c.distinct(d, values, low, high, from)
		}
		w.apart()
	}
	return w.read(from)
}

// itemGroups are what the schemas say about items, how many places they name, and whether items may follow those.
func (c *compiler) itemGroups(d *demand) (groups []group, prefix int, open bool) {
	groups = slices.Clone(d.array.groups)
	for _, u := range d.scopes {
		spoken, all := 0, false
		for _, g := range d.array.groups {
			if slices.Contains(g.scopes, u.owner) {
				spoken, all = max(spoken, len(g.first)), all || g.all
			}
		}
		if !all {
			first := make([]*value, spoken)
			for i := range first {
				first[i] = &value{kind: 't'}
			}
			groups = append(groups, group{v: u.owner, first: first, rest: u.schema, all: true})
		}
	}
	named := false
	for _, g := range groups {
		prefix = max(prefix, len(g.first))
		named = named || len(g.first) > 0 && !g.quiet
		open = open || g.all
	}
	return groups, prefix, open || !named
}

// arrayWalk builds the states of an array: how many items there are and how many of each kind that is counted.
type arrayWalk struct {
	c         *compiler
	d         *demand
	low, high int
	far       int // from here on places are alike
	item      func(place int) (term, error)
	share     int // items at different places differ, of so many places; 0: they need not
}

// apart makes items at different places differ.
func (w *arrayWalk) apart() {
	w.share = max(w.low, 8)
	if w.high >= 0 {
		w.share = min(w.high, max(w.low, 16))
	}
	w.high = w.share
	w.far = max(w.far, w.high)
}

func (w *arrayWalk) read(from int32) (int32, error) {
	b, contains := w.c.b, w.d.array.contains
	if len(contains) > 4 {
		return 0, w.c.doc.fail(w.d.origin[0].v, "contains", "%d of them apply together, at most 4 are supported", len(contains))
	}
	type place struct {
		items  int
		counts [4]int
	}
	for _, x := range contains {
		if max(x.low, x.high) > 1<<12 {
			return 0, w.c.doc.fail(w.d.origin[0].v, "minContains", "at most %d can be counted", 1<<12)
		}
	}
	size := w.far + 1
	for _, x := range contains {
		size *= max(x.low, x.high) + 1
	}
	if len(contains) > 0 && size > 1<<15 {
		return 0, w.c.doc.fail(w.d.origin[0].v, "contains", "beside limits of items it needs %d states, at most %d are built; lower minItems, maxItems or the counts", size, 1<<15)
	}
	states := map[place]int32{}
	var queue []place
	at := func(p place) int32 {
		s, ok := states[p]
		if !ok {
			s = b.state()
			states[p] = s
			queue = append(queue, p)
		}
		return s
	}
	end := b.state()
	b.join(b.literal(from, "["), at(place{}))
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		s := states[p]
		may := p.items >= w.low
		for i, x := range contains {
			may = may && p.counts[i] >= x.low
		}
		if may {
			b.join(s, end)
		}
		if w.high >= 0 && p.items >= w.high {
			continue
		}
		if p.items > 0 {
			s = b.space(b.literal(s, ","))
		}
		base, err := w.item(p.items)
		if err != nil {
			return 0, err
		}
		if w.share > 0 {
			base = append(slices.Clip(base), literal{w.c.shareSchema(w.d.origin[0].v, p.items, w.share), false})
		}
	cells:
		for cell := range 1 << len(contains) {
			t, next := slices.Clip(base), p
			next.items = min(p.items+1, w.far)
			for i, x := range contains {
				if cell>>i&1 == 0 {
					if x.high >= 0 { // counted exactly
						t = append(t, literal{x.item.v, !x.item.not})
					}
					continue
				}
				t = append(t, x.item)
				if next.counts[i]++; x.high >= 0 && next.counts[i] > x.high {
					continue cells
				}
				if x.high < 0 {
					next.counts[i] = min(next.counts[i], x.low)
				}
			}
			rule, err := w.c.rule(t)
			if err != nil {
				return 0, err
			}
			b.invokeTo(s, rule, at(next))
		}
	}
	return b.literal(end, "]"), nil
}

// shareSchema is a schema of the compiler's own that gives each place values that no other place has.
func (c *compiler) shareSchema(v *value, place, of int) *value {
	return c.made(c.doc.root, fmt.Sprint("share ", place, of), func() *value { return schemaOf(shareOf, listOf(numberOf(place), numberOf(of))) })
}

// maxFinite bounds the lists of values that uniqueItems is kept over.
const maxFinite = 2000

// finite lists the values of the items where all places are alike and there are few values.
func (c *compiler) finite(groups []group, prefix int) (list []*value, ok bool, err error) {
	if prefix > 0 {
		return nil, false, nil
	}
	t, _ := itemTerm(groups, 0)
	if len(t) == 0 {
		return nil, false, nil
	}
	demands, plain, err := c.demands(t)
	if err != nil {
		return nil, false, err
	}
	for _, text := range plain {
		list = append(list, &value{kind: text[0], text: text})
	}
	for _, d := range demands {
		if !d.listed {
			return nil, false, nil
		}
		kept, err := c.kept(t, d)
		if err != nil {
			return nil, false, err
		}
		for _, x := range kept {
			if !slices.ContainsFunc(list, x.equal) {
				list = append(list, x)
			}
		}
	}
	return list, len(list) <= maxFinite, nil
}

// distinct reads arrays of different values of a list: in any order where they are few, else in the order of the list.
func (c *compiler) distinct(d *demand, values []*value, low, high int, from int32) (int32, error) {
	if len(d.array.contains) > 0 {
		return 0, c.doc.fail(d.origin[0].v, "uniqueItems", "beside contains, over a list of values, not supported")
	}
	const anyOrder = 8
	b := c.b
	single := func(x *value) int32 {
		return b.rule(func(from int32) int32 {
			to := b.state()
			b.values(from, []*value{x}, to)
			return to
		})
	}
	rules := make([]int32, len(values))
	for i, x := range values {
		rules[i] = single(x)
	}
	type place struct{ taken, count int } // a set of values, or how many of the list are passed; and how many items there are
	states := map[place]int32{}
	var queue []place
	at := func(p place) int32 {
		s, ok := states[p]
		if !ok {
			s = b.state()
			states[p] = s
			queue = append(queue, p)
		}
		return s
	}
	far := max(low, high, 1)
	end := b.state()
	b.join(b.literal(from, "["), at(place{}))
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		s := states[p]
		next := func(taken int) place {
			count := p.count + 1
			if high < 0 {
				count = min(count, far)
			}
			return place{taken, count}
		}
		if len(values) > anyOrder { // in order: take this one, or pass it
			if p.taken == len(values) {
				if p.count >= low {
					b.join(s, end)
				}
				continue
			}
			b.join(s, at(place{p.taken + 1, p.count}))
			if high >= 0 && p.count >= high {
				continue
			}
			if p.count > 0 {
				s = b.space(b.literal(s, ","))
			}
			b.invokeTo(s, rules[p.taken], at(next(p.taken+1)))
			continue
		}
		if p.count >= low {
			b.join(s, end)
		}
		if high >= 0 && p.count >= high {
			continue
		}
		if p.count > 0 {
			s = b.space(b.literal(s, ","))
		}
		for i := range values {
			if p.taken>>i&1 == 0 {
				b.invokeTo(s, rules[i], at(next(p.taken|1<<i)))
			}
		}
	}
	return b.literal(end, "]"), nil
}
