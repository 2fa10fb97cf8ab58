// Package tools holds the tools an agent may be given: search over documents
// and exact arithmetic.
//
// What a model is told of a tool (name, description, schema) is given to its
// constructor, because a model must be told exactly what it was taught with;
// data/instruct has those definitions in English and Chinese. Tools guarantee
// the same result for the same arguments and refuse, with a sentence that a
// model can act on, what they cannot do. None runs code.
package tools

import (
	"fmt"
	"strings"

	"lian/agent"
	"lian/chat"
)

// New makes the tools with these definitions, in their order.
func New(definitions []chat.Tool, searcher Searcher) ([]agent.Tool, error) {
	var list []agent.Tool
	for _, d := range definitions {
		switch d.Name {
		case "search":
			if searcher == nil {
				return nil, fmt.Errorf("tool search: there are no documents to search")
			}
			list = append(list, Search(d, searcher, 1))
		case "calculate":
			list = append(list, Calculate(d))
		default:
			return nil, fmt.Errorf("no such tool: %s; there are %s", d.Name, strings.Join(Names(), ", "))
		}
	}
	return list, nil
}

// Names lists the tools that New can make.
func Names() []string { return []string{"search", "calculate"} }
