// Package config makes one tagged struct the whole truth about a command's
// settings: its defaults, YAML form, flags, checks, JSON schema and documentation.
//
//	type Options struct {
//		LearningRate float64 `yaml:"lr" help:"peak learning rate" default:"3e-4" range:"0..1"`
//		Method       string  `yaml:"method" help:"what is trained" default:"full" range:"full|lora"`
//		LoRA         lora    `yaml:"lora"`
//	}
//
// It guarantees that every way to set a field goes through the same parser and the
// same range check, and that an error names the file, the line, the field, what was
// expected and, for a key that does not exist, the nearest one that does. It
// refuses unknown and repeated keys, values of the wrong type, and numbers that do
// not fit; nothing is converted by guessing and nothing is ignored.
//
// Tags:
//
//	yaml     the key; "-" leaves the field out; ",inline" on a struct lifts its fields
//	help     one line, lower case, no full stop; the message table translates it
//	default  the value, written as in YAML flow style or as on the command line
//	range    "0..1", "1..", "..10" (">0..1" excludes the lower end), or "full|lora"
//
// Fields may be booleans, integers, floats, strings, time.Duration, types with
// encoding.TextUnmarshaler, slices and string-keyed maps of those, and structs.
package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Field is one setting, as documentation, flags and forms see it.
type Field struct {
	Path    string // dotted, such as "lora.rank"
	Help    string // one line in English
	Type    string // "integer", "number", "text", "yes or no", "duration", "list of …", "map of …"
	Default string // as text; empty when there is none
	Range   string // as in the tag

	index [][]int // how to reach it from the outermost struct, one part per struct
	typ   reflect.Type
	group bool // not a leaf: a struct
}

// Flag is the setting's flag without the dashes in front: "lora.rank", "vocab-size".
func (f Field) Flag() string { return strings.ReplaceAll(f.Path, "_", "-") }

// Fields lists the settings of a struct, or of a pointer to one, in the order in
// which they stand there.
func Fields(c any) []Field {
	var leaves []Field
	for _, f := range walk(structType(c), "", nil) {
		if !f.group {
			leaves = append(leaves, f)
		}
	}
	return leaves
}

func structType(c any) reflect.Type {
	t := reflect.TypeOf(c)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: %T is not a struct", c)) // a programmer's mistake, not a user's
	}
	return t
}

// walk lists groups before their fields.
func walk(t reflect.Type, prefix string, index [][]int) []Field {
	var fields []Field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, inline, skip := key(sf)
		if skip {
			continue
		}
		at := append(append([][]int{}, index...), []int{i})
		if inline {
			fields = append(fields, walk(sf.Type, prefix, at)...)
			continue
		}
		f := Field{
			Path: prefix + name, Help: sf.Tag.Get("help"), Type: typeName(sf.Type),
			Default: sf.Tag.Get("default"), Range: sf.Tag.Get("range"),
			index: at, typ: sf.Type, group: isGroup(sf.Type),
		}
		fields = append(fields, f)
		if f.group {
			fields = append(fields, walk(sf.Type, f.Path+".", at)...)
		}
	}
	return fields
}

// key is the YAML key of a field.
func key(sf reflect.StructField) (name string, inline, skip bool) {
	tag := sf.Tag.Get("yaml")
	name, options, _ := strings.Cut(tag, ",")
	if name == "-" {
		return "", false, true
	}
	if strings.Contains(options, "inline") || (sf.Anonymous && tag == "" && sf.Type.Kind() == reflect.Struct) {
		return "", true, false // also where the embedded type's name is not exported
	}
	if !sf.IsExported() {
		return "", false, true
	}
	if name == "" {
		name = strings.ToLower(sf.Name)
	}
	return name, false, false
}

// isGroup says whether a type is a struct whose fields are settings of their own.
func isGroup(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isText(t) && t != reflect.TypeFor[time.Time]()
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case isText(t):
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "yes or no"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "map of " + typeName(t.Elem())
	case reflect.Struct:
		return "group"
	case reflect.Pointer:
		return typeName(t.Elem())
	}
	return "any"
}

// value is the field of c, which is addressable.
func (f Field) value(c reflect.Value) reflect.Value {
	for _, part := range f.index {
		c = c.FieldByIndex(part)
	}
	return c
}

// target is the addressable struct behind a pointer.
func target(c any) (reflect.Value, error) {
	v := reflect.ValueOf(c)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return reflect.Value{}, fmt.Errorf("config: %T is not a pointer to a struct", c)
	}
	return v.Elem(), nil
}

// Defaults gives every field that is zero the value of its default tag. Call it
// before Decode and Set, so that a zero that a user wrote stays zero.
func Defaults(c any) error {
	v, err := target(c)
	if err != nil {
		return err
	}
	for _, f := range walk(v.Type(), "", nil) {
		field := f.value(v)
		if f.Default == "" || !field.IsZero() {
			continue
		}
		if err := setText(field, f.Default); err != nil {
			return fmt.Errorf("default of %s: %w", f.Path, err)
		}
	}
	return nil
}

// Set sets one field from "path=value", as --set does. Lists are written a,b,c or
// [a, b]; an empty value is the empty text or list.
func Set(c any, assignment string) error {
	path, text, found := strings.Cut(assignment, "=")
	if !found {
		return fmt.Errorf("%s: expected setting=value, such as lr=0.001", assignment)
	}
	return SetField(c, strings.TrimSpace(path), text)
}

// SetField sets the field at a dotted path from text.
func SetField(c any, path, text string) error {
	v, err := target(c)
	if err != nil {
		return err
	}
	fields := walk(v.Type(), "", nil)
	for _, f := range fields {
		if f.Path == path {
			if f.group {
				return fmt.Errorf("%s: is a group of settings; set one of them, such as %s", path, firstBelow(fields, path))
			}
			return atField(path, f.set(v, text))
		}
		// below a map: labels.colour=red
		if rest, below := strings.CutPrefix(path, f.Path+"."); below && f.typ.Kind() == reflect.Map {
			return atField(path, setMapEntry(f.value(v), rest, text))
		}
	}
	return unknown(path, fields)
}

// set parses text into the field of c and checks its range; c is as it was when
// either fails.
func (f Field) set(c reflect.Value, text string) error {
	field := f.value(c)
	fresh := reflect.New(field.Type()).Elem()
	if err := setText(fresh, text); err != nil {
		return err
	}
	if err := inRange(fresh, f.Range); err != nil {
		return err
	}
	field.Set(fresh)
	return nil
}

func atField(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}

func firstBelow(fields []Field, path string) string {
	for _, f := range fields {
		if strings.HasPrefix(f.Path, path+".") && !f.group {
			return f.Path
		}
	}
	return path
}

func unknown(path string, fields []Field) error {
	var paths []string
	for _, f := range fields {
		paths = append(paths, f.Path)
	}
	if near := Nearest(path, paths); near != "" {
		return fmt.Errorf("%s: no such setting; did you mean %s?", path, near)
	}
	return fmt.Errorf("%s: no such setting; there are %s", path, strings.Join(topLevel(fields), ", "))
}

func topLevel(fields []Field) []string {
	var names []string
	for _, f := range fields {
		if !strings.Contains(f.Path, ".") {
			names = append(names, f.Path)
		}
	}
	return names
}
