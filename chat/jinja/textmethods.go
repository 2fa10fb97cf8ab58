package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// The methods of str. They work on code points and keep origins.
var textMethods map[string]builtin

// wantText is a[i] as a text; a missing one is an error.
func (in *interpreter) wantText(v Value) Value {
	in.use(v)
	if v.kind != kindString {
		in.fail(TypeError, "expected str, not %s", v.typeName())
	}
	return v
}

func (in *interpreter) intOr(v Value, otherwise int) int {
	switch {
	case v.kind == kindMissing || v.kind == kindNone:
		return otherwise
	case isInt(v):
		return v.int()
	}
	in.use(v)
	in.fail(TypeError, "expected an integer, not %s", v.typeName())
	return 0
}

func simple(f func(in *interpreter, v Value) Value) builtin {
	return builtin{"", func(in *interpreter, v Value, a []Value) Value { return f(in, v) }, nil}
}

func mapped(f func(string) string) builtin {
	return simple(func(in *interpreter, v Value) Value { return in.mapText(v, f) })
}

func asked(f func(string) bool) builtin {
	return simple(func(in *interpreter, v Value) Value { return Bool(f(v.text)) })
}

func upperText(s string) string { return cases.Upper(language.Und).String(s) }
func upperRune(r rune) string   { return upperText(string(r)) }
func lowerText(s string) string { return cases.Lower(language.Und).String(s) }

// all says whether s is not empty and f holds for every character.
func all(f func(rune) bool) func(string) bool {
	return func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !f(r) }) < 0
	}
}

// cased says whether s has a cased character and none of the other case.
func cased(want, other func(rune) bool) func(string) bool {
	return func(s string) bool { return strings.IndexFunc(s, want) >= 0 && strings.IndexFunc(s, other) < 0 }
}

func capitalize(in *interpreter, v Value) Value {
	first := true
	return in.titled(v, func(rune) bool { was := first; first = false; return was }, titleRune)
}

func titleRune(r rune) string { return cases.Title(language.Und, cases.NoLower).String(string(r)) }

// titled makes the character after every one for which starts is true a
// capital, in the way given, and the others small.
func (in *interpreter) titled(v Value, starts func(rune) bool, capital func(rune) string) Value {
	previous := ' '
	return in.mapRunes(v, func(at int, r rune) string {
		defer func() { previous = r }()
		if starts(previous) {
			return capital(r)
		}
		return lowerAt(v.text, at)
	})
}

func lower(in *interpreter, v Value) Value {
	if !strings.ContainsRune(v.text, 'Σ') {
		return in.mapText(v, lowerText)
	}
	return in.mapRunes(v, func(at int, _ rune) string { return lowerAt(v.text, at) })
}

func swapcase(in *interpreter, v Value) Value {
	return in.mapRunes(v, func(at int, r rune) string {
		switch {
		case unicode.IsUpper(r):
			return lowerAt(v.text, at)
		case unicode.IsLower(r):
			return upperRune(r)
		}
		return string(r)
	})
}

// lowerAt is the small form of the character at byte at of s: a sigma at the
// end of a word has a form of its own.
func lowerAt(s string, at int) string {
	r, size := utf8.DecodeRuneInString(s[at:])
	if r < utf8.RuneSelf {
		return string(unicode.ToLower(r))
	}
	if r != 'Σ' {
		return lowerText(string(r))
	}
	before := strings.TrimRightFunc(s[:at], caseIgnorable)
	after := strings.TrimLeftFunc(s[at+size:], caseIgnorable)
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(after)
	if cased1(last) && !cased1(next) {
		return "ς"
	}
	return "σ"
}

func cased1(r rune) bool { return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) }

// caseIgnorable are characters that the end of a word is looked for behind.
func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’", r)
}

// isTitle says whether every word of s starts with a capital and goes on small.
func isTitle(s string) bool {
	some, inside := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			if inside {
				return false
			}
			some, inside = true, true
		case unicode.IsLower(r):
			if !inside {
				return false
			}
		default:
			inside = false
		}
	}
	return some
}

