package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenText
	tokenVariableBegin // {{
	tokenVariableEnd
	tokenBlockBegin // {%
	tokenBlockEnd
	tokenName
	tokenString // text is the decoded value
	tokenInteger
	tokenFloat
	tokenOperator
)

type token struct {
	kind tokenKind
	text string
	line int
}

// lexer splits a source with Jinja2's rules as transformers sets them:
// trim_blocks (the first newline after a block or comment goes), lstrip_blocks
// (blanks before one at the start of a line go) and no trailing newline.
type lexer struct {
	source       string
	at, line     int
	lineStarting bool
	tokens       []token
}

func lex(source string) ([]token, *Error) {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	l := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1, lineStarting: true}
	for l.at < len(l.source) {
		if err := l.root(); err != nil {
			err.Line = l.line
			return nil, err
		}
	}
	return append(l.tokens, token{tokenEnd, "", l.line}), nil
}

func (l *lexer) emit(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind, text, l.line})
}

// skip moves to position to, counting lines.
func (l *lexer) skip(to int) {
	l.line += strings.Count(l.source[l.at:to], "\n")
	l.at = to
}

// root reads text up to the next tag, and that tag.
func (l *lexer) root() *Error {
	rest := l.source[l.at:]
	tag := nextTag(rest)
	if tag < 0 {
		l.emit(tokenText, rest)
		l.skip(len(l.source))
		return nil
	}
	text, kind := rest[:tag], rest[tag+1]
	open := tag + 2
	sign := byte(0)
	if open < len(rest) && (rest[open] == '-' || rest[open] == '+') {
		sign = rest[open]
		open++
	}
	raw := 0
	if kind == '%' {
		raw = rawBegin(rest[open:])
	}
	l.text(text, kind, sign)
	switch {
	case kind == '#':
		return l.comment(l.at + open)
	case raw > 0:
		return l.raw(l.at + open + raw)
	}
	l.skip(l.at + open)
	return l.inside(kind)
}

// text emits what stands before a tag, stripped as the tag's sign asks.
func (l *lexer) text(text string, kind, sign byte) {
	switch {
	case sign == '-':
		text = strings.TrimRightFunc(text, isSpace)
	case sign != '+' && kind != '{':
		start := strings.LastIndexByte(text, '\n') + 1
		if (start > 0 || l.lineStarting) && strings.TrimLeftFunc(text[start:], isSpace) == "" {
			text = text[:start]
		}
	}
	if text != "" {
		l.emit(tokenText, text)
	}
}

func nextTag(s string) int {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '{')
		if i < 0 || from+i+1 >= len(s) {
			return -1
		}
		from += i
		if c := s[from+1]; c == '{' || c == '%' || c == '#' {
			return from
		}
		from++
	}
}

// closing reads a tag's end from position at: "-}}" also takes the blanks
// after it, "%}" one newline unless "+%}". It returns the length, 0 if there is
// no end here.
func closing(s, end string) int {
	if strings.HasPrefix(s, "-"+end) {
		n := len(end) + 1
		return n + len(s[n:]) - len(strings.TrimLeftFunc(s[n:], isSpace))
	}
	block := end != "}}"
	if block && strings.HasPrefix(s, "+"+end) {
		return len(end) + 1
	}
	if !strings.HasPrefix(s, end) {
		return 0
	}
	if block && strings.HasPrefix(s[len(end):], "\n") {
		return len(end) + 1
	}
	return len(end)
}

func (l *lexer) close(length int) {
	end := l.at + length
	l.lineStarting = l.source[end-1] == '\n'
	l.skip(end)
}

func (l *lexer) comment(from int) *Error {
	i := strings.Index(l.source[from:], "#}")
	if i < 0 {
		return fail(SyntaxError, "missing end of comment tag: expected '#}'")
	}
	i += from
	if i > from && (l.source[i-1] == '-' || l.source[i-1] == '+') {
		i--
	}
	l.skip(i)
	l.close(closing(l.source[i:], "#}"))
	return nil
}

// rawBegin is the length of " raw %}" at the start of s, 0 if it is not there.
func rawBegin(s string) int {
	t := strings.TrimLeftFunc(s, isSpace)
	t, ok := strings.CutPrefix(t, "raw")
	if !ok {
		return 0
	}
	t = strings.TrimLeftFunc(t, isSpace)
	if after, ok := strings.CutPrefix(t, "-%}"); ok {
		return len(s) - len(strings.TrimLeftFunc(after, isSpace))
	}
	if after, ok := strings.CutPrefix(t, "%}"); ok {
		return len(s) - len(after)
	}
	return 0
}

