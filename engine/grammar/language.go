package grammar

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// language is a regular language over code points, written with every operation that keeps it regular: also intersection and
// complement, which "not", several patterns at once and names outside a list need. Equal expressions are one value. It is
// read by derivatives: what may follow after a code point is a language again. Source: Brzozowski, J. ACM 11(4), 1964;
// Owens, Reppy and Turon, "Regular-expression derivatives re-examined", 2009.
type language struct {
	kind      languageKind
	id        int
	nullable  bool        // has the empty text
	set       ranges      // oneOf
	words     []string    // anyWord: sorted, without the empty one
	parts     []*language // sequence (two), repetition (one), union, intersection, outside (one)
	low, high int         // repetition; high < 0 is no limit
	multiple  multiple
}

type languageKind byte

const (
	nothing   languageKind = iota // no text
	emptyText                     // only the empty text
	oneOf                         // one code point of a set
	anyWord                       // one of a list of texts
	sequence
	repetition
	union
	intersection
	outside // all texts that are not of the part
	multiples
)

// multiple is the decimal numerals whose value times 10^places leaves want when divided by of; what is read leaves rest.
type multiple struct {
	of, rest, want int64
	places         int  // digits after the point that still count
	point          bool // the point is read
}

// algebra makes languages. The zero value is not ready; use newAlgebra.
type algebra struct {
	known                     map[string]*language
	none, empty, any, anyText *language
	byLast                    map[string]bool // of shared
	work                      int
	// Digits of numbers before and after the point.
	wholeDigits, places int
	breaks              ranges // of matching
}

// maxWork bounds the work on all patterns of a schema, about a second's.
const maxWork = 30_000_000

func (a *algebra) spend(n int) {
	if a.work += n; a.work > maxWork {
		panic(errTooLarge{})
	}
}

// bounded turns the panic of work beyond the limits into an error.
func (a *algebra) bounded(f func() error) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case errTooLarge:
			err = errors.New("needs too many states; lower its repeat counts")
		default:
			panic(e)
		}
	}()
	return f()
}

// maxLanguages bounds what one pattern may unfold to.
const maxLanguages = 1 << 17

func newAlgebra() *algebra {
	a := &algebra{known: map[string]*language{}, byLast: map[string]bool{}, wholeDigits: maxDigits, places: maxDigits}
	a.none = a.intern(language{kind: nothing})
	a.empty = a.intern(language{kind: emptyText, nullable: true})
	a.any = a.one(allRunes)
	a.anyText = a.repeat(a.any, 0, -1)
	return a
}

func (a *algebra) intern(l language) *language {
	key := make([]byte, 0, 64)
	key = append(key, byte(l.kind))
	number := func(n int64) { key = binary.AppendVarint(key, n) }
	number(int64(l.low))
	number(int64(l.high))
	for _, part := range l.parts {
		number(int64(part.id))
	}
	for _, r := range l.set {
		number(int64(r[0]))
		number(int64(r[1]))
	}
	for _, w := range l.words {
		key = append(append(key, w...), 0xFF)
	}
	if l.kind == multiples {
		number(l.multiple.of)
		number(l.multiple.rest)
		number(l.multiple.want)
		number(int64(l.multiple.places))
	}
	if l.multiple.point {
		key = append(key, '.')
	}
	if l.nullable {
		key = append(key, '0')
	}
	a.spend(len(key))
	if made, ok := a.known[string(key)]; ok {
		return made
	}
	if len(a.known) >= maxLanguages {
		panic(errTooLarge{})
	}
	l.id = len(a.known)
	made := &l
	a.known[string(key)] = made
	return made
}

func (a *algebra) one(set ranges) *language {
	if len(set) == 0 {
		return a.none
	}
	return a.intern(language{kind: oneOf, set: set})
}

// text is the language of one text, list of several.
func (a *algebra) text(text string) *language { return a.list([]string{text}) }

func (a *algebra) list(texts []string) *language {
	sorted := slices.Clone(texts)
	slices.Sort(sorted)
	return a.sortedList(slices.Compact(sorted))
}

