package family

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Config is a config.json that notes which of its fields were read.
type Config struct {
	file   string
	fields map[string]any
	read   map[string]bool
	err    error
}

// ParseConfig reads a config.json; file names it in errors.
func ParseConfig(file string, data []byte) (*Config, error) {
	c := &Config{file: file, read: map[string]bool{}}
	if err := json.Unmarshal(data, &c.fields); err != nil {
		return nil, fmt.Errorf("%s: not a JSON object: %w", file, err)
	}
	return c, nil
}

// Strings is a list of strings.
func (c *Config) Strings(name string) (out []string) {
	c.read[name] = true
	list, _ := c.fields[name].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// String is a text field, missing if absent.
func (c *Config) String(name, missing string) string {
	return field(c, name, missing)
}

// Bool is a truth field, missing if absent.
func (c *Config) Bool(name string, missing bool) bool { return field(c, name, missing) }

// Float is a number field, missing if absent.
func (c *Config) Float(name string, missing float64) float64 { return field(c, name, missing) }

// Int is a whole number, missing if absent.
func (c *Config) Int(name string, missing int) int {
	v := field(c, name, float64(missing))
	if v != float64(int(v)) {
		c.fail("%s is %v, expected a whole number", name, v)
	}
	return int(v)
}

// Need is a whole number that must be there.
func (c *Config) Need(name string) int {
	if c.fields[name] == nil {
		c.fail("%s is missing", name)
	}
	return c.Int(name, 0)
}

// Object is a nested object, nil if absent.
func (c *Config) Object(name string) *Config {
	c.read[name] = true
	inner, ok := c.fields[name].(map[string]any)
	if !ok {
		return nil
	}
	return &Config{file: c.file + ": " + name, fields: inner, read: map[string]bool{}}
}

// Refuse fails if a field has a value that would change the result.
func (c *Config) Refuse(name string, harmless ...any) {
	c.read[name] = true
	v, ok := c.fields[name]
	if !ok || v == nil || slices.Contains(harmless, v) {
		return
	}
	c.fail("%s is %v, which Lian does not compute yet (it understands %v)", name, v, harmless)
}

// Err is the first thing that was wrong.
func (c *Config) Err() error { return c.err }

// Unread are the fields nobody asked for, sorted.
func (c *Config) Unread() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		if !c.read[name] {
			out = append(out, name)
		}
	}
	return out
}

func (c *Config) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %s", c.file, fmt.Sprintf(format, args...))
	}
}

func field[T any](c *Config, name string, missing T) T {
	c.read[name] = true
	v, ok := c.fields[name]
	if !ok || v == nil {
		return missing
	}
	typed, ok := v.(T)
	if !ok {
		c.fail("%s is %v (%T), expected %T", name, v, v, missing)
		return missing
	}
	return typed
}

// Metadata is what a family reads of a GGUF file: keys below the architecture's name.
type Metadata interface {
	Uint(key string) (uint64, bool)
	Float(key string) (float64, bool)
	String(key string) (string, bool)
	Strings(key string) ([]string, bool)
}
