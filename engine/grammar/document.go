package grammar

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// document is a schema with what its references may name. It is also the second opinion: [document.valid] says of any value
// whether the schema allows it, beyond the forms that are generated.
type document struct {
	root     *value
	sites    map[*value]site
	named    map[string]*value // by absolute URI, with fragment for anchors
	dynamic  map[string][]*value
	siblings bool // what stands beside $ref counts: since draft 2019-09
	oldID    bool // draft 4: "id"
	checked  map[*value]error
	patterns map[string]*automaton
	listed   map[*value]map[string]bool // canonical values of long enums
	algebra  *algebra
}

// site is where a schema stands.
type site struct {
	path     string // JSON pointer
	base     string // URI that its references are relative to
	resource *value // the schema that base names
}

// Bounds of what is read at all.
const (
	maxSchemaBytes = 4 << 20
	maxSchemas     = 100_000
)

const rootURI = "schema:///root"

func parseDocument(schema []byte) (*document, error) {
	fail := func(reason string) error { return &SchemaError{Path: "#", Reason: reason} }
	if len(schema) > maxSchemaBytes {
		return nil, fail(fmt.Sprintf("%d bytes, at most %d are read", len(schema), maxSchemaBytes))
	}
	root, err := parseValue(schema)
	if err != nil {
		return nil, fail(err.Error())
	}
	return newDocument(root)
}

func newDocument(root *value) (*document, error) {
	d := &document{root: root, sites: map[*value]site{}, named: map[string]*value{}, dynamic: map[string][]*value{}, siblings: true,
		checked: map[*value]error{}, patterns: map[string]*automaton{}, listed: map[*value]map[string]bool{}, algebra: newAlgebra()}
	if root.kind != '{' && root.kind != 't' && root.kind != 'f' {
		return nil, &SchemaError{Path: "#", Reason: fmt.Sprintf("expected an object or a boolean, found %s", root.jsonType())}
	}
	if root.kind == '{' {
		if s := root.members["$schema"]; s != nil {
			for _, draft := range []string{"draft-03", "draft-04", "draft-06", "draft-07"} {
				if strings.Contains(s.text, draft) {
					d.siblings, d.oldID = false, draft == "draft-04" || draft == "draft-03"
				}
			}
		}
	}
	d.named[rootURI] = root
	return d, d.index(root, site{"#", rootURI, root})
}

