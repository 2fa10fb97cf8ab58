package config

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Marshal writes the settings as YAML in the order of the struct, each with its
// help as a comment. Decode reads it back to the same values.
func Marshal(c any) []byte { return write(encodeNode(reflect.ValueOf(c), true)) }

// Hash is the SHA-256, in hexadecimal, of the settings' values and keys; help and
// formatting have no part in it.
func Hash(c any) string {
	sum := sha256.Sum256(write(encodeNode(reflect.ValueOf(c), false)))
	return hex.EncodeToString(sum[:])
}

func write(n *yaml.Node) []byte {
	text, err := yaml.Marshal(n)
	if err != nil { // only a type that Fields would not accept
		panic(fmt.Sprintf("config: %v", err))
	}
	return text
}

// encodeNode turns a value into YAML whose scalars setText reads back.
func encodeNode(v reflect.Value, help bool) *yaml.Node {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	if _, ok := v.Interface().(encoding.TextMarshaler); ok {
		return text(textOf(v))
	}
	if _, ok := v.Interface().(time.Duration); ok {
		return text(textOf(v))
	}
	switch v.Kind() {
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode}
		encodeFields(n, v, help)
		return n
	case reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, k := range sortedKeys(v) {
			n.Content = append(n.Content, text(fmt.Sprint(k.Interface())), encodeNode(v.MapIndex(k), false))
		}
		return n
	case reflect.Slice, reflect.Array:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for i := range v.Len() {
			element := encodeNode(v.Index(i), false)
			if element.Kind == yaml.MappingNode {
				n.Style = 0
			}
			n.Content = append(n.Content, element)
		}
		return n
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: textOf(v)}
	case reflect.Float32, reflect.Float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: textOf(v)}
	case reflect.String:
		return text(v.String())
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: textOf(v)}
}

func encodeFields(n *yaml.Node, v reflect.Value, help bool) {
	t := v.Type()
	for i := range t.NumField() {
		name, inline, skip := key(t.Field(i))
		switch {
		case skip:
		case inline:
			encodeFields(n, v.Field(i), help)
		default:
			k, value := text(name), encodeNode(v.Field(i), help)
			if help {
				k.HeadComment = t.Field(i).Tag.Get("help")
			}
			n.Content = append(n.Content, k, value)
		}
	}
}

// text is a scalar that stays text: it is quoted where YAML would see a number.
func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	if strings.ContainsAny(s, "\n\r\t") { // the library's block style does not always come back
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// Schema is the JSON Schema (draft 2020-12) of the settings, for editors and forms.
func Schema(c any) []byte {
	schema := schemaOf(structType(c))
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("config: %v", err))
	}
	return append(out, '\n')
}

func schemaOf(t reflect.Type) map[string]any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return map[string]any{"type": "string", "examples": []string{"90s"}}
	case isText(t):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Struct:
		properties := map[string]any{}
		schemaFields(properties, t)
		return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": "integer"}
}

func schemaFields(properties map[string]any, t reflect.Type) {
	for i := range t.NumField() {
		sf := t.Field(i)
		name, inline, skip := key(sf)
		if skip {
			continue
		}
		if inline {
			schemaFields(properties, sf.Type)
			continue
		}
		s := schemaOf(sf.Type)
		if help := sf.Tag.Get("help"); help != "" {
			s["description"] = help
		}
		limit(s, sf.Tag.Get("range"))
		if d := sf.Tag.Get("default"); d != "" {
			fresh := reflect.New(sf.Type).Elem()
			if setText(fresh, d) == nil {
				s["default"] = jsonValue(fresh)
			}
		}
		properties[name] = s
	}
}

// jsonValue is a default as JSON has it: durations and the like as text.
func jsonValue(v reflect.Value) any {
	if isText(v.Type()) || v.Type() == reflect.TypeFor[time.Duration]() {
		return textOf(v)
	}
	return v.Interface()
}

// limit adds a range tag to a schema, or to its elements when it is a list.
func limit(s map[string]any, tag string) {
	if tag == "" {
		return
	}
	if items, ok := s["items"].(map[string]any); ok {
		s = items
	}
	if allowed := choices(tag); allowed != nil {
		if s["type"] == "string" {
			s["enum"] = allowed
			return
		}
		var numbers []json.Number
		for _, a := range allowed {
			if _, err := strconv.ParseFloat(a, 64); err == nil {
				numbers = append(numbers, json.Number(a))
			}
		}
		s["enum"] = numbers
		return
	}
	b, err := parseBounds(tag)
	if err != nil || s["type"] == "string" { // durations: the schema has no words for them
		return
	}
	if b.hasLow && b.excludeLow {
		s["exclusiveMinimum"] = b.low
	} else if b.hasLow {
		s["minimum"] = b.low
	}
	if b.hasHigh {
		s["maximum"] = b.high
	}
}
