package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"lian/chat"
)

// Tool is something a model may do.
type Tool interface {
	// Definition is what the model is told: name, description, and the JSON
	// schema of the arguments.
	Definition() chat.Tool
	// Call does it. Arguments fit the schema. The result is text for the model
	// to read, and so is the error.
	Call(ctx context.Context, arguments json.RawMessage) (result string, err error)
}

// Definitions are what a model is told of tools, in their order.
func Definitions(tools []Tool) []chat.Tool {
	var definitions []chat.Tool
	for _, t := range tools {
		definitions = append(definitions, t.Definition())
	}
	return definitions
}

// checked is a tool with its schema ready to check arguments.
type checked struct {
	Tool
	schema *jsonschema.Resolved // nil: any object
}

// box holds the tools of one run by name.
type box struct {
	tools map[string]checked
	names []string
}

func newBox(tools []Tool) (*box, error) {
	b := &box{tools: map[string]checked{}}
	for _, t := range tools {
		d := t.Definition()
		if _, twice := b.tools[d.Name]; twice {
			return nil, fmt.Errorf("two tools are called %s", d.Name)
		}
		c := checked{Tool: t}
		if len(d.Parameters) > 0 {
			var schema jsonschema.Schema
			if err := json.Unmarshal(d.Parameters, &schema); err != nil {
				return nil, fmt.Errorf("tool %s: parameters: %w", d.Name, err)
			}
			var err error
			if c.schema, err = schema.Resolve(nil); err != nil {
				return nil, fmt.Errorf("tool %s: parameters: %w", d.Name, err)
			}
		}
		b.tools[d.Name] = c
		b.names = append(b.names, d.Name)
	}
	return b, nil
}

// errBadCall marks calls that were never run.
var errBadCall = errors.New("the call does not fit the tool")

// call checks and runs one call.
func (b *box) call(ctx context.Context, call chat.ToolCall) (result string, err error) {
	t, ok := b.tools[call.Name]
	if !ok {
		return "", fmt.Errorf("%w: there is no tool %q; the tools are: %s", errBadCall, call.Name, strings.Join(b.names, ", "))
	}
	if _, err := call.Object(); err != nil {
		return "", fmt.Errorf("%w: %w", errBadCall, err)
	}
	arguments := call.Arguments
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	if t.schema != nil {
		var value any
		if err := json.Unmarshal(arguments, &value); err != nil {
			return "", fmt.Errorf("%w: %w", errBadCall, err)
		}
		if err := t.schema.Validate(value); err != nil {
			return "", fmt.Errorf("%w: %s: %w", errBadCall, call.Name, err)
		}
	}
	defer func() {
		if r := recover(); r != nil { // a tool must not end the run
			err = fmt.Errorf("tool %s broke: %v", call.Name, r)
		}
	}()
	return t.Call(ctx, arguments)
}
