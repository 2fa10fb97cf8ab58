package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// setText parses text into v by v's type. It is the only parser of scalars: YAML,
// flags, --set and default tags all end here.
func setText(v reflect.Value, text string) error {
	if isText(v.Type()) {
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("expected a duration such as 90s or 10m, found %q", text)
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.Bool:
		b, ok := parseBool(text)
		if !ok {
			return fmt.Errorf("expected true or false, found %q", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, v.Type().Bits())
		if err != nil {
			return numberError("a whole number", text, err)
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, v.Type().Bits())
		if err != nil {
			return numberError("a whole number that is not negative", text, err)
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		x, err := strconv.ParseFloat(text, v.Type().Bits())
		if err == nil && math.IsNaN(x) {
			err = errors.New("not a number")
		}
		if err != nil {
			return numberError("a number", text, err)
		}
		v.SetFloat(x)
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		return setList(v, text)
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		if err := setText(fresh.Elem(), text); err != nil {
			return err
		}
		v.Set(fresh)
	default: // maps, groups in lists: YAML flow style
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(text), &node); err != nil {
			return fmt.Errorf("expected YAML such as {a: 1}, found %q", text)
		}
		if len(node.Content) == 0 {
			v.SetZero()
			return nil
		}
		return (&decoder{}).value(node.Content[0], v, "")
	}
	return nil
}

func numberError(want, text string, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("expected %s, found %s, which is out of range", want, text)
	}
	return fmt.Errorf("expected %s, found %q", want, text)
}

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// setList parses a,b,c or, where an element holds a comma, [a, "b,c"].
func setList(v reflect.Value, text string) error {
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(text), &node); err == nil && len(node.Content) == 1 {
			return (&decoder{}).value(node.Content[0], v, "")
		}
	}
	parts := []string{}
	if text != "" {
		parts = strings.Split(text, ",")
	}
	list := reflect.MakeSlice(v.Type(), len(parts), len(parts))
	for i, part := range parts {
		if v.Type().Elem().Kind() != reflect.String {
			part = strings.TrimSpace(part)
		}
		if err := setText(list.Index(i), part); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	v.Set(list)
	return nil
}

func setMapEntry(m reflect.Value, name, text string) error {
	if m.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("expected a map with text keys, found %s", m.Type())
	}
	element := reflect.New(m.Type().Elem()).Elem()
	if element.Kind() == reflect.Interface {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return fmt.Errorf("expected YAML, found %q", text)
		}
		if value != nil {
			element.Set(reflect.ValueOf(value))
		}
	} else if err := setText(element, text); err != nil {
		return err
	}
	if m.IsNil() {
		m.Set(reflect.MakeMap(m.Type()))
	}
	m.SetMapIndex(reflect.ValueOf(name).Convert(m.Type().Key()), element)
	return nil
}

// textOf writes a value so that setText reads it back.
func textOf(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err == nil {
			return string(text)
		}
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return d.String()
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	case reflect.String:
		return v.String()
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return textOf(v.Elem())
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = textOf(v.Index(i))
			if strings.ContainsAny(parts[i], ",[") {
				return flow(v)
			}
		}
		return strings.Join(parts, ",")
	}
	return flow(v)
}

// flow writes a value as one line of YAML.
func flow(v reflect.Value) string {
	node := encodeNode(v, false)
	var style func(*yaml.Node)
	style = func(n *yaml.Node) {
		n.Style |= yaml.FlowStyle
		for _, c := range n.Content {
			style(c)
		}
	}
	style(node)
	text, err := yaml.Marshal(node)
	if err != nil {
		return fmt.Sprint(v.Interface())
	}
	return strings.TrimSpace(string(text))
}

// sortedKeys are the keys of a map with text keys.
func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
