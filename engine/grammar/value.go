package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value is a JSON value with its members in the order in which they were written.
type value struct {
	kind    byte // '{' '[' '"' '0' 't' 'f' 'n'
	text    string
	keys    []string
	members map[string]*value
	items   []*value
}

// maxDepth bounds the nesting of what is read.
const maxDepth = 1000

// parseValue reads one JSON value; a repeated member is an error.
func parseValue(data []byte) (*value, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not JSON: not valid UTF-8")
	}
	if half := unpaired(data); half != "" {
		return nil, fmt.Errorf("not JSON: %s is half of a surrogate pair", half)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	v, err := decodeValue(decoder, 0)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("not JSON: something follows the value")
	}
	return v, nil
}

// unpaired finds the escape of a surrogate without its other half, which encoding/json replaces without a word.
func unpaired(data []byte) string {
	leading := -100
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		if data[i+1] == 'u' && i+6 <= len(data) {
			code, err := strconv.ParseUint(string(data[i+2:i+6]), 16, 32)
			switch {
			case err != nil:
			case code >= 0xD800 && code < 0xDC00:
				if leading >= 0 {
					return string(data[leading : leading+6])
				}
				leading = i
				if i+12 > len(data) || data[i+6] != '\\' || data[i+7] != 'u' {
					return string(data[i : i+6])
				}
			case code >= 0xDC00 && code < 0xE000:
				if leading != i-6 {
					return string(data[i : i+6])
				}
				leading = -100
			case leading == i-6:
				return string(data[leading : leading+6])
			}
			i += 5
			continue
		}
		i++
	}
	return ""
}

func decodeValue(decoder *json.Decoder, depth int) (*value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch t := token.(type) {
	case string:
		return &value{kind: '"', text: t}, nil
	case json.Number:
		return &value{kind: '0', text: t.String()}, nil
	case nil:
		return &value{kind: 'n', text: "null"}, nil
	case bool:
		if t {
			return &value{kind: 't', text: "true"}, nil
		}
		return &value{kind: 'f', text: "false"}, nil
	case json.Delim:
		v := &value{kind: byte(t)}
		for decoder.More() {
			if t == '{' {
				key, err := decoder.Token()
				if err != nil {
					return nil, err
				}
				name := key.(string)
				if v.members == nil {
					v.members = map[string]*value{}
				}
				if v.members[name] != nil {
					return nil, fmt.Errorf("member %q appears twice", name)
				}
				if v.members[name], err = decodeValue(decoder, depth+1); err != nil {
					return nil, err
				}
				v.keys = append(v.keys, name)
				continue
			}
			item, err := decodeValue(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, item)
		}
		_, err := decoder.Token() // the closing bracket
		return v, err
	}
	return nil, fmt.Errorf("unexpected %v", token)
}

// jsonType is the JSON Schema type of a value; whole numbers are "integer".
func (v *value) jsonType() string {
	switch v.kind {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case '0':
		if r, err := parseBound(v.text); err == nil && r.IsInt() {
			return "integer"
		}
		return "number"
	case 'n':
		return "null"
	}
	return "boolean"
}

// equal compares values as JSON Schema does: numbers by value, objects without order.
func (v *value) equal(w *value) bool {
	if v.kind != w.kind {
		return false
	}
	switch v.kind {
	case '0':
		a, errA := parseBound(v.text)
		b, errB := parseBound(w.text)
		return errA == nil && errB == nil && a.Cmp(b) == 0 || v.text == w.text
	case '[':
		if len(v.items) != len(w.items) {
			return false
		}
		for i := range v.items {
			if !v.items[i].equal(w.items[i]) {
				return false
			}
		}
		return true
	case '{':
		if len(v.keys) != len(w.keys) {
			return false
		}
		for _, key := range v.keys {
			if w.members[key] == nil || !v.members[key].equal(w.members[key]) {
				return false
			}
		}
		return true
	}
	return v.text == w.text
}

// exactly reads one value in the layout.
func (b *builder) exactly(from int32, v *value) int32 {
	switch v.kind {
	case '"':
		return b.literal(from, quote(v.text))
	case '[', '{':
		s := b.literal(from, string(v.kind))
		n := max(len(v.items), len(v.keys))
		for i := range n {
			if i > 0 {
				s = b.space(b.literal(s, ","))
			}
			if v.kind == '[' {
				s = b.exactly(s, v.items[i])
			} else {
				s = b.exactly(b.space(b.literal(s, quote(v.keys[i])+":")), v.members[v.keys[i]])
			}
		}
		return b.literal(s, strings.Map(closing, string(v.kind)))
	}
	return b.literal(from, v.text)
}

func closing(open rune) rune {
	if open == '{' {
		return '}'
	}
	return ']'
}

// space reads at most one space.
func (b *builder) space(from int32) int32 {
	to := b.state()
	b.join(from, to)
	b.edge(from, ' ', ' ', to)
	return to
}

// ruleAny is the rule of any JSON value in the layout.
func (b *builder) ruleAny() int32 {
	return b.named("any", func(from int32) int32 {
		return b.alternatives(from,
			func(s int32) int32 { return b.text(s, 0, -1) },
			func(s int32) int32 { return b.language(s, "number", b.algebra.number) },
			func(s int32) int32 { return b.literal(s, "true") },
			func(s int32) int32 { return b.literal(s, "false") },
			func(s int32) int32 { return b.literal(s, "null") },
			func(s int32) int32 { return b.list(s, b.ruleAny(), 0, -1) },
			b.anyObject)
	})
}

// anyObject reads any object in the layout.
func (b *builder) anyObject(from int32) int32 {
	member := b.named("any member", func(from int32) int32 {
		return b.invoke(b.space(b.literal(b.text(from, 0, -1), ":")), b.ruleAny())
	})
	return b.sequence(from, "{", "}", member, 0, -1)
}

// list reads an array of low … high items of one rule.
func (b *builder) list(from, item int32, low, high int) int32 {
	return b.sequence(from, "[", "]", item, low, high)
}

// sequence reads low … high texts of a rule between brackets, with commas.
func (b *builder) sequence(from int32, open, shut string, item int32, low, high int) int32 {
	s := b.literal(from, open)
	if high == 0 {
		return b.literal(s, shut)
	}
	further := b.rule(func(from int32) int32 { return b.invoke(b.space(b.literal(from, ",")), item) })
	rest := -1
	if high > 0 {
		rest = high - 1
	}
	end := b.state()
	if low == 0 {
		b.join(s, end) // not into the loop, where a comma may come
	}
	b.join(b.repeat(b.invoke(s, item), further, max(low-1, 0), rest), end)
	return b.literal(end, shut)
}

// language reads the texts of a language without quotation marks, by a shared rule.
func (b *builder) language(from int32, name string, make func() *language) int32 {
	return b.invoke(from, b.named(name, func(from int32) int32 {
		t, err := b.algebra.automaton(make())
		if err != nil {
			panic(errTooLarge{})
		}
		return b.regular(from, t, false)
	}))
}