// affix is startswith and endswith: with one text or a tuple of them.
func affix(has func(s, affix string) bool) builtin {
	return builtin{"*affix start end", func(in *interpreter, v Value, a []Value) Value {
		start, end := in.bounds(a[1], a[2], v.runes())
		text, inside := "", start <= end
		if inside {
			text = v.text[v.at(start):v.at(end)]
		}
		if a[0].kind == kindTuple {
			for _, item := range a[0].items() {
				if inside && has(text, in.wantText(item).text) {
					return Bool(true)
				}
			}
			return Bool(false)
		}
		return Bool(has(text, in.wantText(a[0]).text) && inside)
	}, nil}
}

// found is find, rfind, index and rindex.
func found(search func(s, sub string) int, must bool) builtin {
	return builtin{"*sub start end", func(in *interpreter, v Value, a []Value) Value {
		in.step(1 + len(v.text)/64)
		start, end := in.bounds(a[1], a[2], v.runes())
		i := -1
		if from := v.at(start); start <= end {
			if i = search(v.text[from:v.at(end)], in.wantText(a[0]).text); i >= 0 {
				i = start + utf8.RuneCountInString(v.text[from:from+i])
			}
		}
		if i < 0 && must {
			in.fail(ValueError, "substring not found")
		}
		return Int(i)
	}, nil}
}

// replace replaces most occurrences at most (all if negative).
func (in *interpreter) replace(v, old, new Value, most int) Value {
	w := writer{in: in}
	at := 0
	if old.text == "" { // between all characters, and at both ends
		for i := range v.text {
			if most == 0 {
				break
			}
			w.addText(v.part(at, i))
			w.addText(new)
			at = i
			most--
		}
		w.addText(v.part(at, len(v.text)))
		if most != 0 {
			w.addText(new)
		}
		return w.value()
	}
	for most != 0 {
		i := strings.Index(v.text[at:], old.text)
		if i < 0 {
			break
		}
		w.addText(v.part(at, at+i))
		w.addText(new)
		at += i + len(old.text)
		most--
	}
	if at == 0 {
		return v
	}
	w.addText(v.part(at, len(v.text)))
	out := w.value()
	out.markup = v.markup
	return out
}

// split cuts v at sep (at runs of blanks if it is missing) at most most times
// (always if negative), counted from the right if fromRight.
func (in *interpreter) split(v, sep Value, most int, fromRight bool) Value {
	var parts []Value
	if sep.kind == kindMissing || sep.kind == kindNone {
		return in.newList(in.fields(v, most, fromRight))
	}
	if in.wantText(sep).text == "" {
		in.fail(ValueError, "empty separator")
	}
	if fromRight {
		end := len(v.text)
		for most != 0 {
			i := strings.LastIndex(v.text[:end], sep.text)
			if i < 0 {
				break
			}
			in.spend(valueSize)
			parts = append(parts, v.part(i+len(sep.text), end))
			end = i
			most--
		}
		parts = append(parts, v.part(0, end))
		slices.Reverse(parts)
		return in.newList(parts)
	}
	at := 0
	for most != 0 {
		i := strings.Index(v.text[at:], sep.text)
		if i < 0 {
			break
		}
		in.spend(valueSize)
		parts = append(parts, v.part(at, at+i))
		at += i + len(sep.text)
		most--
	}
	return in.newList(append(parts, v.part(at, len(v.text))))
}

