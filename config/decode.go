package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds how many YAML nodes one document may expand to through aliases.
const maxNodes = 1 << 20

// Decode sets the fields of c that a YAML document names; the others stay. file is
// the name that errors begin with. Unknown and repeated keys are errors. When
// there are several, all are reported. c is as it was when an error is returned.
func Decode(text []byte, file string, c any) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return syntax(file, err)
	}
	if len(document.Content) == 0 {
		_, err := target(c)
		return err // an empty document sets nothing
	}
	return DecodeNode(document.Content[0], file, c)
}

// DecodeNode is Decode for a part of a document that was already parsed, such as
// one step's settings in a recipe.
func DecodeNode(node *yaml.Node, file string, c any) error {
	v, err := target(c)
	if err != nil {
		return err
	}
	d := &decoder{file: file, fields: walk(v.Type(), "", nil)}
	fresh := reflect.New(v.Type()).Elem()
	fresh.Set(v)
	d.mapping(node, fresh, "")
	if err := errors.Join(d.errs...); err != nil {
		return err
	}
	v.Set(fresh)
	return nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax puts the place first, as in all our errors.
func syntax(file string, err error) error {
	text := err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		rest := strings.TrimPrefix(text, m[0])
		if m[1] != "" {
			return fmt.Errorf("%s:%s: not valid YAML: %s", file, m[1], rest)
		}
		return fmt.Errorf("%s: not valid YAML: %s", file, rest)
	}
	return fmt.Errorf("%s: not valid YAML: %w", file, err)
}

type decoder struct {
	file   string
	fields []Field // of the outermost struct, to name the nearest in
	errs   []error
	nodes  int
	depth  int
}

// report keeps an error with its place.
func (d *decoder) report(n *yaml.Node, path string, err error) {
	place := ""
	if d.file != "" {
		place = fmt.Sprintf("%s:%d: ", d.file, n.Line)
	}
	if path != "" {
		place += path + ": "
	}
	d.errs = append(d.errs, fmt.Errorf("%s%w", place, err))
}

// enter follows aliases and bounds the work they can cause.
func (d *decoder) enter(n *yaml.Node) (*yaml.Node, error) {
	d.nodes++
	if d.nodes > maxNodes || d.depth > 100 {
		return nil, errors.New("the document is nested too deeply or repeats itself too often")
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias, nil
	}
	return n, nil
}

// mapping sets the fields of a struct. Its errors are reported, not returned, so
// that a user sees all of them at once.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, prefix string) {
	n, err := d.enter(n)
	if err != nil {
		d.errs = append(d.errs, fmt.Errorf("%s: %w", d.file, err))
		return
	}
	if isNull(n) {
		return // "lora:" with nothing below it
	}
	if n.Kind != yaml.MappingNode {
		d.report(n, strings.TrimSuffix(prefix, "."), fmt.Errorf("expected settings as key: value, found %s", describe(n)))
		return
	}
	d.depth++
	defer func() { d.depth-- }()
	fields := walk(v.Type(), "", nil)
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if first, again := seen[name.Value]; again {
			d.report(name, prefix+name.Value, fmt.Errorf("set twice; the first is on line %d", first))
			continue
		}
		seen[name.Value] = name.Line
		at := slices.IndexFunc(fields, func(f Field) bool { return f.Path == name.Value })
		if at < 0 {
			d.unknown(name, prefix, fields)
			continue
		}
		f := fields[at]
		field := f.value(v)
		if f.group {
			d.mapping(value, field, prefix+f.Path+".")
			continue
		}
		before := len(d.errs)
		if err := d.value(value, field, prefix+f.Path); err != nil {
			d.report(value, prefix+f.Path, err)
		} else if len(d.errs) == before {
			if err := inRange(field, f.Range); err != nil {
				d.report(value, prefix+f.Path, err)
			}
		}
	}
}

// unknown names the nearest key at this depth, or else anywhere.
func (d *decoder) unknown(name *yaml.Node, prefix string, fields []Field) {
	var here, everywhere []string
	for _, f := range fields {
		here = append(here, f.Path)
	}
	for _, f := range d.fields {
		everywhere = append(everywhere, f.Path)
	}
	near := Nearest(name.Value, here)
	if near != "" {
		near = prefix + near
	} else {
		near = Nearest(prefix+name.Value, everywhere)
	}
	switch {
	case near != "":
		d.report(name, prefix+name.Value, fmt.Errorf("no such setting; did you mean %s?", near))
	default:
		d.report(name, prefix+name.Value, fmt.Errorf("no such setting; there are %s", strings.Join(topLevel(fields), ", ")))
	}
}

// value sets anything that is not a group of settings.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) error {
	n, err := d.enter(n)
	if err != nil {
		return err
	}
	d.depth++
	defer func() { d.depth-- }()
	switch {
	case v.Kind() == reflect.Interface:
		return n.Decode(v.Addr().Interface())
	case isNull(n):
		v.SetZero()
		return nil
	case n.Kind == yaml.ScalarNode && v.Kind() == reflect.Slice && !isText(v.Type()):
		return fmt.Errorf("expected a list such as [%s], found %s", n.Value, describe(n))
	case isText(v.Type()) || (v.Kind() != reflect.Slice && v.Kind() != reflect.Map && v.Kind() != reflect.Struct):
		if n.Kind != yaml.ScalarNode {
			return fmt.Errorf("expected %s, found %s", typeName(v.Type()), describe(n))
		}
		if v.Kind() == reflect.String && !isText(v.Type()) && n.Tag == "!!bool" && n.Style == 0 {
			return fmt.Errorf("expected text, found %s; put it in quotes", n.Value)
		}
		if n.Tag == "!!binary" { // how YAML holds text that is not UTF-8
			return n.Decode(v.Addr().Interface())
		}
		return setText(v, n.Value)
	case v.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			return fmt.Errorf("expected a list, found %s", describe(n))
		}
		list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, element := range n.Content {
			if err := d.value(element, list.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return fmt.Errorf("element %d: %w", i+1, err)
			}
		}
		v.Set(list)
		return nil
	case v.Kind() == reflect.Map:
		if n.Kind != yaml.MappingNode || v.Type().Key().Kind() != reflect.String {
			return fmt.Errorf("expected key: value, found %s", describe(n))
		}
		m := reflect.MakeMap(v.Type())
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := reflect.ValueOf(n.Content[i].Value).Convert(v.Type().Key())
			if m.MapIndex(name).IsValid() {
				return fmt.Errorf("%s is set twice", n.Content[i].Value)
			}
			element := reflect.New(v.Type().Elem()).Elem()
			if err := d.value(n.Content[i+1], element, path+"."+n.Content[i].Value); err != nil {
				return fmt.Errorf("%s: %w", n.Content[i].Value, err)
			}
			m.SetMapIndex(name, element)
		}
		v.Set(m)
		return nil
	default: // a struct within a list or map
		before := len(d.errs)
		d.mapping(n, v, path+".")
		if d.file == "" && len(d.errs) > before { // from a flag or --set: no line to name
			return errors.Join(d.errs[before:]...)
		}
		return nil
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a group of settings"
	}
	return fmt.Sprintf("%q", n.Value)
}
