package grammar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// GBNF compiles a grammar in llama.cpp's notation: rules NAME ::= ALTERNATIVES, texts in quotation marks, classes of
// characters in brackets, '.', groups, the repetitions * + ? {n} {n,} {n,m}, comments after '#'. The language is that of the
// rule root; characters are Unicode code points. As in llama.cpp an empty grammar asks for nothing: any text is of it.
// Errors name the line and the rule. Source: llama.cpp grammars/README.md.
func GBNF(text string) (*Grammar, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("GBNF: the grammar is not valid UTF-8")
	}
	if strings.TrimSpace(text) == "" {
		return build("GBNF", func(b *builder) (int32, error) {
			return b.rule(func(from int32) int32 { return b.repeat(from, b.codePoint(false), 0, -1) }), nil
		})
	}
	p := &gbnfParser{text: text, line: 1, rules: map[string]gbnfNode{}, used: map[string]int{}}
	if err := p.grammar(); err != nil {
		return nil, err
	}
	if cycle := p.leftRecursion(); cycle != nil {
		return nil, fmt.Errorf("GBNF: rule %s is left-recursive (%s): it refers to itself before any text is read", cycle[0], strings.Join(cycle, " → "))
	}
	return build("GBNF", func(b *builder) (int32, error) {
		starts := map[string]int32{}
		for _, name := range p.order {
			starts[name] = b.state()
		}
		for _, name := range p.order {
			b.end(p.rules[name].build(b, starts, starts[name]))
		}
		return starts["root"], nil
	})
}

// gbnfNode is a part of a rule.
type gbnfNode struct {
	kind      gbnfKind
	text      string     // gbnfText: what is read; gbnfName: the rule
	ranges    [][2]rune  // gbnfClass
	parts     []gbnfNode // gbnfSequence, gbnfAlternatives, gbnfRepeat (one part)
	low, high int        // gbnfRepeat; high < 0 is no limit
}

type gbnfKind int

const (
	gbnfSequence gbnfKind = iota
	gbnfAlternatives
	gbnfText
	gbnfClass
	gbnfName
	gbnfRepeat
)

// build reads the node's texts from a state on.
func (n gbnfNode) build(b *builder, starts map[string]int32, from int32) int32 {
	switch n.kind {
	case gbnfText:
		return b.literal(from, n.text)
	case gbnfClass:
		to := b.state()
		for _, r := range n.ranges {
			b.runes(from, r[0], r[1], to)
		}
		return to
	case gbnfName:
		return b.invoke(from, starts[n.text])
	case gbnfRepeat:
		return b.repeat(from, b.rule(func(from int32) int32 { return n.parts[0].build(b, starts, from) }), n.low, n.high)
	case gbnfAlternatives:
		to := b.state()
		for _, part := range n.parts {
			first := b.state()
			b.join(from, first)
			b.join(part.build(b, starts, first), to)
		}
		return to
	}
	for _, part := range n.parts {
		from = part.build(b, starts, from)
	}
	return from
}

// nullable reports whether the node can read nothing, as far as the rules known to do so tell.
func (n gbnfNode) nullable(known map[string]bool) bool {
	some := func(part gbnfNode) bool { return part.nullable(known) }
	switch n.kind {
	case gbnfText:
		return n.text == ""
	case gbnfName:
		return known[n.text]
	case gbnfRepeat:
		return n.low == 0 || some(n.parts[0])
	case gbnfAlternatives:
		return slices.ContainsFunc(n.parts, some)
	case gbnfSequence:
		return !slices.ContainsFunc(n.parts, func(part gbnfNode) bool { return !some(part) })
	}
	return false
}

// firsts lists the rules that the node may enter before it has read anything.
func (n gbnfNode) firsts(known map[string]bool, list []string) []string {
	switch n.kind {
	case gbnfName:
		return append(list, n.text)
	case gbnfRepeat, gbnfAlternatives:
		for _, part := range n.parts {
			list = part.firsts(known, list)
		}
	case gbnfSequence:
		for _, part := range n.parts {
			if list = part.firsts(known, list); !part.nullable(known) {
				break
			}
		}
	}
	return list
}

// leftRecursion returns the rules of a cycle that reads nothing, nil where there is none.
func (p *gbnfParser) leftRecursion() []string {
	known := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for name, n := range p.rules {
			if !known[name] && n.nullable(known) {
				known[name], changed = true, true
			}
		}
	}
	done := map[string]bool{}
	var path []string
	var visit func(name string) []string
	visit = func(name string) []string {
		if at := slices.Index(path, name); at >= 0 {
			return append(slices.Clone(path[at:]), name)
		}
		if done[name] {
			return nil
		}
		path = append(path, name)
		for _, next := range p.rules[name].firsts(known, nil) {
			if cycle := visit(next); cycle != nil {
				return cycle
			}
		}
		path = path[:len(path)-1]
		done[name] = true
		return nil
	}
	for _, name := range p.order {
		if cycle := visit(name); cycle != nil {
			return cycle
		}
	}
	return nil
}

