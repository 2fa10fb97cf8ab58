package grammar

import (
	"errors"
	"fmt"
)

// SchemaError names the place and keyword of a schema that Lian cannot promise to keep.
type SchemaError struct {
	Path    string // JSON pointer of the schema, "#" is the whole
	Keyword string // "" where the schema itself is at fault
	Reason  string
}

func (e *SchemaError) Error() string {
	if e.Keyword == "" {
		return fmt.Sprintf("schema %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("schema %s: %q: %s", e.Path, e.Keyword, e.Reason)
}

// CompileSchema compiles a JSON Schema of the drafts 4 to 2020-12. A schema that is not understood wholly is an error,
// usually a *SchemaError.
func CompileSchema(schema []byte) (*Grammar, error) {
	var doc *document
	g, err := build("schema", func(b *builder) (start int32, err error) {
		if doc, err = parseDocument(schema); err != nil {
			return 0, err
		}
		return newCompiler(b, doc).rule(term{{v: doc.root}})
	})
	if errors.Is(err, errNothing) {
		if why := doc.contradiction(); why != nil {
			return nil, why
		}
	}
	if err != nil {
		return nil, err
	}
	g.schema = doc
	return g, nil
}

// AnyObject is the language of all JSON objects: what response_format json_object asks for.
func AnyObject() *Grammar {
	doc, err := parseDocument([]byte(`{"type":"object"}`))
	if err != nil {
		panic(err) // no input is involved; the tests build it
	}
	g, err := build("JSON object", func(b *builder) (int32, error) { return b.rule(b.anyObject), nil })
	if err != nil {
		panic(err)
	}
	g.schema = doc
	return g
}

// build runs a compiler from its own start rule to the finished grammar.
func build(name string, compile func(b *builder) (int32, error)) (g *Grammar, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case errTooLarge:
			g, err = nil, fmt.Errorf("%s: needs more than %d automaton states; lower its maxLength, maxItems or repeat counts", name, maxStates)
		default:
			panic(e)
		}
	}()
	b := newBuilder()
	start, err := compile(b)
	if err != nil {
		return nil, err
	}
	return b.finish(name, start)
}
