package grammar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"
)

// testVocabulary has all bytes, some longer tokens that cross every border of JSON, a control token and a stop token.
func testVocabulary() *Vocabulary {
	texts := []string{`{"`, `":`, `": `, `", "`, `"}`, `}}`, `]}`, `[]`, `{}`, `true`, `null,`, `-1`, `00`, "北京", "\xe5\x8c\x97\xe4", "\xf0\x9f", `\u`, `d83d`, "<tool_call>", "\n{", "ab", `"a": `, " "}
	tokens := [][]byte{}
	for c := range 256 {
		tokens = append(tokens, []byte{byte(c)})
	}
	for _, text := range texts {
		tokens = append(tokens, []byte(text))
	}
	control, stop := len(tokens), len(tokens)+1
	return NewVocabulary(func(id int32) []byte {
		if int(id) >= control {
			return nil
		}
		return tokens[id]
	}, stop+1, []int32{int32(stop)})
}

// walk generates a text with random tokens; when it gets long it takes the shortest way out.
func walk(g *Grammar, v *Vocabulary, random *rand.Rand, long int) ([]byte, error) {
	m := NewMatcher(g, v)
	stop := v.stop[0]
	bits := make([]uint64, (v.Size()+63)/64)
	var text []byte
	for step := 0; ; step++ {
		if m.Mask(bits) == 0 {
			return text, fmt.Errorf("after %q nothing is allowed", text)
		}
		if step > long {
			rest := m.Completion()
			if err := m.AcceptBytes(rest); err != nil {
				return text, err
			}
			text = append(text, rest...)
			if !m.Complete() {
				return text, fmt.Errorf("%q is not complete", text)
			}
			return text, nil
		}
		var allowed []int32
		for id := range int32(v.Size()) {
			if bits[id/64]>>(id%64)&1 == 1 {
				allowed = append(allowed, id)
			}
		}
		id := allowed[random.IntN(len(allowed))]
		if allowed[len(allowed)-1] == stop && random.IntN(3) == 0 {
			id = stop
		}
		if err := m.Accept(id); err != nil {
			return text, err
		}
		if id == stop {
			return text, nil
		}
		text = append(text, v.bytes[id]...)
	}
}

// drawSchema makes a random schema of the supported part.
func drawSchema(t *rapid.T, depth int) string {
	kinds := []string{"string", "integer", "number", "boolean", "null", "enum", "any", "pattern", "range"}
	if depth > 0 {
		kinds = append(kinds, "array", "object", "anyOf", "tuple", "open")
	}
	sub := func() string { return drawSchema(t, depth-1) }
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "string":
		low := rapid.IntRange(0, 3).Draw(t, "low")
		return fmt.Sprintf(`{"type":"string","minLength":%d,"maxLength":%d}`, low, low+rapid.IntRange(0, 4).Draw(t, "more"))
	case "integer":
		return `{"type":"integer"}`
	case "number":
		return `{"type":"number"}`
	case "boolean":
		return `{"type":"boolean"}`
	case "null":
		return `{"type":["null","string"]}`
	case "enum":
		return `{"enum":["a","ab","北",1,-2.5,null,{"k":[true,{}]},[]]}`
	case "any":
		return `{}`
	case "pattern":
		return rapid.SampledFrom([]string{`{"type":"string","pattern":"^[a-c\"]+$"}`, `{"type":"string","pattern":"x[^y]","maxLength":6}`, `{"format":"date","type":"string"}`, `{"type":"string","pattern":"^\\w{2}(-\\d)?$"}`}).Draw(t, "pattern")
	case "range":
		low := rapid.IntRange(-120, 120).Draw(t, "low")
		high := low + rapid.IntRange(1, 200).Draw(t, "span")
		kind := rapid.SampledFrom([]string{"integer", "number"}).Draw(t, "type")
		return fmt.Sprintf(`{"type":%q,"minimum":%d.5,"exclusiveMaximum":%d}`, kind, low-1, high)
	case "array":
		low := rapid.IntRange(0, 2).Draw(t, "low")
		return fmt.Sprintf(`{"type":"array","items":%s,"minItems":%d,"maxItems":%d}`, sub(), low, low+rapid.IntRange(0, 2).Draw(t, "more"))
	case "tuple":
		return fmt.Sprintf(`{"type":"array","prefixItems":[%s,%s],"items":%s,"minItems":1,"maxItems":3}`, sub(), sub(), sub())
	case "anyOf":
		return fmt.Sprintf(`{"anyOf":[%s,%s]}`, sub(), sub())
	case "open":
		return fmt.Sprintf(`{"type":"object","properties":{"a":%s},"additionalProperties":%s}`, sub(), sub())
	default:
		required := rapid.SampledFrom([]string{`[]`, `["a"]`, `["b","a b"]`, `["a","b","a b"]`}).Draw(t, "required")
		return fmt.Sprintf(`{"type":"object","properties":{"a":%s,"b":%s,"a b":%s},"required":%s,"additionalProperties":false}`, sub(), sub(), sub(), required)
	}
}

