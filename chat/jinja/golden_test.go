package jinja_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
	"time"
	"unicode/utf8"

	"lian/chat/jinja"
	"lian/verify/shared"
)

var clock = time.Date(2024, 7, 26, 9, 5, 3, 0, time.UTC)

type goldenCase struct {
	ID, Kind, T, Out, Note string
	Gen                    [][2]int
	Error                  *struct{ Type, Message string }
}

// The snippets were run through Python's Jinja2 3.1.6 with the environment of
// transformers 5.23 (golden/data/MANIFEST.tsv).
func TestSnippetsRenderAsInTransformers(t *testing.T) {
	var input struct{ Context map[string]json.RawMessage }
	data, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "inputs", "jinja.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &input); err != nil {
		t.Fatal(err)
	}
	names := map[string]jinja.Value{}
	for name, raw := range input.Context {
		if names[name], err = jinja.FromJSON(raw, 1); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(shared.Path(t, "testdata", "golden", "data", "jinja.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c goldenCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.ID == "" || c.Note != "" {
			continue
		}
		count++
		var out jinja.Output
		program, err := jinja.Parse(c.ID, c.T)
		if err == nil {
			out, err = program.Render(names, jinja.Options{Now: func() time.Time { return clock }})
		}
		switch {
		case c.Error != nil && err == nil:
			t.Errorf("%s: %q: rendered %q, expected %s: %s", c.ID, c.T, out.Text, c.Error.Type, c.Error.Message)
		case c.Error != nil:
			if !jinja.IsKind(err, c.Error.Type) {
				t.Errorf("%s: %q: %v, expected %s: %s", c.ID, c.T, err, c.Error.Type, c.Error.Message)
			}
		case err != nil:
			t.Errorf("%s: %q: %v, expected %q", c.ID, c.T, err, c.Out)
		case out.Text != c.Out:
			t.Errorf("%s: %q: rendered %q, expected %q", c.ID, c.T, out.Text, c.Out)
		case c.Gen != nil:
			compareGenerated(t, c, out)
		}
	}
	if count == 0 {
		t.Error("no snippet was read")
	}
}

// Snippets of many kinds (every filter, test and method on odd values, number
// and text formats, white space control, nested blocks) that were run through
// the same environment; the first line holds their context.
func TestOddTemplatesRenderAsInTransformers(t *testing.T) {
	file, err := os.Open("testdata/transformers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	names := map[string]jinja.Value{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c struct {
			T, Out, Error string
			Context       map[string]json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		for name, raw := range c.Context {
			if names[name], err = jinja.FromJSON(raw, 1); err != nil {
				t.Fatal(err)
			}
		}
		if c.Context != nil {
			continue
		}
		var out jinja.Output
		program, err := jinja.Parse("odd", c.T)
		if err == nil {
			out, err = program.Render(names, jinja.Options{Now: func() time.Time { return clock }})
		}
		switch {
		case c.Error != "" && !jinja.IsKind(err, c.Error):
			t.Errorf("%q: rendered %q, %v, expected %s", c.T, out.Text, err, c.Error)
		case c.Error == "" && (err != nil || out.Text != c.Out):
			t.Errorf("%q: rendered %q, %v, expected %q", c.T, out.Text, err, c.Out)
		}
	}
}

func compareGenerated(t *testing.T, c goldenCase, out jinja.Output) {
	start, found := 0, [][2]int{}
	for _, run := range out.Runs {
		characters := func(end int) int { return utf8.RuneCountInString(out.Text[:end]) }
		if run.Generated {
			if n := len(found); n > 0 && found[n-1][1] == characters(start) {
				found[n-1][1] = characters(run.End)
			} else {
				found = append(found, [2]int{characters(start), characters(run.End)})
			}
		}
		start = run.End
	}
	if len(found) != len(c.Gen) {
		t.Fatalf("%s: generated %v, expected %v", c.ID, found, c.Gen)
	}
	for i := range found {
		if found[i] != c.Gen[i] {
			t.Errorf("%s: generated %v, expected %v", c.ID, found, c.Gen)
		}
	}
}
