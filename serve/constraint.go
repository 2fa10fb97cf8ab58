package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"sync"

	"lian/chat"
	"lian/engine/grammar"
)

// grammars keeps the latest compiled grammars, so that a schema sent with every request is compiled once and its masks
// are shared.
type grammars struct {
	mu    sync.Mutex
	known map[[32]byte]*grammar.Grammar
	order [][32]byte
}

const keptGrammars = 64

func (c *grammars) get(key []byte, compile func() (*grammar.Grammar, error)) (*grammar.Grammar, error) {
	sum := sha256.Sum256(key)
	c.mu.Lock()
	g, ok := c.known[sum]
	c.mu.Unlock()
	if ok {
		return g, nil
	}
	g, err := compile()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.known[sum]; ok {
		return kept, nil
	}
	if c.known == nil {
		c.known = map[[32]byte]*grammar.Grammar{}
	}
	if len(c.order) >= keptGrammars {
		delete(c.known, c.order[0])
		c.order = c.order[1:]
	}
	c.known[sum], c.order = g, append(c.order, sum)
	return g, nil
}

// constraint is the language that a chat's reply must be of, nil for free text, and the tools that the model is shown.
func (s *Server) constraint(m Generator, r *chatRequest) (g *grammar.Grammar, tools []chat.Tool, err error) {
	choice, name, err := toolChoice(r.ToolChoice, len(r.Tools) > 0)
	if err != nil {
		return nil, nil, err
	}
	if choice != "none" {
		return s.toolConstraint(m.Dialect(), r, choice, name)
	}
	g, err = s.held(&r.constraints)
	return g, nil, err
}

// toolChoice reads the field: none, auto, required, or named with the function's name.
func toolChoice(raw json.RawMessage, offered bool) (choice, name string, err error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		if offered {
			return "auto", "", nil
		}
		return "none", "", nil
	}
	var named struct {
		Type     string
		Function struct{ Name string }
	}
	switch {
	case json.Unmarshal(raw, &choice) == nil:
		if choice != "none" && choice != "auto" && choice != "required" {
			return "", "", invalid("tool_choice", `tool_choice is %q, expected "none", "auto", "required" or a function`, choice)
		}
	case json.Unmarshal(raw, &named) == nil && named.Type == "function" && named.Function.Name != "":
		choice, name = "named", named.Function.Name
	default:
		return "", "", invalid("tool_choice", `tool_choice: expected "none", "auto", "required" or {"type":"function","function":{"name":…}}`)
	}
	if !offered {
		if choice == "required" || choice == "named" {
			return "", "", invalid("tool_choice", "tool_choice asks for a tool, but tools is empty")
		}
		choice = "none"
	}
	return choice, name, nil
}

func (s *Server) toolConstraint(dialect *chat.Dialect, r *chatRequest, choice, name string) (*grammar.Grammar, []chat.Tool, error) {
	if a, err := r.constraints.asked(); err != nil {
		return nil, nil, err
	} else if a != nil {
		field, _, _ := strings.Cut(a.field, ".")
		return nil, nil, invalid(field, "%s beside tools is not supported; ask for one of them, or set tool_choice to none", field)
	}
	mode := grammar.Lazy
	if choice != "auto" {
		mode = grammar.Required
	}
	if choice == "named" || r.ParallelToolCalls == nil || !*r.ParallelToolCalls {
		mode |= grammar.Single // several calls only where they are asked for: small models do not find the end
	}
	var allowed []grammar.Tool
	for _, t := range r.Tools {
		if name == "" || t.Name == name {
			allowed = append(allowed, grammar.Tool{Name: t.Name, Parameters: t.Parameters})
		}
	}
	if len(allowed) == 0 {
		return nil, nil, invalid("tool_choice", "tool_choice names %q, which is not among the tools", name)
	}
	form := grammar.CallForm(dialect.CallForm())
	key, err := json.Marshal(struct {
		Mode    grammar.Mode
		Tools   []grammar.Tool
		Dialect string
	}{mode, allowed, dialect.Name})
	if err != nil {
		return nil, nil, invalid("tools", "%v", err)
	}
	g, err := s.grammars.get(key, func() (*grammar.Grammar, error) { return grammar.ToolCalls(allowed, form, mode) })
	if err != nil {
		return nil, nil, invalid("tools", "%v", err)
	}
	return g, r.Tools, nil
}