func TestWhateverIsGeneratedIsValid(t *testing.T) {
	v := testVocabulary()
	rapid.Check(t, func(t *rapid.T) {
		schema := drawSchema(t, 2)
		g, err := CompileSchema([]byte(schema))
		if err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		var parsed jsonschema.Schema
		if err := json.Unmarshal([]byte(schema), &parsed); err != nil {
			t.Fatal(err)
		}
		resolved, err := parsed.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for range 5 {
			text, err := walk(g, v, random, 60)
			if err != nil {
				t.Fatalf("%s: %v", schema, err)
			}
			if !json.Valid(text) || !utf8.Valid(text) {
				t.Fatalf("%s: %q is not JSON in UTF-8", schema, text)
			}
			var instance any
			if err := json.Unmarshal(text, &instance); err != nil {
				t.Fatal(err)
			}
			if err := resolved.Validate(instance); err != nil {
				t.Fatalf("%s: generated %s: %v", schema, text, err)
			}
			// What was generated is accepted again, re-spaced both ways.
			for _, separators := range [][2]string{{",", ":"}, {", ", ": "}} {
				again := layout(t, text, separators)
				if ok, prefix := g.Match(again); !ok {
					t.Fatalf("%s: %s is refused after %d bytes", schema, again, prefix)
				}
			}
		}
	})
}

// layout writes JSON with other separators and leaves the spelling of numbers, strings and the order alone.
func layout(t interface{ Fatalf(string, ...any) }, text []byte, separators [2]string) string {
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var out strings.Builder
	inString := false
	raw := compact.Bytes()
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			out.WriteByte(c)
			i++
			out.WriteByte(raw[i])
		case c == '"':
			inString = !inString
			out.WriteByte(c)
		case !inString && c == ',':
			out.WriteString(separators[0])
		case !inString && c == ':':
			out.WriteString(separators[1])
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// Any instance that the validator passes, in the layout, must be accepted, for schemas without a narrower reading.
func TestEveryValidInstanceInTheLayoutIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := drawSchema(t, 1)
		g, err := CompileSchema([]byte(schema))
		if err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		var parsed jsonschema.Schema
		if err := json.Unmarshal([]byte(schema), &parsed); err != nil {
			t.Fatal(err)
		}
		resolved, err := parsed.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		text := drawInstance(t, 2)
		var instance any
		if err := json.Unmarshal([]byte(text), &instance); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(schema, `"format"`) {
			t.Skip("the validator takes formats as remarks")
		}
		valid := resolved.Validate(instance) == nil
		if ok, prefix := g.Match(text); ok != valid {
			t.Fatalf("%s: %s is valid: %v, accepted: %v (prefix %d)", schema, text, valid, ok, prefix)
		}
	})
}

func drawInstance(t *rapid.T, depth int) string {
	kinds := []string{`""`, `"a"`, `"ab"`, `"xz"`, `"aa-1"`, `"2024-02-29"`, `"北京"`, `"北"`, `1`, `-2.5`, `0`, `100`, `-7`, `0.25`, `null`, `true`, `[]`, `{}`, `{"k": [true, {}]}`, "array", "object"}
	if depth == 0 {
		kinds = kinds[:len(kinds)-2]
	}
	sub := func() string { return drawInstance(t, depth-1) }
	switch kind := rapid.SampledFrom(kinds).Draw(t, "instance"); kind {
	case "array":
		items := []string{}
		for range rapid.IntRange(1, 3).Draw(t, "n") {
			items = append(items, sub())
		}
		return "[" + strings.Join(items, ", ") + "]"
	case "object":
		members := []string{}
		for _, name := range []string{"a", "b", "a b", "zz"} {
			if rapid.Bool().Draw(t, name) {
				members = append(members, fmt.Sprintf("%q: %s", name, sub()))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	default:
		return kind
	}
}

func TestMaskAgreesWithTryingEachToken(t *testing.T) {
	v := testVocabulary()
	schemas := []string{`{"type":"object","properties":{"a":{"type":"string","maxLength":2},"b":{"type":"number"}},"required":["b"]}`, `{}`, `{"enum":["北京","ab",[1,null]]}`}
	rapid.Check(t, func(t *rapid.T) {
		g, err := CompileSchema([]byte(rapid.SampledFrom(schemas).Draw(t, "schema")))
		if err != nil {
			t.Fatal(err)
		}
		m := NewMatcher(g, v)
		bits := make([]uint64, (v.Size()+63)/64)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		for range 25 {
			n := m.Mask(bits)
			var allowed []int32
			for id := range int32(v.Size()) {
				c := m.Clone()
				ok := c.Accept(id) == nil
				if got := bits[id/64]>>(id%64)&1 == 1; got != ok {
					t.Fatalf("token %d %q: mask says %v, accept says %v", id, v.bytes[id], got, ok)
				}
				if ok {
					allowed = append(allowed, id)
				}
			}
			if n != len(allowed) {
				t.Fatalf("mask counts %d, %d are allowed", n, len(allowed))
			}
			if n == 0 {
				return
			}
			if err := m.Accept(allowed[random.IntN(len(allowed))]); err != nil {
				t.Fatal(err)
			}
		}
	})
}