func (a *algebra) sortedList(texts []string) *language {
	hasEmpty := len(texts) > 0 && texts[0] == ""
	if hasEmpty {
		texts = texts[1:]
	}
	switch {
	case len(texts) == 0 && hasEmpty:
		return a.empty
	case len(texts) == 0:
		return a.none
	}
	return a.intern(language{kind: anyWord, words: texts, nullable: hasEmpty})
}

func (a *algebra) sequence(list ...*language) *language {
	if len(list) == 0 {
		return a.empty
	}
	first, rest := list[0], a.sequence(list[1:]...)
	switch {
	case first == a.none || rest == a.none:
		return a.none
	case first == a.empty:
		return rest
	case rest == a.empty:
		return first
	case first == a.anyText && rest == a.anyText:
		return rest
	case first.kind == sequence:
		return a.sequence(first.parts[0], a.sequence(first.parts[1], rest))
	}
	return a.intern(language{kind: sequence, parts: []*language{first, rest}, nullable: first.nullable && rest.nullable})
}

func (a *algebra) repeat(l *language, low, high int) *language {
	if l.nullable {
		low = 0
	}
	switch {
	case high == 0 || l == a.empty:
		return a.empty
	case l == a.none && low == 0:
		return a.empty
	case l == a.none:
		return a.none
	case low == 1 && high == 1:
		return l
	case l.kind == repetition && l.low == 0 && l.high < 0:
		return l
	}
	return a.intern(language{kind: repetition, parts: []*language{l}, low: low, high: high, nullable: low == 0})
}

