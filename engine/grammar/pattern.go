package grammar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reading says which meaning of \d, \w, \s, '.' and their complements is taken. ECMA-262, Python and RE2 differ in what
// they say beyond ASCII; so that what is generated is valid for a validator of any of them, a pattern that must match is
// read narrowly and one that must not match widely.
type reading int

const (
	narrow reading = iota // what all of them allow
	wide                  // what any of them allows
	exact                 // ECMA-262 with the flag u, which JSON Schema asks for
)

func (r reading) opposite() reading {
	switch r {
	case narrow:
		return wide
	case wide:
		return narrow
	}
	return exact
}

var (
	asciiDigits = ranges{{'0', '9'}}
	asciiWord   = normal(ranges{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}})
	ecmaSpaces  = normal(ranges{{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}})
	allDigits   = asciiDigits.union(ofTable(unicode.Nd))
	allWord     = asciiWord.union(ofTable(unicode.L)).union(ofTable(unicode.N)).union(ofTable(unicode.M))
	allSpaces   = ecmaSpaces.union(ranges{{0x1C, 0x1F}, {0x85, 0x85}})
	fewSpaces   = ranges{{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}
)

// shorthand is the set of \d, \w, \s and '.', in a reading.
func (r reading) shorthand(c byte) ranges {
	pick := func(few, ecma, all ranges) ranges { return [...]ranges{narrow: few, wide: all, exact: ecma}[r] }
	switch c {
	case 'd':
		return pick(asciiDigits, asciiDigits, allDigits)
	case 'w':
		return pick(asciiWord, asciiWord, allWord)
	case 's':
		return pick(fewSpaces, ecmaSpaces, allSpaces)
	case '.':
		lineEnds := ranges{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}
		return pick(lineEnds.complement(), lineEnds.complement(), ranges{{'\n', '\n'}}.complement())
	}
	return r.opposite().shorthand(c + 'a' - 'A').complement() // \D is what is no \d
}

// expression is a parsed pattern.
type expression struct {
	kind      expressionKind
	set       ranges
	parts     []*expression
	low, high int  // repeated
	negative  bool // looking: what follows must not match
}

type expressionKind byte

const (
	runeOf   expressionKind = iota
	inOrder                 // all parts
	anyOf                   // one of the parts
	repeated                // the part, low to high times
	atStart                 // ^
	atEnd                   // $
	atBorder                // \b, negative \B
	looking                 // look-ahead
)

// patternParser reads ECMA-262's syntax.
type patternParser struct {
	text    string
	at      int
	depth   int
	meaning reading
	fold    bool // (?i)
	dotAll  bool // (?s)
	inline  bool // flags and \A, \z are allowed
}

// parsePattern reads a pattern of JSON Schema.
func parsePattern(text string, meaning reading) (*expression, error) {
	p := &patternParser{text: text, meaning: meaning}
	return p.whole()
}

func (p *patternParser) whole() (*expression, error) {
	if !utf8.ValidString(p.text) {
		return nil, p.fail("it is not valid UTF-8")
	}
	e, err := p.alternatives()
	if err == nil && p.at < len(p.text) {
		err = p.fail("a ) without (")
	}
	return e, err
}

func (p *patternParser) fail(format string, args ...any) error {
	shown := p.text
	if len(shown) > 80 {
		shown = shown[:80] + "…"
	}
	return fmt.Errorf("%q at byte %d: %s", shown, p.at, fmt.Sprintf(format, args...))
}

func (p *patternParser) rest() string { return p.text[p.at:] }

func (p *patternParser) skip(text string) bool {
	ok := strings.HasPrefix(p.rest(), text)
	if ok {
		p.at += len(text)
	}
	return ok
}

func (p *patternParser) alternatives() (*expression, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	all := &expression{kind: anyOf}
	for {
		part := &expression{kind: inOrder}
		for p.at < len(p.text) && p.text[p.at] != '|' && p.text[p.at] != ')' {
			e, err := p.term()
			if err != nil {
				return nil, err
			}
			part.parts = append(part.parts, e)
		}
		all.parts = append(all.parts, part)
		if !p.skip("|") {
			break
		}
	}
	if len(all.parts) == 1 {
		return all.parts[0], nil
	}
	return all, nil
}