func (l *lexer) raw(from int) *Error {
	l.skip(from)
	l.lineStarting = strings.HasSuffix(l.source[:from], "\n")
	for search := from; ; search += 2 {
		i := strings.Index(l.source[search:], "{%")
		if i < 0 {
			return fail(SyntaxError, "missing end of raw directive: expected '{%% endraw %%}'")
		}
		search += i
		inner := search + 2
		sign := byte(0)
		if inner < len(l.source) && (l.source[inner] == '-' || l.source[inner] == '+') {
			sign = l.source[inner]
			inner++
		}
		t := strings.TrimLeftFunc(l.source[inner:], isSpace)
		t, ok := strings.CutPrefix(t, "endraw")
		if !ok {
			continue
		}
		t = strings.TrimLeftFunc(t, isSpace)
		if n := closing(t, "%}"); n > 0 {
			l.text(l.source[from:search], '%', sign)
			l.skip(len(l.source) - len(t))
			l.close(n)
			return nil
		}
	}
}

// Longest first.
var operators = []string{
	"**", "//", "==", "!=", ">=", "<=",
	"+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

// inside reads the tokens of a {{ … }} or {% … %}.
func (l *lexer) inside(kind byte) *Error {
	end, beginKind, endKind := "}}", tokenVariableBegin, tokenVariableEnd
	if kind == '%' {
		end, beginKind, endKind = "%}", tokenBlockBegin, tokenBlockEnd
	}
	l.emit(beginKind, "")
	var open []byte // brackets that wait for their partner
	for {
		rest := l.source[l.at:]
		trimmed := strings.TrimLeftFunc(rest, isSpace)
		l.skip(len(l.source) - len(trimmed))
		rest = trimmed
		if rest == "" {
			return fail(SyntaxError, "unexpected end of template: a tag is not closed by '%s'", end)
		}
		if len(open) == 0 {
			if n := closing(rest, end); n > 0 {
				l.emit(endKind, end)
				l.close(n)
				return nil
			}
		}
		c := rest[0]
		switch {
		case c >= '0' && c <= '9':
			n, float := number(rest, l.afterDot())
			kind := tokenInteger
			if float {
				kind = tokenFloat
			}
			l.emit(kind, strings.ReplaceAll(rest[:n], "_", ""))
			l.skip(l.at + n)
		case c == '"' || c == '\'':
			n := quoted(rest)
			if n == 0 {
				return fail(SyntaxError, "unexpected char %q at %d: the text has no closing quote", c, l.at)
			}
			text, err := unescape(rest[1 : n-1])
			if err != nil {
				return err
			}
			l.emit(tokenString, text)
			l.skip(l.at + n)
		default:
			if n := name(rest); n > 0 {
				l.emit(tokenName, rest[:n])
				l.skip(l.at + n)
				continue
			}
			op := operator(rest)
			if op == "" {
				r, _ := utf8.DecodeRuneInString(rest)
				return fail(SyntaxError, "unexpected char %q at %d", r, l.at)
			}
			switch op {
			case "(", "[", "{":
				open = append(open, map[string]byte{"(": ')', "[": ']', "{": '}'}[op])
			case ")", "]", "}":
				if len(open) == 0 {
					return fail(SyntaxError, "unexpected '%s'", op)
				}
				if want := open[len(open)-1]; want != op[0] {
					return fail(SyntaxError, "unexpected '%s', expected '%c'", op, want)
				}
				open = open[:len(open)-1]
			}
			l.emit(tokenOperator, op)
			l.skip(l.at + len(op))
		}
	}
}

// afterDot: in "list.0.1" the digits are two integers, not a float.
func (l *lexer) afterDot() bool { return l.at > 0 && l.source[l.at-1] == '.' }

func operator(s string) string {
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

func name(s string) int {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || i > 0 && (unicode.IsDigit(r) || unicode.IsMark(r)) {
			continue
		}
		return i
	}
	return len(s)
}

// number measures a Python number at the start of s.
func number(s string, afterDot bool) (length int, float bool) {
	digits := func(i int, valid func(byte) bool) int {
		for i < len(s) && (valid(s[i]) || s[i] == '_' && i+1 < len(s) && valid(s[i+1])) {
			i++
		}
		return i
	}
	decimal := func(c byte) bool { return c >= '0' && c <= '9' }
	if s[0] == '0' && len(s) > 2 {
		var valid func(byte) bool
		switch s[1] {
		case 'x', 'X':
			valid = func(c byte) bool { return decimal(c) || c|32 >= 'a' && c|32 <= 'f' }
		case 'o', 'O':
			valid = func(c byte) bool { return c >= '0' && c <= '7' }
		case 'b', 'B':
			valid = func(c byte) bool { return c == '0' || c == '1' }
		}
		if valid != nil {
			if n := digits(2, valid); n > 2 {
				return n, false
			}
		}
	}
	n := digits(0, decimal)
	if afterDot {
		return n, false
	}
	if n+1 < len(s) && s[n] == '.' && decimal(s[n+1]) {
		n, float = digits(n+1, decimal), true
	}
	if n < len(s) && s[n]|32 == 'e' {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if e < len(s) && decimal(s[e]) {
			n, float = digits(e, decimal), true
		}
	}
	return n, float
}

// quoted measures a quoted text with its quotes, 0 if it is not closed.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}