func (in *interpreter) fields(v Value, most int, fromRight bool) []Value {
	parts := []Value{}
	rest := strip(v, isSpace, !fromRight, fromRight)
	for ; most != 0 && rest.text != ""; most-- {
		in.spend(valueSize)
		i := strings.IndexFunc(rest.text, isSpace)
		if fromRight {
			i = strings.LastIndexFunc(rest.text, isSpace)
		}
		switch {
		case i < 0:
			parts, rest = append(parts, rest), Value{}
		case fromRight:
			_, size := utf8.DecodeRuneInString(rest.text[i:])
			parts = append(parts, rest.part(i+size, len(rest.text)))
			rest = strip(rest.part(0, i), isSpace, false, true)
		default:
			parts = append(parts, rest.part(0, i))
			rest = strip(rest.part(i, len(rest.text)), isSpace, true, false)
		}
	}
	if rest.text != "" {
		parts = append(parts, rest)
	}
	if fromRight {
		slices.Reverse(parts)
	}
	return parts
}

func partition(search func(s, sub string) int, fromRight bool) builtin {
	return builtin{"*sep", func(in *interpreter, v Value, a []Value) Value {
		sep := in.wantText(a[0])
		if sep.text == "" {
			in.fail(ValueError, "empty separator")
		}
		i := search(v.text, sep.text)
		switch {
		case i >= 0:
			return tuple(v.part(0, i), v.part(i, i+len(sep.text)), v.part(i+len(sep.text), len(v.text)))
		case fromRight:
			return tuple(String(""), String(""), v)
		}
		return tuple(v, String(""), String(""))
	}, nil}
}

