package grammar

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed formats.json
var formatData []byte

// formats maps the names of "format" to patterns of strings that have it.
var formats = func() map[string]string {
	var table map[string]string
	if err := json.Unmarshal(formatData, &table); err != nil {
		panic("grammar: formats.json: " + err.Error())
	}
	return table
}()

// stringValue reads strings of a length, a pattern or a format.
func (c *compiler) stringValue(path string, v *value, from int32) (int32, error) {
	low, high, err := countRange(path, v, "minLength", "maxLength")
	if err != nil {
		return 0, err
	}
	pattern, format := v.members["pattern"], v.members["format"]
	keyword, expression := "pattern", ""
	switch {
	case pattern == nil && format == nil:
		return c.b.text(from, low, high), nil
	case pattern != nil && format != nil:
		return 0, &SchemaError{path, "format", "not supported beside pattern; use one of them"}
	case pattern != nil && pattern.kind != '"':
		return 0, &SchemaError{path, "pattern", "expected a text, found " + pattern.jsonType()}
	case pattern != nil:
		if expression, err = fromECMA(pattern.text); err != nil {
			return 0, &SchemaError{path, "pattern", err.Error()}
		}
	default:
		keyword = "format"
		known, ok := formats[format.text]
		if !ok || format.kind != '"' {
			names := make([]string, 0, len(formats))
			for name := range formats {
				names = append(names, name)
			}
			slices.Sort(names)
			return 0, &SchemaError{path, "format", fmt.Sprintf("%q is not supported; remove it, or use one of %s", format.text, strings.Join(names, ", "))}
		}
		expression = known
	}
	s, err := c.b.pattern(c.b.literal(from, `"`), expression, true, low, high)
	if err != nil {
		return 0, &SchemaError{path, keyword, err.Error()}
	}
	return c.b.literal(s, `"`), nil
}

// Regexp is the language of the texts that the whole of a regular expression (RE2 syntax) matches.
func Regexp(expression string) (*Grammar, error) {
	return build("regular expression", func(b *builder) (int32, error) {
		start := b.state()
		to, err := b.pattern(start, `\A(?:`+expression+`)\z`, false, 0, -1)
		if err != nil {
			return 0, err
		}
		b.end(to)
		return start, nil
	})
}

// pattern reads texts of low … high code points in which the expression matches somewhere; quoted spells them as the
// inside of a JSON string. The compiled expression is walked together with what anchors and lengths need to know.
func (b *builder) pattern(from int32, expression string, quoted bool, low, high int) (int32, error) {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return 0, fmt.Errorf("%s is not supported: %v", expression, err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, fmt.Errorf("%s is not supported: %v", expression, err)
	}
	type place struct {
		inst     uint32
		atStart  bool // nothing is read yet
		atEnd    bool // the end was asserted: nothing more may be read
		count    int  // code points read, as far as the limits need to know
		searches bool // before the match, skipping
		found    bool // after the match
	}
	far := low // above this, counting stops
	if high >= 0 {
		far = high
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
	sets := map[uint32]int32{} // rules of one code point of an instruction's set
	anyRune := b.codePoint(quoted)
	to := b.state()
	b.join(from, at(place{atStart: true, searches: true}))
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		s := states[p]
		read := func(rule int32, next place) { // one more code point, where the limits allow
			if p.atEnd || high >= 0 && p.count == high {
				return
			}
			next.atStart, next.count = false, min(p.count+1, far)
			b.invokeTo(s, rule, at(next))
		}
		if p.searches {
			read(anyRune, p)
			p.searches, p.inst = false, uint32(program.Start)
			b.join(s, at(p))
			continue
		}
		if p.found {
			read(anyRune, p)
			if p.count >= low {
				b.join(s, to)
			}
			continue
		}
		inst := &program.Inst[p.inst]
		next := p
		next.inst = inst.Out
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			b.join(s, at(next))
			next.inst = inst.Arg
			b.join(s, at(next))
		case syntax.InstCapture, syntax.InstNop:
			b.join(s, at(next))
		case syntax.InstMatch:
			next.found, next.inst = true, 0
			b.join(s, at(next))
		case syntax.InstFail:
		case syntax.InstEmptyWidth:
			switch syntax.EmptyOp(inst.Arg) {
			case syntax.EmptyBeginText:
				if p.atStart {
					b.join(s, at(next))
				}
			case syntax.EmptyEndText:
				next.atEnd = true
				b.join(s, at(next))
			default:
				return 0, fmt.Errorf("%s is not supported: word boundaries and line anchors", expression)
			}
		default:
			if _, ok := sets[p.inst]; !ok {
				sets[p.inst] = b.rule(func(from int32) int32 {
					end := b.state()
					for _, r := range instructionRunes(inst) {
						b.spelled(from, r[0], r[1], quoted, end)
					}
					return end
				})
			}
			read(sets[p.inst], next)
		}
	}
	return to, nil
}

// codePoint is the rule of any one code point.
func (b *builder) codePoint(quoted bool) int32 {
	if quoted {
		return b.character()
	}
	return b.named("code point", func(from int32) int32 {
		to := b.state()
		b.runes(from, 0, utf8.MaxRune, to)
		return to
	})
}

// spelled adds a range of code points; quoted ones with the fewest escapes.
func (b *builder) spelled(from int32, low, high rune, quoted bool, to int32) {
	if !quoted {
		b.runes(from, low, high, to)
		return
	}
	for r := low; r <= min(high, 0x1F); r++ {
		b.join(b.literal(from, escape(r)), to)
	}
	for _, r := range []rune{'"', '\\'} {
		if low <= r && r <= high {
			b.join(b.literal(from, escape(r)), to)
		}
	}
	for _, piece := range [][2]rune{{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, utf8.MaxRune}} {
		b.runes(from, max(low, piece[0]), min(high, piece[1]), to)
	}
}

// instructionRunes lists the ranges of code points that an instruction reads.
func instructionRunes(inst *syntax.Inst) [][2]rune {
	switch inst.Op {
	case syntax.InstRuneAny:
		return [][2]rune{{0, utf8.MaxRune}}
	case syntax.InstRuneAnyNotNL:
		return [][2]rune{{0, '\n' - 1}, {'\n' + 1, utf8.MaxRune}}
	}
	if len(inst.Rune) == 1 {
		r := inst.Rune[0]
		list := [][2]rune{{r, r}}
		if syntax.Flags(inst.Arg)&syntax.FoldCase != 0 {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				list = append(list, [2]rune{f, f})
			}
		}
		return list
	}
	var list [][2]rune
	for i := 0; i+1 < len(inst.Rune); i += 2 {
		list = append(list, [2]rune{inst.Rune[i], inst.Rune[i+1]})
	}
	return list
}
