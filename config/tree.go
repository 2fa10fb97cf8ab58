package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is one setting of a document whose struct is not known.
type Value struct {
	Path  string
	Value string
}

// Tree parses a YAML (or JSON) document without a struct, to show or compare it: maps
// with text keys, lists and scalars.
func Tree(text []byte, file string) (any, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, syntax(file, err)
	}
	if len(document.Content) == 0 {
		return map[string]any{}, nil
	}
	var tree any
	if err := document.Content[0].Decode(&tree); err != nil { // also refuses documents that repeat themselves without end
		return nil, syntax(file, err)
	}
	return tree, nil
}

// Flatten lists the values of a tree by dotted path, in order of the paths.
func Flatten(tree any) []Value {
	var out []Value
	flatten(tree, "", &out)
	return out
}

func flatten(tree any, path string, out *[]Value) {
	join := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch t := tree.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(t)) {
			flatten(t[name], join(name), out)
		}
	case []any:
		var parts []string
		for i, element := range t {
			switch element.(type) {
			case map[string]any, []any:
				flatten(element, fmt.Sprintf("%s[%d]", path, i), out)
			default:
				parts = append(parts, fmt.Sprint(element))
			}
		}
		if len(parts) > 0 || len(t) == 0 {
			*out = append(*out, Value{path, strings.Join(parts, ",")})
		}
	case nil:
		*out = append(*out, Value{path, ""})
	default:
		*out = append(*out, Value{path, fmt.Sprint(t)})
	}
}