// index notes where a schema and those within it stand and what they are called, and checks the shapes of their keywords.
func (d *document) index(v *value, at site) error {
	if _, known := d.sites[v]; known {
		return nil
	}
	if len(d.sites) >= maxSchemas {
		return &SchemaError{Path: at.path, Reason: fmt.Sprintf("more than %d schemas", maxSchemas)}
	}
	d.sites[v] = at
	if v.kind != '{' {
		return nil
	}
	ref := v.members["$ref"]
	alone := ref != nil && !d.siblings
	idKeyword := "$id"
	if d.oldID {
		idKeyword = "id"
	}
	if id := v.members[idKeyword]; id != nil && id.kind == '"' && !alone {
		uri, err := resolveURI(at.base, id.text)
		if err != nil {
			return &SchemaError{at.path, idKeyword, err.Error()}
		}
		whole, fragment, _ := strings.Cut(uri, "#")
		if fragment != "" { // how drafts before 2019-09 write anchors
			d.named[whole+"#"+fragment] = v
		}
		if !strings.HasPrefix(id.text, "#") {
			at = site{at.path, whole, v}
			d.sites[v] = at
			if d.named[whole] == nil {
				d.named[whole] = v
			}
		}
	}
	for _, keyword := range []string{"$anchor", "$dynamicAnchor"} {
		if name := v.members[keyword]; name != nil && name.kind == '"' {
			d.named[at.base+"#"+name.text] = v
			if keyword == "$dynamicAnchor" {
				d.dynamic[name.text] = append(d.dynamic[name.text], v)
			}
		}
	}
	for _, keyword := range v.keys {
		known, ok := keywords[keyword]
		if !ok {
			continue // refused where the schema is used
		}
		child := v.members[keyword]
		if reason := checkShape(known.shape, child); reason != "" {
			return &SchemaError{at.path, keyword, reason}
		}
		within := at
		enter := func(child *value, tokens ...string) error {
			within.path = at.path + "/" + pointerEscape(keyword)
			for _, token := range tokens {
				within.path += "/" + pointerEscape(token)
			}
			return d.index(child, within)
		}
		switch known.shape {
		case schemaShape, itemsShape, schemasShape:
			if child.kind != '[' {
				if err := enter(child); err != nil {
					return err
				}
			}
			for i, item := range child.items {
				if err := enter(item, strconv.Itoa(i)); err != nil {
					return err
				}
			}
		case schemaMapShape, patternMapShape, mixedMapShape:
			for _, name := range child.keys {
				if child.members[name].kind == '[' {
					continue
				}
				if err := enter(child.members[name], name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func resolveURI(base, ref string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	r, err := b.Parse(ref)
	if err != nil {
		return "", err
	}
	fragment := r.Fragment
	r.Fragment, r.RawFragment = "", ""
	if fragment == "" {
		return r.String(), nil
	}
	return r.String() + "#" + fragment, nil
}

// path is the JSON pointer of a schema, for errors.
func (d *document) path(v *value) string {
	if at, ok := d.sites[v]; ok {
		return at.path
	}
	return "#"
}

func (d *document) fail(v *value, keyword, format string, args ...any) error {
	return &SchemaError{d.path(v), keyword, fmt.Sprintf(format, args...)}
}

// usable refuses keywords that are not understood, by name.
func (d *document) usable(v *value) error {
	if v.kind != '{' {
		return nil
	}
	if err, known := d.checked[v]; known {
		return err
	}
	var err error
	for _, keyword := range v.keys {
		if _, ok := keywords[keyword]; !ok && !isAnnotation(keyword) && !strings.HasPrefix(keyword, internal) {
			err = d.fail(v, keyword, "this keyword is not supported; remove it, and check it after generation")
			break
		}
	}
	d.checked[v] = err
	return err
}

// targets are the schemas that the references of v name.
func (d *document) targets(v *value) ([]*value, error) {
	var list []*value
	for _, keyword := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
		ref := v.members[keyword]
		if ref == nil {
			continue
		}
		target, err := d.resolve(v, keyword, ref.text)
		if err != nil {
			return nil, err
		}
		if keyword == "$recursiveRef" && target != d.root && target.recursive() && d.root.recursive() { // draft 2019-09
			target = d.root
		}
		if keyword == "$dynamicRef" {
			if target, err = d.outermost(v, target, ref.text); err != nil {
				return nil, err
			}
		}
		list = append(list, target)
	}
	return list, nil
}

func (v *value) recursive() bool {
	return v.members["$recursiveAnchor"] != nil && v.members["$recursiveAnchor"].kind == 't'
}

// outermost is where a dynamic reference leads: evaluation begins at the root, so its anchor of that name is the outermost.
func (d *document) outermost(v, target *value, ref string) (*value, error) {
	_, name, _ := strings.Cut(ref, "#")
	anchor := target.members["$dynamicAnchor"]
	if anchor == nil || anchor.text != name {
		return target, nil
	}
	for _, candidate := range d.dynamic[name] {
		if d.sites[candidate].resource == d.root {
			return candidate, nil
		}
	}
	if len(d.dynamic[name]) > 1 {
		return nil, d.fail(v, "$dynamicRef", "%s: several schemas have this anchor, and none of them belongs to the whole", ref)
	}
	return target, nil
}

// resolve finds the schema that a reference names.
func (d *document) resolve(v *value, keyword, ref string) (*value, error) {
	at := d.sites[v]
	if at.base == "" {
		at = d.sites[d.root]
	}
	fail := func(reason string) (*value, error) { return nil, d.fail(v, keyword, "%s: %s", ref, reason) }
	uri, err := resolveURI(at.base, ref)
	if err != nil {
		return fail(err.Error())
	}
	whole, fragment, _ := strings.Cut(uri, "#")
	if fragment != "" && !strings.HasPrefix(fragment, "/") {
		if target := d.named[uri]; target != nil {
			return target, nil
		}
		return fail("there is no such anchor")
	}
	from := d.named[whole]
	if from == nil && whole == at.base {
		from = at.resource
	}
	if from == nil {
		return fail("only references within the document are supported")
	}
	if fragment == "" {
		return from, nil
	}
	target, within := from, d.sites[from]
	for _, token := range strings.Split(fragment, "/")[1:] {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch target.kind {
		case '{':
			target = target.members[token]
		case '[':
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(target.items) {
				return fail("there is no such place")
			}
			target = target.items[i]
		default:
			target = nil
		}
		if target == nil {
			return fail("there is no such place")
		}
		if known, ok := d.sites[target]; ok {
			within = known
		}
	}
	if !slices.Contains([]byte("{tf"), target.kind) {
		return fail("expected a schema there, an object or a boolean")
	}
	if _, known := d.sites[target]; !known { // within something that is no schema by itself
		within.path = "#" + fragment
		if err := d.index(target, within); err != nil {
			return nil, err
		}
	}
	return target, nil
}

// pointerEscape writes a name as a token of a JSON pointer.
func pointerEscape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
