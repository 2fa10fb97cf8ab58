package grammar

import (
	"encoding/json"
	"testing"
)

func TestACutCallIsClosed(t *testing.T) {
	g, err := ToolCalls([]Tool{{Name: "search", Parameters: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}`)}}, hermes, Lazy)
	if err != nil {
		t.Fatal(err)
	}
	whole := "<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"孤帆\"}}\n</tool_call>"
	for cut := range len(whole) + 1 {
		text, err := g.Complete(whole[:cut])
		if err != nil {
			t.Fatalf("%q: %v", whole[:cut], err)
		}
		if complete, _ := g.Match(text); !complete {
			t.Errorf("%q became %q, which is not of the language", whole[:cut], text)
		}
	}
	if text, err := g.Complete("free text"); err != nil || text != "free text" {
		t.Errorf("free text became %q, %v", text, err)
	}
	if _, err := g.Complete("<tool_call>\n{\"name\": \"other"); err == nil {
		t.Error("a call of another tool was completed")
	}
}
