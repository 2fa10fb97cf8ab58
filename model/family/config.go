package family

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Config is a config.json that notes which of its fields were read. Where a method takes a name, alternatives may stand in it,
// "hidden_size|n_embd|d_model": the first that is there counts. What is wrong is kept; Err has the first.
type Config struct {
	file     string
	fields   map[string]any
	stored   map[string]any // fields with numbers as they are written, json.Number
	defaults Fields
	read     map[string]bool
	err      *error             // shared with nested objects
	inner    map[string]*Config // nested objects, by name
	wrapped  bool               // Text took the language model's part
	around   []string           // fields beside that part
	metadata bool               // made of a GGUF file's metadata
	layered  bool               // rope_parameters by type of layer have not been read yet
	unknown  []string           // keys of a GGUF file's metadata that no field was made of
}

// Default says what a field means where the file has none of that name (null is a value: nothing).
func (c *Config) Default(name string, value any) {
	if c.defaults == nil {
		c.defaults = Fields{}
	}
	if n, ok := value.(int); ok {
		value = float64(n)
	}
	c.defaults[name] = value
}

// ParseConfig reads a config.json; file names it in errors.
func ParseConfig(file string, data []byte) (*Config, error) {
	c := &Config{file: file, read: map[string]bool{}, err: new(error)}
	if err := json.Unmarshal(data, &c.fields); err != nil {
		var other *json.UnmarshalTypeError
		if errors.As(err, &other) {
			return nil, fmt.Errorf("%s: is a JSON %s, expected an object", file, other.Value)
		}
		return nil, fmt.Errorf("%s: not a JSON object: %w", file, err)
	}
	if c.fields == nil {
		return nil, fmt.Errorf("%s: is a JSON null, expected an object", file)
	}
	again := json.NewDecoder(bytes.NewReader(data))
	again.UseNumber()
	if err := again.Decode(&c.stored); err != nil {
		return nil, fmt.Errorf("%s: not a JSON object: %w", file, err)
	}
	return c, nil
}

// NewConfig is a configuration of fields that were not read from a file; file names
// where they come from. Numbers are float64.
func NewConfig(file string, fields map[string]any) *Config {
	return &Config{file: file, fields: fields, stored: fields, read: map[string]bool{}, err: new(error)}
}

// FieldNames are the names of all fields, sorted; of a nil Config none.
func (c *Config) FieldNames() []string {
	if c == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(c.fields))
}

// Fields are all fields as they stand in the file, numbers as json.Number: 30.0 is a fraction to those who read it, 30 is not.
func (c *Config) Fields() map[string]any { return c.stored }

// find is the first alternative that is there and not null, and its value.
func (c *Config) find(names string) (name string, value any) {
	there := false
	for n := range strings.SplitSeq(names, "|") {
		c.read[n] = true
		v, ok := c.fields[n]
		there = there || ok
		if v != nil && value == nil {
			name, value = n, v
		}
	}
	for n := range strings.SplitSeq(names, "|") {
		if v := c.defaults[n]; v != nil && !there && value == nil {
			name, value = n, v
		}
	}
	if name == "" {
		name, _, _ = strings.Cut(names, "|")
	}
	return name, value
}

// Has says whether the file has the field and not as null.
func (c *Config) Has(names string) bool {
	c.find(names)
	for n := range strings.SplitSeq(names, "|") {
		if c.fields[n] != nil {
			return true
		}
	}
	return false
}

// Strings is a list of strings.
func (c *Config) Strings(names string) (out []string) {
	name, v := c.find(names)
	list, ok := v.([]any)
	if v != nil && !ok {
		c.Fail("%s is %v, expected a list", name, v)
	}
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			c.Fail("%s holds %v, expected texts", name, v)
		}
		out = append(out, s)
	}
	return out
}