func (p *patternParser) term() (*expression, error) {
	e, err := p.atom()
	if err != nil {
		return nil, err
	}
	low, high, ok, err := p.count()
	if err != nil || !ok {
		return e, err
	}
	if e.kind == atStart || e.kind == atEnd || e.kind == atBorder || e.kind == looking {
		return nil, p.fail("an assertion is repeated")
	}
	if p.skip("?"); strings.HasPrefix(p.rest(), "+") && p.inline { // lazy: the same texts
		return nil, p.fail("possessive repetition is not supported")
	}
	if _, _, again, _ := p.count(); again {
		return nil, p.fail("nothing to repeat")
	}
	return &expression{kind: repeated, parts: []*expression{e}, low: low, high: high}, nil
}

// count reads a repetition.
func (p *patternParser) count() (low, high int, ok bool, err error) {
	switch {
	case p.skip("*"):
		return 0, -1, true, nil
	case p.skip("+"):
		return 1, -1, true, nil
	case p.skip("?"):
		return 0, 1, true, nil
	}
	if !strings.HasPrefix(p.rest(), "{") {
		return 0, 0, false, nil
	}
	end := strings.IndexByte(p.rest(), '}')
	if end < 0 {
		return 0, 0, false, nil // a brace like any other
	}
	first, last, ranged := strings.Cut(p.rest()[1:end], ",")
	if strings.Trim(first+last, "0123456789") != "" || first+last == "" {
		return 0, 0, false, nil
	}
	if first == "" {
		return 0, 0, false, p.fail("{,%s} means one thing in ECMA-262 and another elsewhere; write {0,%s}", last, last)
	}
	low, errLow := strconv.Atoi(first)
	high = low
	var errHigh error
	switch {
	case ranged && last == "":
		high = -1
	case ranged:
		high, errHigh = strconv.Atoi(last)
	}
	if errLow != nil || errHigh != nil || max(low, high) > maxAutomaton {
		return 0, 0, false, p.fail("{%s}: at most %d repetitions are supported", p.rest()[1:end], maxAutomaton)
	}
	if high >= 0 && high < low {
		return 0, 0, false, p.fail("{%d,%d} goes backwards", low, high)
	}
	p.at += end + 1
	return low, high, true, nil
}

func (p *patternParser) atom() (*expression, error) {
	switch c := p.text[p.at]; c {
	case '^':
		p.at++
		return &expression{kind: atStart}, nil
	case '$':
		p.at++
		return &expression{kind: atEnd}, nil
	case '.':
		p.at++
		if p.dotAll {
			return p.one(allRunes), nil
		}
		return p.one(p.meaning.shorthand('.')), nil
	case '(':
		return p.group()
	case '[':
		return p.class()
	case '*', '+', '?':
		return nil, p.fail("nothing to repeat")
	case '\\':
		return p.escape()
	}
	r, size := utf8.DecodeRuneInString(p.rest())
	p.at += size
	return p.one(ranges{{r, r}}), nil
}

func (p *patternParser) one(set ranges) *expression {
	if p.fold {
		set = set.folded()
	}
	return &expression{kind: runeOf, set: set}
}

// group reads what begins with (.
func (p *patternParser) group() (*expression, error) {
	p.at++
	look := func(negative bool) *expression { return &expression{kind: looking, negative: negative} }
	var around *expression
	kept := p.meaning
	switch {
	case p.skip("?:"):
	case p.skip("?="):
		around = look(false)
	case p.skip("?!"):
		around = look(true)
		p.meaning = p.meaning.opposite()
	case strings.HasPrefix(p.rest(), "?<=") || strings.HasPrefix(p.rest(), "?<!"):
		return nil, p.fail("look-behind is not supported")
	case p.skip("?<"), p.inline && p.skip("?P<"):
		end := strings.IndexByte(p.rest(), '>')
		if end <= 0 {
			return nil, p.fail("the name of a group is not closed")
		}
		p.at += end + 1
	case p.inline && strings.HasPrefix(p.rest(), "?"):
		flags, _, _ := strings.Cut(p.rest()[1:], ")")
		if strings.Trim(flags, "is") != "" || flags == "" || len(flags)+2 > len(p.rest()) {
			return nil, p.fail("only the flags (?i) and (?s) are supported")
		}
		p.fold, p.dotAll = p.fold || strings.Contains(flags, "i"), p.dotAll || strings.Contains(flags, "s")
		p.at += len(flags) + 2
		return &expression{kind: inOrder}, nil
	case strings.HasPrefix(p.rest(), "?"):
		return nil, p.fail("flags within a pattern are not supported")
	}
	e, err := p.alternatives()
	p.meaning = kept
	if err != nil {
		return nil, err
	}
	if !p.skip(")") {
		return nil, p.fail("a ( without )")
	}
	if around != nil {
		around.parts = []*expression{e}
		return around, nil
	}
	return e, nil
}

