package grammar

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
)

// tableCase is a line of testdata/schemas.jsonl. The verdicts were checked with the Python package jsonschema.
type tableCase struct {
	Schema         json.RawMessage
	Accept, Reject []json.RawMessage
}

func readTable(t testing.TB) (list []tableCase) {
	t.Helper()
	f, err := os.Open("testdata/schemas.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c tableCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

func TestTheTableOfSchemas(t *testing.T) {
	v := testVocabulary()
	second, generated, checked := 0, 0, 0
	for i, c := range readTable(t) {
		name := fmt.Sprintf("%d %.120s", i+1, c.Schema)
		g, err := CompileSchema(c.Schema)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, x := range c.Accept {
			if ok, prefix := g.Match(string(x)); !ok {
				t.Errorf("%s: %s is refused after %d bytes", name, x, prefix)
			}
		}
		for _, x := range c.Reject {
			var compact bytes.Buffer
			if err := json.Compact(&compact, x); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{string(x), compact.String()} {
				if ok, _ := g.Match(text); ok {
					t.Errorf("%s: %s is accepted", name, text)
				}
			}
		}
		validator := independent(c.Schema)
		if validator != nil {
			second++
		}
		for seed := range uint64(6) {
			text, err := walk(g, v, rand.New(rand.NewPCG(seed, 7)), 80)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
			generated++
			if dump := os.Getenv("LIAN_GENERATED"); dump != "" { // for validators of other languages
				appendLine(t, dump, map[string]any{"schema": c.Schema, "text": string(text)})
			}
			if !json.Valid(text) || !utf8.Valid(text) {
				t.Errorf("%s: generated %q, which is not JSON in UTF-8", name, text)
				break
			}
			if !g.Validates(string(text)) && !repeats(text) {
				t.Errorf("%s: generated %s, which its own second opinion refuses", name, text)
			}
			if validator != nil {
				var instance any
				if err := json.Unmarshal(text, &instance); err != nil {
					t.Fatal(err)
				}
				checked++
				if err := validator.Validate(instance); err != nil {
					t.Errorf("%s: generated %s: %v", name, text, err)
				}
			}
		}
	}
	t.Logf("%d texts generated, %d of them checked by the validator, which knows %d of the schemas", generated, checked, second)
}

// repeats reports whether a member appears twice: the standard leaves open what that means, and parsers take the last.
func repeats(text []byte) bool {
	_, err := parseValue(text)
	return err != nil
}

// independent is the schema for a validator that others wrote, nil where that one cannot read it: drafts before 2020-12,
// patterns that RE2 has not.
func independent(schema json.RawMessage) *jsonschema.Resolved {
	if bytes.Contains(schema, []byte("draft-0")) || bytes.Contains(schema, []byte("2019-09")) {
		return nil
	}
	var parsed jsonschema.Schema
	if json.Unmarshal(schema, &parsed) != nil {
		return nil
	}
	resolved, err := parsed.Resolve(nil)
	if err != nil {
		return nil
	}
	return resolved
}

func appendLine(t *testing.T, name string, x any) {
	t.Helper()
	line, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}