// lineBreak says whether str.splitlines cuts at r.
func lineBreak(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

func (in *interpreter) lines(v Value, keep bool) []Value {
	lines := []Value{}
	for at := 0; at < len(v.text); {
		i := strings.IndexFunc(v.text[at:], lineBreak)
		if i < 0 {
			return append(lines, v.part(at, len(v.text)))
		}
		end := at + i
		_, size := utf8.DecodeRuneInString(v.text[end:])
		if strings.HasPrefix(v.text[end:], "\r\n") {
			size = 2
		}
		in.spend(valueSize)
		if keep {
			lines = append(lines, v.part(at, end+size))
		} else {
			lines = append(lines, v.part(at, end))
		}
		at = end + size
	}
	return lines
}

// pad fills v up to width characters, share of the filling on the left.
func (in *interpreter) pad(v Value, width int, fill Value, left func(missing int) int) Value {
	if fill.kind == kindMissing {
		fill = String(" ")
	}
	if in.wantText(fill).runes() != 1 {
		in.fail(TypeError, "The fill character must be exactly one character long")
	}
	missing := width - v.runes()
	if missing <= 0 {
		return v
	}
	in.room(missing)
	n := left(missing)
	return in.join(in.repeat(fill, Int(n)), v, in.repeat(fill, Int(missing-n)))
}

func padded(left func(missing int) int) builtin {
	return builtin{"*width fillchar", func(in *interpreter, v Value, a []Value) Value {
		width := in.intOr(a[0], 0)
		return in.pad(v, width, a[1], func(missing int) int {
			if left == nil { // center: Python puts the odd one left when the width is odd
				return missing/2 + missing&width&1
			}
			return left(missing)
		})
	}, nil}
}

func fillTextMethods() {
	strips := func(left, right bool) builtin {
		return builtin{"chars", func(in *interpreter, v Value, a []Value) Value {
			return strip(v, in.stripSet(a[0]), left, right)
		}, nil}
	}
	splits := func(fromRight bool) builtin {
		return builtin{"sep maxsplit", func(in *interpreter, v Value, a []Value) Value {
			return in.split(v, a[0], in.intOr(a[1], -1), fromRight)
		}, nil}
	}
	isDigit := func(r rune) bool { return unicode.IsDigit(r) }
	textMethods = map[string]builtin{
		"upper": mapped(upperText), "lower": simple(lower), "casefold": mapped(func(s string) string { return cases.Fold().String(s) }),
		"swapcase": simple(swapcase), "capitalize": simple(capitalize),
		"title": simple(func(in *interpreter, v Value) Value {
			return in.titled(v, func(r rune) bool { return !cased1(r) }, titleRune)
		}),
		"strip": strips(true, true), "lstrip": strips(true, false), "rstrip": strips(false, true),
		"startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
		"find": found(strings.Index, false), "rfind": found(strings.LastIndex, false),
		"index": found(strings.Index, true), "rindex": found(strings.LastIndex, true),
		"count": {"*sub start end", func(in *interpreter, v Value, a []Value) Value {
			in.step(1 + len(v.text)/64)
			sub := in.wantText(a[0]).text
			start, end := in.bounds(a[1], a[2], v.runes())
			if start > end {
				return Int(0)
			}
			return Int(strings.Count(v.text[v.at(start):v.at(end)], sub))
		}, nil},
		"replace": {"*old *new count", func(in *interpreter, v Value, a []Value) Value {
			return in.replace(v, in.wantText(a[0]), in.wantText(a[1]), in.intOr(a[2], -1))
		}, nil},
		"split": splits(false), "rsplit": splits(true),
		"splitlines": {"keepends", func(in *interpreter, v Value, a []Value) Value {
			return in.newList(in.lines(v, a[0].truth()))
		}, nil},
		"partition": partition(strings.Index, false), "rpartition": partition(strings.LastIndex, true),
		"join": {"*iterable", func(in *interpreter, v Value, a []Value) Value {
			w := writer{in: in}
			for i, item := range in.iterate(a[0]) {
				if item.kind != kindString {
					in.fail(TypeError, "sequence item %d: expected str instance, %s found", i, item.typeName())
				}
				if i > 0 {
					w.addText(v)
				}
				w.addText(item)
			}
			return w.value()
		}, nil},
		"isalpha": asked(all(unicode.IsLetter)), "isdigit": asked(all(isDigit)), "isdecimal": asked(all(isDigit)),
		"isnumeric": asked(all(unicode.IsNumber)), "isspace": asked(all(isSpace)),
		"isalnum": asked(all(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })),
		"isupper": asked(cased(unicode.IsUpper, unicode.IsLower)), "islower": asked(cased(unicode.IsLower, unicode.IsUpper)),
		"isidentifier": asked(func(s string) bool { return s != "" && name(s) == len(s) }),
		"isprintable": asked(func(s string) bool {
			return strings.IndexFunc(s, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }) < 0
		}),
		"istitle": asked(isTitle),
		"isascii": asked(func(s string) bool {
			return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
		}),
		"removeprefix": {"*prefix", func(in *interpreter, v Value, a []Value) Value {
			return v.part(len(v.text)-len(strings.TrimPrefix(v.text, in.wantText(a[0]).text)), len(v.text))
		}, nil},
		"removesuffix": {"*suffix", func(in *interpreter, v Value, a []Value) Value {
			return v.part(0, len(strings.TrimSuffix(v.text, in.wantText(a[0]).text)))
		}, nil},
		"ljust": padded(func(int) int { return 0 }), "rjust": padded(func(missing int) int { return missing }), "center": padded(nil),
		"zfill": {"*width", func(in *interpreter, v Value, a []Value) Value {
			sign := 0
			if v.text != "" && (v.text[0] == '-' || v.text[0] == '+') {
				sign = 1
			}
			missing := in.intOr(a[0], 0) - v.runes()
			if missing <= 0 {
				return v
			}
			in.room(missing)
			return in.join(v.part(0, sign), in.repeat(String("0"), Int(missing)), v.part(sign, len(v.text)))
		}, nil},
		"expandtabs": {"tabsize", func(in *interpreter, v Value, a []Value) Value {
			size, column := in.intOr(a[0], 8), 0
			in.room(size)
			w := writer{in: in}
			for _, c := range in.iterate(v) {
				switch {
				case c.text == "\t" && size <= 0:
				case c.text == "\t":
					w.add(strings.Repeat(" ", size-column%size), c.tag)
					column = 0
				default:
					w.addText(c)
					if column++; c.text == "\n" || c.text == "\r" {
						column = 0
					}
				}
			}
			return w.value()
		}, nil},
		"format": {raw: func(in *interpreter, v Value, a callArguments) Value { return in.braces(v, a) }},
	}
}
