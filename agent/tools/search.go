package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"lian/agent"
	"lian/chat"
	"lian/index"
)

// Searcher finds documents; *index.Index is one.
type Searcher interface {
	Search(query string, k int) []index.Hit
}

type search struct {
	definition chat.Tool
	searcher   Searcher
	k          int
}

// Search is a tool that shows the beginning of the k best documents for the
// argument "query", as index.Format writes them.
func Search(definition chat.Tool, searcher Searcher, k int) agent.Tool {
	return search{definition, searcher, k}
}

func (s search) Definition() chat.Tool { return s.definition }

func (s search) Call(ctx context.Context, arguments json.RawMessage) (string, error) {
	query, err := text(arguments, "query")
	if err != nil {
		return "", err
	}
	return index.Format(s.searcher.Search(query, s.k)), nil
}

// text is a member of the arguments that must not be empty.
func text(arguments json.RawMessage, name string) (string, error) {
	var members map[string]json.RawMessage
	var value string
	if err := json.Unmarshal(arguments, &members); err != nil {
		return "", err
	}
	if err := json.Unmarshal(members[name], &value); err != nil || strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("%q must be a text that is not empty", name)
	}
	return value, nil
}
