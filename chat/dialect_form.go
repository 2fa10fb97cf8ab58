package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// pattern is a row of literal texts and {holes}, such as
// "{name}\n```json\n{arguments}\n```".
type pattern []element

type element struct {
	hole    string // its name; "" for a literal
	literal string
}

var holes = map[string]bool{"object": true, "objects": true, "name": true, "id": true, "arguments": true, "pairs": true,
	"code": true, "builtin": true, "text": true, "key": true, "value": true}

func parsePattern(s string) (pattern, error) {
	var f pattern
	for s != "" {
		before, rest, found := strings.Cut(s, "{")
		if before != "" {
			f = append(f, element{literal: before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !holes[name] {
			return nil, fmt.Errorf("form %q: there is no hole {%s}", s, name)
		}
		f, s = append(f, element{hole: name}), after
	}
	return f, nil
}

// has says whether the form has the hole.
func (f pattern) has(hole string) bool {
	for _, e := range f {
		if e.hole == hole {
			return true
		}
	}
	return false
}

// json says whether texts in quotes may hide marks in it.
func (f pattern) json() bool { return f.has("object") || f.has("objects") || f.has("arguments") }

// matched says how a text fits a form.
type matched uint8

const (
	fits       matched = iota
	unlike             // it is something else
	broken             // it is of this form, but what stands in a hole is wrong
	incomplete         // it is the beginning of such a text
)

// match reads text by the form. fields are what stands in the holes; on broken
// and incomplete, raw is what stands in the hole that is wrong.
func (f pattern) match(text string, pair pattern) (m matched, fields map[string]string, raw string) {
	fields = map[string]string{}
	rest := text
	begun := false // something other than blanks was recognised
	for i, e := range f {
		last := i == len(f)-1
		if e.hole == "" {
			after, ok, ended := cutLiteral(rest, e.literal, !last && exact(f[i+1].hole))
			switch {
			case ok:
				begun = begun || strings.TrimSpace(e.literal) != ""
				rest = after
			case ended && begun:
				return incomplete, fields, ""
			default:
				return unlike, nil, ""
			}
			continue
		}
		next := ""
		if !last {
			next = f[i+1].literal
		}
		switch e.hole {
		case "object", "objects", "arguments":
			rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
			want := byte('{')
			if e.hole == "objects" {
				want = '['
			}
			if rest == "" && begun {
				return incomplete, fields, ""
			}
			if rest == "" || rest[0] != want {
				if begun {
					return broken, fields, strings.TrimSpace(rest)
				}
				return unlike, nil, ""
			}
			end, state := jsonExtent(rest)
			if state != fits {
				raw = rest
				if mark := strings.TrimSpace(next); mark != "" {
					raw, _, _ = strings.Cut(raw, mark)
				}
				return state, fields, strings.TrimSpace(raw)
			}
			fields[e.hole], rest = rest[:end], rest[end:]
			begun = true
		case "name", "id", "key":
			end := len(rest)
			if mark, _, _ := strings.Cut(strings.TrimSpace(next), "\n"); mark != "" { // the line end in it is optional
				end = strings.Index(rest, mark)
			} else if rest = strings.TrimLeftFunc(rest, unicode.IsSpace); next != "" {
				if end = strings.IndexFunc(rest, notInName); end < 0 {
					end = len(rest)
				}
			}
			if end < 0 {
				if validName(strings.TrimSpace(rest)) {
					return incomplete, fields, ""
				}
				return unlike, nil, ""
			}
			name := strings.TrimSpace(rest[:end])
			if !validName(name) {
				return unlike, nil, ""
			}
			fields[e.hole], rest, begun = name, rest[end:], true
		case "pairs":
			var all []string
			for {
				rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
				if rest == "" || !strings.HasPrefix(rest, pair[0].literal) {
					break
				}
				m, one, consumed := pair.prefix(rest)
				if m != fits {
					return m, fields, strings.TrimSpace(rest)
				}
				all = append(all, one["key"], one["value"])
				rest = rest[consumed:]
			}
			fields["pairs"] = strings.Join(all, "\x00")
			begun = true
		default: // code, builtin, text, value: up to the literal that follows
			end := len(rest)
			if next != "" {
				mark := strings.TrimSpace(next)
				if end = strings.LastIndex(rest, mark); e.hole == "value" {
					end = strings.Index(rest, mark)
				}
				if end < 0 {
					if begun {
						return incomplete, fields, strings.TrimSpace(rest)
					}
					return unlike, nil, ""
				}
			}
			inside := trimOne(rest[:end], next)
			if last {
				inside = strings.TrimSpace(inside)
			}
			if e.hole == "builtin" && !builtinCall.MatchString(inside) {
				return unlike, nil, ""
			}
			fields[e.hole], rest = inside, rest[end:]
			begun = true
		}
	}
	if rest = strings.TrimSpace(rest); rest != "" && !f.has("value") {
		return broken, fields, strings.TrimSpace(text)
	}
	return fits, fields, rest
}

// prefix matches the beginning of text and tells how long it is.
func (f pattern) prefix(text string) (m matched, fields map[string]string, length int) {
	last := strings.TrimSpace(f[len(f)-1].literal)
	end := strings.Index(text, last)
	if end < 0 {
		return incomplete, nil, 0
	}
	end += len(last)
	m, fields, _ = f.match(text[:end], nil)
	return m, fields, end
}

// exact says of a hole that blanks beside it belong to it, but for those that the form writes.
func exact(hole string) bool { return hole == "value" || hole == "code" }

// cutLiteral takes literal off the start of s; blanks in it are optional. Before
// an exact hole only those that the literal has are taken. ended says that s is
// too short to tell.
func cutLiteral(s, literal string, beforeExact bool) (rest string, ok, ended bool) {
	for literal != "" {
		if n := len(literal) - len(strings.TrimLeftFunc(literal, unicode.IsSpace)); n > 0 {
			blanks := literal[:n]
			if literal = literal[n:]; literal == "" && beforeExact {
				s = strings.TrimPrefix(s, blanks)
			} else {
				s = strings.TrimLeftFunc(s, unicode.IsSpace)
			}
			continue
		}
		word := literal
		if n := strings.IndexFunc(literal, unicode.IsSpace); n >= 0 {
			word = literal[:n]
		}
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		if !strings.HasPrefix(s, word) {
			return s, false, strings.HasPrefix(word, s)
		}
		s, literal = s[len(word):], literal[len(word):]
	}
	return s, true, false
}

// trimOne drops the line end that a form writes before and after an exact hole:
// the one before is cut with its literal.
func trimOne(s, next string) string {
	if strings.HasPrefix(next, "\n") {
		return strings.TrimSuffix(s, "\n")
	}
	return s
}

// validName says whether s can be the name of a tool or an argument.
func validName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, notInName)
}

func notInName(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'{}<>[](),:;|", r) }

// jsonExtent is where the JSON value at the start of s ends.
func jsonExtent(s string) (int, matched) {
	decoder := json.NewDecoder(strings.NewReader(s))
	var value json.RawMessage
	err := decoder.Decode(&value)
	switch {
	case err == nil:
		return int(decoder.InputOffset()), fits
	case err.Error() == "unexpected EOF":
		return 0, incomplete
	}
	return 0, broken
}

// fill writes the form with fields in its holes.
func (f pattern) fill(fields map[string]string) string {
	var b bytes.Buffer
	for _, e := range f {
		if e.hole == "" {
			b.WriteString(e.literal)
		} else {
			b.WriteString(fields[e.hole])
		}
	}
	return b.String()
}