// class reads what begins with [.
func (p *patternParser) class() (*expression, error) {
	p.at++
	negated := p.skip("^")
	if negated {
		p.meaning = p.meaning.opposite()
		defer func() { p.meaning = p.meaning.opposite() }()
	}
	var set ranges
	for {
		if p.at == len(p.text) {
			return nil, p.fail("a [ without ]")
		}
		if p.skip("]") {
			break
		}
		low, err := p.member()
		if err != nil {
			return nil, err
		}
		if rest := p.rest(); len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			p.at++
			high, err := p.member()
			if err != nil {
				return nil, err
			}
			single := func(s ranges) bool { return len(s) == 1 && s[0][0] == s[0][1] }
			switch {
			case !single(low) || !single(high):
				set = append(append(append(set, low...), high...), [2]rune{'-', '-'})
			case low[0][0] > high[0][0]:
				return nil, p.fail("the range %c-%c goes backwards", low[0][0], high[0][0])
			default:
				set = append(set, [2]rune{low[0][0], high[0][0]})
			}
			continue
		}
		set = append(set, low...)
	}
	set = normal(set)
	if p.fold {
		set = set.folded()
	}
	if negated {
		set = set.complement()
	}
	return &expression{kind: runeOf, set: set}, nil
}

// member reads one character, or an escape for several, of a class.
func (p *patternParser) member() (ranges, error) {
	if p.text[p.at] != '\\' {
		r, size := utf8.DecodeRuneInString(p.rest())
		p.at += size
		return ranges{{r, r}}, nil
	}
	if p.skip(`\b`) {
		return ranges{{'\b', '\b'}}, nil
	}
	if p.skip(`\-`) {
		return ranges{{'-', '-'}}, nil
	}
	e, err := p.escape()
	if err != nil {
		return nil, err
	}
	if e.kind != runeOf {
		return nil, p.fail("an assertion within a class")
	}
	return e.set, nil
}

// escape reads what begins with a backslash.
func (p *patternParser) escape() (*expression, error) {
	p.at++
	if p.at == len(p.text) {
		return nil, p.fail("it ends in a backslash")
	}
	c := p.text[p.at]
	p.at++
	switch c {
	case 'd', 'D', 'w', 'W', 's', 'S':
		return &expression{kind: runeOf, set: p.meaning.shorthand(c)}, nil
	case 'b', 'B':
		return &expression{kind: atBorder, negative: c == 'B'}, nil
	case 'p', 'P':
		set, err := p.property()
		if err != nil {
			return nil, err
		}
		if c == 'P' {
			set = set.complement()
		}
		return p.one(set), nil
	case 'x', 'u':
		r, err := p.code(c)
		return p.one(ranges{{r, r}}), err
	case 'c':
		if p.at < len(p.text) && 'a' <= p.text[p.at]|0x20 && p.text[p.at]|0x20 <= 'z' {
			r := rune(p.text[p.at] & 31)
			p.at++
			return p.one(ranges{{r, r}}), nil
		}
		return nil, p.fail(`\c needs a letter`)
	case '0':
		if p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
			return nil, p.fail("octal escapes are not supported")
		}
		return p.one(ranges{{0, 0}}), nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9', 'k':
		return nil, p.fail(`back reference \%c is not supported`, c)
	}
	if i := strings.IndexByte("nrtfv", c); i >= 0 {
		r := rune("\n\r\t\f\v"[i])
		return p.one(ranges{{r, r}}), nil
	}
	if p.inline && c == 'A' {
		return &expression{kind: atStart}, nil
	}
	if p.inline && (c == 'z' || c == 'Z') {
		return &expression{kind: atEnd}, nil
	}
	if c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
		return nil, p.fail(`\%c is no escape of ECMA-262`, c)
	}
	return p.one(ranges{{rune(c), rune(c)}}), nil
}