// gbnfParser reads the notation.
type gbnfParser struct {
	text  string
	at    int
	line  int
	rule  string // being read
	depth int
	rules map[string]gbnfNode
	order []string
	used  map[string]int // name → line of its first use
}

func (p *gbnfParser) fail(format string, args ...any) error {
	where := fmt.Sprintf("GBNF: line %d: ", p.line)
	if p.rule != "" {
		where += "rule " + p.rule + ": "
	}
	return fmt.Errorf(where+format, args...)
}

func (p *gbnfParser) grammar() error {
	for p.space(true); p.at < len(p.text); p.space(true) {
		p.rule = ""
		name := p.name()
		if name == "" {
			return p.fail("expected the name of a rule, found %s", p.found())
		}
		if _, twice := p.rules[name]; twice {
			return p.fail("rule %s is defined twice", name)
		}
		p.rule = name
		p.space(false)
		if !strings.HasPrefix(p.text[p.at:], "::=") {
			return p.fail("expected ::= after the name, found %s", p.found())
		}
		p.at += 3
		p.space(true)
		n, err := p.alternatives(false)
		if err != nil {
			return err
		}
		p.rules[name] = n
		p.order = append(p.order, name)
		if p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
			return p.fail("expected the end of the line, found %s", p.found())
		}
	}
	p.rule = ""
	if _, ok := p.rules["root"]; !ok {
		return fmt.Errorf("GBNF: there is no rule root, with which a text begins")
	}
	for _, name := range p.order {
		if err := p.defined(p.rules[name]); err != nil {
			return err
		}
	}
	return nil
}

func (p *gbnfParser) defined(n gbnfNode) error {
	if n.kind == gbnfName {
		if _, ok := p.rules[n.text]; !ok {
			return fmt.Errorf("GBNF: line %d: rule %s is not defined", p.used[n.text], n.text)
		}
	}
	for _, part := range n.parts {
		if err := p.defined(part); err != nil {
			return err
		}
	}
	return nil
}