// Floats is a list of numbers, nil if absent.
func (c *Config) Floats(names string) (out []float64) {
	name, v := c.find(names)
	list, ok := v.([]any)
	if v != nil && !ok {
		c.Fail("%s is %v, expected a list of numbers", name, v)
	}
	for _, v := range list {
		x, ok := v.(float64)
		if !ok {
			c.Fail("%s holds %v, expected numbers", name, v)
		}
		out = append(out, x)
	}
	return out
}

// String is a text field, missing if absent.
func (c *Config) String(names, missing string) string { return field(c, names, missing) }

// Bool is a truth field, missing if absent.
func (c *Config) Bool(names string, missing bool) bool { return field(c, names, missing) }

// Float is a number field, missing if absent.
func (c *Config) Float(names string, missing float64) float64 { return field(c, names, missing) }

// Float32 is a number field as float32.
func (c *Config) Float32(names string, missing float64) float32 {
	return float32(c.Float(names, missing))
}

// Int is a whole number, missing if absent.
func (c *Config) Int(names string, missing int) int {
	v := field(c, names, float64(missing))
	if v != float64(int(v)) {
		name, _ := c.find(names)
		c.Fail("%s is %v, expected a whole number", name, v)
	}
	return int(v)
}

// Need is a whole number that must be there.
func (c *Config) Need(names string) int {
	if name, v := c.find(names); v == nil {
		c.Fail("%s is missing", name)
	}
	return c.Int(names, 0)
}

// Object is a nested object, nil if absent.
func (c *Config) Object(names string) *Config {
	name, v := c.find(names)
	inner, ok := v.(map[string]any)
	if !ok {
		if v != nil {
			c.Fail("%s is %v, expected an object", name, v)
		}
		return nil
	}
	if c.inner[name] == nil {
		if c.inner == nil {
			c.inner = map[string]*Config{}
		}
		c.inner[name] = &Config{file: c.file + ": " + name, fields: inner, read: map[string]bool{}, err: c.err}
	}
	return c.inner[name]
}

// Refuse fails if a field has a value that would change the result.
func (c *Config) Refuse(name string, harmless ...any) {
	name, v := c.find(name)
	if v == nil || slices.ContainsFunc(harmless, func(h any) bool { return reflect.DeepEqual(v, h) }) {
		return
	}
	if len(harmless) == 0 {
		c.Fail("%s is %v, which Lian does not compute yet", name, v)
		return
	}
	c.Fail("%s is %v, which Lian does not compute yet (it understands %v)", name, v, harmless)
}

// Ignore notes fields that change nothing at inference.
func (c *Config) Ignore(names ...string) {
	for _, n := range names {
		c.read[n] = true
	}
}

// Err is the first thing that was wrong.
func (c *Config) Err() error { return *c.err }

//go:embed harmless.txt
var harmlessFields string

// Unread are the fields nobody asked for, sorted, less those that never change a result (harmless.txt).
func (c *Config) Unread() []string {
	var out []string
	harmless := strings.Fields(harmlessFields)
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		if !c.read[name] && !slices.Contains(harmless, name) {
			out = append(out, name)
		}
	}
	for _, name := range c.around {
		if !slices.Contains(harmless, name) {
			out = append(out, name)
		}
	}
	return append(out, c.unknown...)
}

// Fail notes what is wrong.
func (c *Config) Fail(format string, args ...any) {
	if *c.err == nil {
		*c.err = fmt.Errorf("%s: %s", c.file, fmt.Sprintf(format, args...))
	}
}

func field[T any](c *Config, names string, missing T) T {
	name, v := c.find(names)
	if v == nil {
		return missing
	}
	typed, ok := v.(T)
	if !ok {
		c.Fail("%s is %s, expected %s", name, asJSON(v), kindOf(missing))
		return missing
	}
	return typed
}

// asJSON is a value as a file has it.
func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// kindOf names the kind of a value as JSON does.
func kindOf(v any) string {
	switch v.(type) {
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case string:
		return "a text"
	}
	return fmt.Sprintf("%T", v)
}