func (a *algebra) union(list ...*language) *language {
	var set ranges
	parts := a.flat(union, list, a.none, func(l *language) bool {
		if l.kind == oneOf {
			set = set.union(l.set)
			return true
		}
		return false
	})
	if set != nil {
		parts = sortedLanguages(append(parts, a.one(set)))
	}
	switch {
	case slices.Contains(parts, a.anyText):
		return a.anyText
	case len(parts) == 0:
		return a.none
	case len(parts) == 1:
		return parts[0]
	}
	nullable := slices.ContainsFunc(parts, func(l *language) bool { return l.nullable })
	if nullable { // the empty text adds nothing
		if rest := slices.DeleteFunc(slices.Clone(parts), func(l *language) bool { return l == a.empty }); slices.ContainsFunc(rest, func(l *language) bool { return l.nullable }) {
			parts = rest
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return a.intern(language{kind: union, parts: parts, nullable: nullable})
}

func (a *algebra) intersect(list ...*language) *language {
	var set ranges
	met := false
	parts := a.flat(intersection, list, a.anyText, func(l *language) bool {
		if l.kind != oneOf {
			return false
		}
		if !met {
			set, met = l.set, true
		} else {
			set = set.intersect(l.set)
		}
		return true
	})
	if met {
		parts = sortedLanguages(append(parts, a.one(set)))
	}
	switch {
	case slices.Contains(parts, a.none):
		return a.none
	case len(parts) == 0:
		return a.anyText
	case len(parts) == 1:
		return parts[0]
	}
	nullable := !slices.ContainsFunc(parts, func(l *language) bool { return !l.nullable })
	if slices.Contains(parts, a.empty) {
		if nullable {
			return a.empty
		}
		return a.none
	}
	return a.intern(language{kind: intersection, parts: parts, nullable: nullable})
}

// flat opens parts of the same kind, leaves out neutral ones and what take keeps for itself, and sorts the rest.
func (a *algebra) flat(kind languageKind, list []*language, neutral *language, take func(*language) bool) []*language {
	var parts []*language
	a.spend(10 * len(list))
	for _, l := range list {
		a.spend(10 * len(l.parts))
		inner := []*language{l}
		if l.kind == kind {
			inner = l.parts
		}
		for _, part := range inner {
			if part != neutral && !take(part) {
				parts = append(parts, part)
			}
		}
	}
	return sortedLanguages(parts)
}

func sortedLanguages(parts []*language) []*language {
	slices.SortFunc(parts, func(x, y *language) int { return x.id - y.id })
	return slices.Compact(parts)
}

func (a *algebra) not(l *language) *language {
	switch {
	case l == a.none:
		return a.anyText
	case l == a.anyText:
		return a.none
	case l.kind == outside:
		return l.parts[0]
	}
	return a.intern(language{kind: outside, parts: []*language{l}, nullable: !l.nullable})
}

func (a *algebra) numeral(m multiple) *language {
	rest := m.rest
	for range m.places {
		rest = rest * 10 % m.of
	}
	return a.intern(language{kind: multiples, multiple: m, nullable: rest == m.want})
}

// derive is the language of what may follow r in a text.
func (a *algebra) derive(l *language, r rune) *language {
	a.spend(20)
	switch l.kind {
	case oneOf:
		if l.set.contains(r) {
			return a.empty
		}
	case anyWord:
		prefix := string(r)
		first := sort.SearchStrings(l.words, prefix)
		last := first
		for last < len(l.words) && strings.HasPrefix(l.words[last], prefix) {
			last++
		}
		rest := make([]string, 0, last-first)
		for _, w := range l.words[first:last] {
			rest = append(rest, w[len(prefix):])
		}
		return a.sortedList(rest)
	case sequence:
		after := a.sequence(a.derive(l.parts[0], r), l.parts[1])
		if l.parts[0].nullable {
			return a.union(after, a.derive(l.parts[1], r))
		}
		return after
	case repetition:
		high := l.high
		if high > 0 {
			high--
		}
		return a.sequence(a.derive(l.parts[0], r), a.repeat(l.parts[0], max(l.low-1, 0), high))
	case union, intersection:
		parts := make([]*language, len(l.parts))
		for i, part := range l.parts {
			parts[i] = a.derive(part, r)
		}
		if l.kind == union {
			return a.union(parts...)
		}
		return a.intersect(parts...)
	case outside:
		return a.not(a.derive(l.parts[0], r))
	case multiples:
		m := l.multiple
		switch {
		case r == '.' && !m.point:
			m.point = true
		case r < '0' || r > '9':
			return a.none
		case m.point && m.places == 0:
			if r != '0' {
				return a.none
			}
		default:
			m.rest = (m.rest*10 + int64(r-'0')) % m.of
			if m.point {
				m.places--
			}
		}
		return a.numeral(m)
	}
	return a.none
}

// atoms cuts all code points into sets that no part of the language tells apart.
func atoms(l *language) []ranges {
	type border struct {
		at   rune
		mark uint64
	}
	var borders []border
	marks := uint64(0)
	add := func(set ranges) {
		marks += 0x9E3779B97F4A7C15
		mark := marks
		mark = (mark ^ mark>>30) * 0xBF58476D1CE4E5B9
		mark = (mark ^ mark>>27) * 0x94D049BB133111EB
		mark ^= mark >> 31
		for _, r := range set {
			borders = append(borders, border{r[0], mark}, border{r[1] + 1, mark})
		}
	}
	seen, runes, sets := map[*language]bool{}, map[rune]bool{}, map[*language]bool{}
	var visit func(l *language)
	visit = func(l *language) {
		if seen[l] {
			return
		}
		seen[l] = true
		switch l.kind {
		case oneOf:
			if !sets[l] {
				sets[l] = true
				add(l.set)
			}
		case anyWord:
			for _, w := range l.words {
				for _, r := range w {
					runes[r] = true
				}
			}
		case multiples:
			for r := '0'; r <= '9'; r++ {
				runes[r] = true
			}
			runes['.'] = true
		}
		for _, part := range l.parts {
			visit(part)
		}
	}
	visit(l)
	single := make([]rune, 0, len(runes))
	for r := range runes {
		single = append(single, r)
	}
	slices.Sort(single)
	for _, r := range single {
		add(ranges{{r, r}})
	}
	slices.SortFunc(borders, func(x, y border) int { return int(x.at - y.at) })
	var list []ranges
	index := map[uint64]int{}
	state, from := uint64(0), rune(0)
	cut := func(to rune) {
		if to <= from {
			return
		}
		i, ok := index[state]
		if !ok {
			i = len(list)
			index[state] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], [2]rune{from, to - 1})
		from = to
	}
	for _, b := range borders {
		cut(b.at)
		state ^= b.mark
	}
	cut(utf8.MaxRune + 1)
	return list
}
