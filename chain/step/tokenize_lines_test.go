package step

import (
	"bytes"
	"strings"
	"testing"
)

func TestLinesThatAreNoObjectsGiveAnErrorEachInOrder(t *testing.T) {
	in := strings.Join([]string{"null", "[1]", "7", `"text"`, "{", `{"n":1}`}, "\n")
	var out bytes.Buffer
	err := jsonLines(strings.NewReader(in), &out, func(r row) error { r["done"] = quoted("yes"); return nil })
	if err == nil || !strings.Contains(err.Error(), "5 of 6 lines failed") || !strings.Contains(err.Error(), "line 1: expected a JSON object: found null") {
		t.Errorf("says %v", err)
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{"found null", "JSON array", "JSON number", "JSON string", "unexpected end", `{"done":"yes","n":1}`}
	if len(got) != len(want) {
		t.Fatalf("%d rows for %d lines: %s", len(got), len(want), out.String())
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) || strings.Contains(got[i], "RawMessage") {
			t.Errorf("line %d: %s, expected %s", i+1, got[i], want[i])
		}
	}
}
