package grammar

import (
	"fmt"
	"slices"
)

// object reads objects: the declared properties in their order, each optional one present or not, then the others
// where "additionalProperties" says what they are.
func (c *compiler) object(path string, v *value, from int32) (int32, error) {
	names, schemas, err := c.declared(path, v)
	if err != nil {
		return 0, err
	}
	required, err := requiredNames(path, v)
	if err != nil {
		return 0, err
	}
	additional := v.members["additionalProperties"]
	if additional == nil && len(names) == 0 && len(required) == 0 {
		return c.b.anyObject(from), nil
	}
	for _, name := range required {
		if slices.Contains(names, name) {
			continue
		}
		if additional != nil && additional.kind == 'f' {
			return 0, &SchemaError{path, "required", fmt.Sprintf("property %q is required, but not among the properties, and others are not allowed", name)}
		}
		schema := &value{kind: 't'}
		if additional != nil {
			schema = additional
		}
		names, schemas = append(names, name), append(schemas, schema)
	}

	b := c.b
	none := b.literal(from, "{") // nothing written yet
	some := b.state()            // at least one property written
	for i, name := range names {
		rule, err := c.schema(path+"/properties/"+pointerEscape(name), schemas[i])
		if err != nil {
			return 0, err
		}
		member := b.rule(func(from int32) int32 {
			return b.invoke(b.space(b.literal(from, quote(name)+":")), rule)
		})
		nextNone, nextSome := b.state(), b.state()
		b.invokeTo(none, member, nextSome)
		b.invokeTo(b.space(b.literal(some, ",")), member, nextSome)
		if !slices.Contains(required, name) {
			b.join(none, nextNone)
			b.join(some, nextSome)
		}
		none, some = nextNone, nextSome
	}
	end := b.state()
	b.join(none, end)
	b.join(some, end)
	if additional != nil && additional.kind != 'f' {
		rule, err := c.schema(path+"/additionalProperties", additional)
		if err != nil {
			return 0, err
		}
		member := b.rule(func(from int32) int32 {
			return b.invoke(b.space(b.literal(b.keyOtherThan(from, names), ":")), rule)
		})
		b.invokeTo(none, member, some)
		b.invokeTo(b.space(b.literal(some, ",")), member, some)
	}
	return b.literal(end, "}"), nil
}

// declared returns the properties in their order.
func (c *compiler) declared(path string, v *value) (names []string, schemas []*value, err error) {
	properties := v.members["properties"]
	if properties == nil {
		return nil, nil, nil
	}
	if properties.kind != '{' {
		return nil, nil, &SchemaError{path, "properties", "expected an object of schemas, found " + properties.jsonType()}
	}
	for _, name := range properties.keys {
		names = append(names, name)
		schemas = append(schemas, properties.members[name])
	}
	return names, schemas, nil
}

func requiredNames(path string, v *value) ([]string, error) {
	list := v.members["required"]
	if list == nil {
		return nil, nil
	}
	var names []string
	for _, item := range list.items {
		if item.kind != '"' {
			return nil, &SchemaError{path, "required", "expected a list of names, found " + item.jsonType()}
		}
		names = append(names, item.text)
	}
	if list.kind != '[' {
		return nil, &SchemaError{path, "required", "expected a list of names, found " + list.jsonType()}
	}
	return names, nil
}