func (p *gbnfParser) alternatives(nested bool) (gbnfNode, error) {
	if p.depth++; p.depth > maxDepth {
		return gbnfNode{}, p.fail("nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	all := gbnfNode{kind: gbnfAlternatives}
	for {
		n, err := p.sequence(nested)
		if err != nil {
			return all, err
		}
		all.parts = append(all.parts, n)
		if p.at == len(p.text) || p.text[p.at] != '|' {
			return all, nil
		}
		p.at++
		p.space(true)
	}
}

func (p *gbnfParser) sequence(nested bool) (gbnfNode, error) {
	all := gbnfNode{kind: gbnfSequence}
	for p.at < len(p.text) {
		var n gbnfNode
		var err error
		switch c := p.text[p.at]; {
		case c == '"':
			n, err = p.quoted()
		case c == '[':
			n, err = p.class()
		case c == '.':
			p.at++
			n = gbnfNode{kind: gbnfClass, ranges: [][2]rune{{0, utf8.MaxRune}}}
		case c == '(':
			p.at++
			p.space(true)
			if n, err = p.alternatives(true); err == nil {
				if p.at == len(p.text) || p.text[p.at] != ')' {
					return all, p.fail("expected ), found %s", p.found())
				}
				p.at++
			}
		case strings.IndexByte("*+?{", c) >= 0:
			return all, p.fail("%c has nothing before it to repeat", c)
		case c == '<' || c == '!':
			return all, p.fail("tokens as parts of a rule are not supported, write their text")
		default:
			at := p.at
			name := p.name()
			if name == "" {
				return all, nil
			}
			if _, ok := p.used[name]; !ok {
				p.used[name] = p.line
			}
			rest := strings.TrimLeft(p.text[p.at:], " \t")
			if !nested && strings.HasPrefix(rest, "::=") { // the next rule, on the line that this one should have ended
				p.at = at
				return all, nil
			}
			n = gbnfNode{kind: gbnfName, text: name}
		}
		if err != nil {
			return all, err
		}
		if n, err = p.repeated(n); err != nil {
			return all, err
		}
		all.parts = append(all.parts, n)
		p.space(nested)
	}
	return all, nil
}

// repeated reads the repetition marks after a part.
func (p *gbnfParser) repeated(n gbnfNode) (gbnfNode, error) {
	for p.at < len(p.text) {
		low, high := 0, -1
		switch p.text[p.at] {
		case '*':
		case '+':
			low = 1
		case '?':
			high = 1
		case '{':
			end := strings.IndexByte(p.text[p.at:], '}')
			if end < 0 {
				return n, p.fail("{ without }")
			}
			bounds := p.text[p.at+1 : p.at+end]
			first, last, ranged := strings.Cut(bounds, ",")
			var err error
			if low, err = p.count(first, bounds); err != nil {
				return n, err
			}
			switch last = strings.TrimSpace(last); {
			case !ranged:
				high = low
			case last != "":
				if high, err = p.count(last, bounds); err != nil {
					return n, err
				}
				if high < low {
					return n, p.fail("{%s}: the second bound is less than the first", bounds)
				}
			}
			p.at += end
		default:
			return n, nil
		}
		p.at++
		n = gbnfNode{kind: gbnfRepeat, parts: []gbnfNode{n}, low: low, high: high}
	}
	return n, nil
}

func (p *gbnfParser) count(digits, bounds string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil || n < 0 {
		return 0, p.fail("{%s}: expected counts, {n}, {n,} or {n,m}", bounds)
	}
	if n > maxStates {
		return 0, p.fail("{%s}: at most %d repetitions are supported", bounds, maxStates)
	}
	return n, nil
}

func (p *gbnfParser) quoted() (gbnfNode, error) {
	var out strings.Builder
	for p.at++; p.at < len(p.text); {
		if p.text[p.at] == '"' {
			p.at++
			return gbnfNode{kind: gbnfText, text: out.String()}, nil
		}
		r, err := p.character()
		if err != nil {
			return gbnfNode{}, err
		}
		out.WriteRune(r)
	}
	return gbnfNode{}, p.fail("a text has no closing quotation mark")
}

func (p *gbnfParser) class() (gbnfNode, error) {
	p.at++
	n := gbnfNode{kind: gbnfClass}
	negated := strings.HasPrefix(p.text[p.at:], "^")
	if negated {
		p.at++
	}
	for p.at < len(p.text) {
		if p.text[p.at] == ']' {
			p.at++
			if negated {
				n.ranges = complement(n.ranges)
			}
			return n, nil
		}
		low, err := p.character()
		if err != nil {
			return n, err
		}
		high := low
		if rest := p.text[p.at:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			p.at++
			if high, err = p.character(); err != nil {
				return n, err
			}
			if high < low {
				return n, p.fail("the range %c-%c of a class goes backwards", low, high)
			}
		}
		n.ranges = append(n.ranges, [2]rune{low, high})
	}
	return n, p.fail("a class has no closing bracket")
}

// character reads one code point of a text or class, escapes included.
func (p *gbnfParser) character() (rune, error) {
	r, size := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += size
	if r == '\n' {
		p.line++
	}
	if r != '\\' {
		return r, nil
	}
	if p.at == len(p.text) {
		return 0, p.fail("the grammar ends in a backslash")
	}
	c := p.text[p.at]
	p.at++
	digits := 0
	switch c {
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '"', '\\', '[', ']', '-', '^':
		return rune(c), nil
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		return 0, p.fail("unknown escape \\%c", c)
	}
	if len(p.text)-p.at < digits {
		return 0, p.fail("\\%c needs %d hexadecimal digits", c, digits)
	}
	code, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32)
	if err != nil || code > utf8.MaxRune || !utf8.ValidRune(rune(code)) {
		return 0, p.fail("\\%c%s is not a character", c, p.text[p.at:p.at+digits])
	}
	p.at += digits
	return rune(code), nil
}

func (p *gbnfParser) name() string {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			break
		}
		p.at++
	}
	return p.text[start:p.at]
}

// space skips blanks and comments, and line ends where a rule may go on after them.
func (p *gbnfParser) space(lines bool) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t':
			p.at++
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
				p.at++
			}
		case (c == '\n' || c == '\r') && lines:
			if c == '\n' {
				p.line++
			}
			p.at++
		default:
			return
		}
	}
}

func (p *gbnfParser) found() string {
	if p.at >= len(p.text) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return strconv.QuoteRune(r)
}

// complement is the code points outside the ranges.
func complement(ranges [][2]rune) [][2]rune {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	var out [][2]rune
	next := rune(0)
	for _, r := range sorted {
		if r[0] > next {
			out = append(out, [2]rune{next, r[0] - 1})
		}
		next = max(next, r[1]+1)
	}
	if next <= utf8.MaxRune {
		out = append(out, [2]rune{next, utf8.MaxRune})
	}
	return out
}