// code reads the digits of \x and \u; two \u that are a surrogate pair are one character.
func (p *patternParser) code(c byte) (rune, error) {
	if c == 'u' && p.skip("{") {
		end := strings.IndexByte(p.rest(), '}')
		if end >= 0 {
			if n, err := strconv.ParseUint(p.rest()[:end], 16, 32); err == nil && utf8.ValidRune(rune(n)) && n <= utf8.MaxRune {
				p.at += end + 1
				return rune(n), nil
			}
		}
		return 0, p.fail(`\u{…} needs the hexadecimal digits of a character`)
	}
	n := 2
	if c == 'u' {
		n = 4
	}
	hex := func() (rune, error) {
		if len(p.rest()) < n || strings.Trim(p.rest()[:n], "0123456789abcdefABCDEF") != "" {
			return 0, p.fail(`\%c needs %d hexadecimal digits`, c, n)
		}
		r, err := strconv.ParseUint(p.rest()[:n], 16, 32)
		p.at += n
		return rune(r), err
	}
	r, err := hex()
	if err != nil || r < 0xD800 || r > 0xDFFF {
		return r, err
	}
	if r < 0xDC00 && p.skip(`\u`) {
		low, err := hex()
		if err != nil {
			return 0, err
		}
		if low >= 0xDC00 && low <= 0xDFFF {
			return 0x10000 + (r-0xD800)<<10 + low - 0xDC00, nil
		}
	}
	return 0, p.fail("half of a surrogate pair is no character")
}

// Long names of general categories.
var categories = map[string]string{"Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Titlecase_Letter": "Lt", "Modifier_Letter": "Lm", "Other_Letter": "Lo",
	"Mark": "M", "Nonspacing_Mark": "Mn", "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd", "digit": "Nd", "Letter_Number": "Nl", "Other_Number": "No",
	"Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc", "Dash_Punctuation": "Pd", "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi", "Final_Punctuation": "Pf", "Other_Punctuation": "Po",
	"Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc", "Modifier_Symbol": "Sk", "Other_Symbol": "So",
	"Separator": "Z", "Space_Separator": "Zs", "Line_Separator": "Zl", "Paragraph_Separator": "Zp", "Other": "C", "Control": "Cc", "cntrl": "Cc", "Format": "Cf", "Private_Use": "Co"}

// property reads the name after \p.
func (p *patternParser) property() (ranges, error) {
	name := ""
	if p.skip("{") {
		end := strings.IndexByte(p.rest(), '}')
		if end < 0 {
			return nil, p.fail(`\p{ without }`)
		}
		name = p.rest()[:end]
		p.at += end + 1
	} else if p.inline && p.at < len(p.text) {
		name = p.text[p.at : p.at+1]
		p.at++
	}
	key, value, pair := strings.Cut(name, "=")
	script := pair && (key == "Script" || key == "sc" || key == "Script_Extensions" || key == "scx")
	if pair {
		if !script && key != "General_Category" && key != "gc" {
			return nil, p.fail(`\p{%s} is not supported`, name)
		}
		name = value
	}
	if long, ok := categories[name]; ok {
		name = long
	}
	switch {
	case name == "Any" && !pair:
		return allRunes, nil
	case name == "ASCII" && !pair:
		return ranges{{0, 0x7F}}, nil
	case !script && unicode.Categories[name] != nil:
		return ofTable(unicode.Categories[name]), nil
	case (script || p.inline) && unicode.Scripts[name] != nil:
		return ofTable(unicode.Scripts[name]), nil
	case !pair && (name == "Alphabetic" || name == "Alpha"):
		return ofTable(unicode.L).union(ofTable(unicode.Nl)).union(ofTable(unicode.Other_Alphabetic)), nil
	case !pair && (name == "Lowercase" || name == "Uppercase"):
		table, other := unicode.Ll, unicode.Other_Lowercase
		if name == "Uppercase" {
			table, other = unicode.Lu, unicode.Other_Uppercase
		}
		return ofTable(table).union(ofTable(other)), nil
	case !pair && unicode.Properties[name] != nil:
		return ofTable(unicode.Properties[name]), nil
	}
	return nil, p.fail(`\p{%s} is not known`, name)
}
