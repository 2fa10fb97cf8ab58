package grammar

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"lian/verify/shared"
)

func mustSchema(t *testing.T, schema string) *Grammar {
	t.Helper()
	g, err := CompileSchema([]byte(schema))
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return g
}

func check(t *testing.T, g *Grammar, name string, accept, reject []string) {
	t.Helper()
	for _, text := range accept {
		if ok, prefix := g.Match(text); !ok {
			t.Errorf("%s: %q is refused after %d bytes, want accepted", name, text, prefix)
		}
	}
	for _, text := range reject {
		if ok, _ := g.Match(text); ok {
			t.Errorf("%s: %q is accepted, want refused", name, text)
		}
	}
}

// generated is check for the form in which a grammar generates.
func generated(t *testing.T, g *Grammar, name string, accept, reject []string) {
	t.Helper()
	for _, text := range accept {
		if ok, prefix := g.generates(text); !ok {
			t.Errorf("%s: %q is not generated after %d bytes", name, text, prefix)
		}
	}
	for _, text := range reject {
		if ok, _ := g.generates(text); ok {
			t.Errorf("%s: %q may be generated", name, text)
		}
	}
}

func TestStringsAreValidJSONAndUTF8(t *testing.T) {
	g := mustSchema(t, `{"type":"string"}`)
	check(t, g, "string",
		[]string{`""`, `"北京 😀"`, `"\"\\\/\b\f\n\r\t"`, `"\u0041\u4e2d"`, `"\ud83d\ude00"`, "\"\x7f\""},
		[]string{`"`, "\"\n\"", `"\x"`, `"\ud83d"`, `"\ude00"`, `"\ud83d\u0041"`, "\"\xff\"", "\"\xe4\xb8\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "\"\xf4\x90\x80\x80\""})
	if ok, prefix := g.Match("\"\xe4\xb8"); ok || prefix != 3 {
		t.Errorf("half a character: complete %v after %d bytes", ok, prefix)
	}
}

func TestNumberRanges(t *testing.T) {
	for _, c := range []struct {
		schema         string
		accept, reject []string
	}{
		{`{"type":"integer","minimum":-12,"maximum":305}`, []string{"-12", "-1", "0", "9", "10", "99", "100", "305"}, []string{"-13", "306", "-0", "00", "01", "1.0", "1e2", "-"}},
		{`{"type":"integer","exclusiveMinimum":0.5,"exclusiveMaximum":3}`, []string{"1", "2"}, []string{"0", "3"}},
		{`{"type":"number","minimum":-1.25,"maximum":0.5}`, []string{"-1.25", "-1.2", "-1", "-0.0", "0", "0.5", "0.50", "0.4999"}, []string{"-1.26", "-1.250001", "0.51", "1", "-2", "0.", "1e-3"}},
		{`{"type":"number","exclusiveMinimum":2,"exclusiveMaximum":10.5}`, []string{"2.1", "2.0001", "3", "9.9", "10", "10.49"}, []string{"2", "2.0", "10.5", "10.50", "11", "1.9"}},
		{`{"type":"number","minimum":100}`, []string{"100", "100.0", "999999", "101.5"}, []string{"99", "99.9", "-100"}},
		{`{"type":"number","maximum":-3}`, []string{"-3", "-3.1", "-4", "-400.5"}, []string{"-2.9", "3", "0"}},
		{`{"type":"number","exclusiveMaximum":0}`, []string{"-0.1", "-5"}, []string{"0", "-0", "-0.0", "0.1"}},
		{`{"type":"number"}`, []string{"-0.5", "1e5", "1.5E-07", "123456"}, []string{"+1", ".5", "1.", "1e", "1e999", "01"}},
	} {
		generated(t, mustSchema(t, c.schema), c.schema, c.accept, c.reject)
	}
}

func TestObjectsKeepOrderAndTheSpaceRule(t *testing.T) {
	g := mustSchema(t, `{"type":"object","properties":{"a":{"type":"integer"},"b":{"const":"x"},"c":{"type":"null"}},"required":["b"]}`)
	generated(t, g, "object",
		[]string{`{"b":"x"}`, `{"a": 1, "b": "x"}`, `{"a":1,"b": "x", "c":null}`, `{"b": "x","c": null}`},
		[]string{`{}`, `{"b": "x", "a": 1}`, `{ "b":"x"}`, `{"b" :"x"}`, `{"b":  "x"}`, `{"b":"x",}`, `{"b":"x"} `, `{"b":"x","d":1}`, "{\"b\":\n\"x\"}"})
}

func TestAdditionalPropertiesAreOtherThanTheDeclared(t *testing.T) {
	g := mustSchema(t, `{"type":"object","properties":{"ab":{"type":"integer"},"é":{"type":"integer"},"q\"r":{}},"additionalProperties":{"type":"boolean"}}`)
	generated(t, g, "additional",
		[]string{`{}`, `{"ab":1,"a":true}`, `{"abc":true,"":false,"b":true}`, `{"è":true,"éa":true}`, `{"é":3,"x":true, "y": false}`, `{"q\"r":[1,{}]}`},
		[]string{`{"ab":true}`, `{"é":true}`, `{"x":1}`, `{"\u0061b":true}`, `{"x":true,"ab":1}`})
}

func TestPatternsAndFormats(t *testing.T) {
	for _, c := range []struct {
		schema         string
		accept, reject []string
	}{
		{`{"type":"string","pattern":"^[A-Z]{2}-[0-9]+$"}`, []string{`"AB-1"`, `"ZZ-0099"`}, []string{`"A-1"`, `"AB-"`, `"xAB-1"`}},
		{`{"type":"string","pattern":"b+","maxLength":4}`, []string{`"b"`, `"abbc"`, `"\u0061b"`}, []string{`""`, `"ac"`, `"aabcd"`, `"aaaab"`}},
		{`{"type":"string","pattern":"^\"\\\\.$"}`, []string{`"\"\\x"`, `"\"\\\""`}, []string{`"x"`, `"\"\\"`, `"\"\\\n"`}},
		{`{"type":"string","pattern":"^[\\u4e00-\\u9fa5]{2}$"}`, []string{`"北京"`}, []string{`"北"`, `"ab"`, `"北京市"`}},
		{`{"type":"string","pattern":"^a|z$"}`, []string{`"a"`, `"abc"`, `"xyz"`}, []string{`"bab"`, `"zx"`}},
		{`{"type":"string","pattern":"^\\S+$"}`, []string{`"ab"`}, []string{`"a b"`, "\"a\u3000b\"", `""`}},
		{`{"type":"string","pattern":"^[^x\\]]$"}`, []string{`"a"`, `"\n"`}, []string{`"x"`, `"]"`}},
		{`{"type":"string","format":"date"}`, []string{`"2024-02-29"`, `"2000-02-29"`, `"1999-12-31"`}, []string{`"2023-02-29"`, `"1900-02-29"`, `"2024-13-01"`, `"2024-04-31"`}},
		{`{"type":"string","format":"ipv4"}`, []string{`"127.0.0.1"`}, []string{`"256.1.1.1"`, `"1.2.3"`}},
	} {
		check(t, mustSchema(t, c.schema), c.schema, c.accept, c.reject)
	}
}

func TestWhatIsNotUnderstoodIsNamed(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`{"type":"nonsense"}`, `schema #: "type": found "nonsense", expected one of`},
		{`{"type":"object","properties":{"a":{"nto":{}}}}`, `schema #/properties/a: "nto": this keyword is not supported`},
		{`{"not":{"uniqueItems":true}}`, `"uniqueItems": not supported within not`},
		{`{"if":{"format":"date"},"then":{}}`, `"format": not supported within not`},
		{`{"type":"string","pattern":"(?<=a)b"}`, `look-behind`},
		{`{"type":"string","pattern":"(a)\\1"}`, `back reference \1 is not supported`},
		{`{"type":"string","pattern":"(a$|b)*"}`, `assertion within a repetition`},
		{`{"type":"string","pattern":"(a{1000}){1000}(b|c)"}`, `"pattern": needs too many states`},
		{`{"type":"string","pattern":"(x+x+)+y{2,1}"}`, `goes backwards`},
		{`{"type":"string","format":"nonsense"}`, `"nonsense" is not supported`},
		{`{"type":"string","minLength":3,"maxLength":2}`, `2 is less than minLength 3`},
		{`{"type":"string","minLength":1000000}`, `1000000 is too large`},
		{`{"type":"array","items":{"type":"string"},"maxItems":-1}`, `"maxItems": expected a count, found -1`},
		{`{"type":"string","minLength":"3"}`, `"minLength": expected a count, found "3"`},
		{`{"required":"a"}`, `"required": expected a list of names`},
		{`{"properties":[]}`, `"properties": expected an object of schemas`},
		{`{"properties":{"a":3}}`, `"a" is 3`},
		{`{"enum":3}`, `"enum": expected a list of values`},
		{`{"enum":[]}`, `"enum": the list is empty`},
		{`{"anyOf":[]}`, `"anyOf": expected a list of schemas with at least one`},
		{`{"multipleOf":0}`, `"multipleOf": expected a number greater than 0`},
		{`{"not":true}`, `"not": it excludes everything`},
		{`{"$ref":"#/$defs/x"}`, `there is no such place`},
		{`{"$ref":"http://example.com/s"}`, `only references within the document`},
		{`{"anyOf":[{"$ref":"#"},{"type":"null"}]}`, `refers to itself before any text is read`},
		{`{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`, `no finite text satisfies it`},
		{`false`, `no finite text`},
		{`{"enum":["a"],"minLength":2}`, `"enum": what is listed is not valid`},
		{`{"type":"integer","enum":["a"]}`, `no listed value is of the type asked`},
		{`{"type":"object","required":["x"],"properties":{},"additionalProperties":false}`, `property "x" is required, but not among`},
		{`{"type":"integer","minimum":5,"maximum":4}`, `"maximum": there is no number between`},
		{`{"a":1,"a":2}`, `member "a" appears twice`},
		{`{"type":`, `not JSON`},
		{`[]`, `expected an object or a boolean, found array`},
		{`{"type":"array","uniqueItems":true,"items":{"enum":[1,2]},"minItems":3}`, `"uniqueItems": so many different items`},
		{strings.Repeat(`{"items":`, 10000) + "{}" + strings.Repeat("}", 10000), "nested deeper than"},
		{`{"enum":["` + strings.Repeat("a", 5<<20) + `"]}`, "bytes, at most"},
	} {
		_, err := CompileSchema([]byte(c.schema))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.200s:\n got %v\nwant %s", c.schema, err, c.want)
		}
	}
}

func TestOneOfWithPlainlyDifferentBranches(t *testing.T) {
	g := mustSchema(t, `{"oneOf":[{"type":"object","properties":{"t":{"const":"a"},"x":{"type":"integer"}},"required":["t","x"]},
		{"type":"object","properties":{"t":{"const":"b"}},"required":["t"]},{"type":"null"}]}`)
	generated(t, g, "oneOf", []string{`{"t":"a","x":1}`, `{"t":"b"}`, `null`}, []string{`{"t":"a"}`, `{"t":"b","x":1}`})
}

func TestChoiceAndRegexp(t *testing.T) {
	g, err := Choice([]string{"a", "ab", "乙"})
	if err != nil {
		t.Fatal(err)
	}
	check(t, g, "choice", []string{"a", "ab", "乙"}, []string{"", "b", "abc", "\xe4"})
	if _, err := Choice(nil); err == nil {
		t.Error("an empty list was taken")
	}
	r, err := Regexp(`[0-9]{1,3}(\.[0-9]+)?|无`)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r, "regexp", []string{"1", "123.5", "无"}, []string{"", "1234", "1.", "x1"})
}

// hermes is a dialect as package chat declares it.
var hermes = CallForm{Name: "hermes", Open: "<tool_call>", Body: "\n{object}\n", Close: "</tool_call>", Between: "\n"}

func TestToolCallsBindEachNameToItsSchema(t *testing.T) {
	tools := []Tool{
		{"search", json.RawMessage(`{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}`)},
		{"add", json.RawMessage(`{"properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"]}`)},
		{"now", nil},
	}
	search := "<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"李白\"}}\n</tool_call>"
	add := "<tool_call>\n{\"name\":\"add\",\"arguments\":{\"a\":1,\"b\":2}}\n</tool_call>"
	now := "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"
	mixed := "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"query\": \"x\"}}\n</tool_call>"
	for _, c := range []struct {
		why            string
		mode           Mode
		accept, reject []string
	}{
		{"required", Required, []string{search, add, now, search + "\n" + add}, []string{"", "hi", mixed, search + " ", "hi" + add}},
		{"single", Single, []string{search}, []string{search + "\n" + add}},
		{"lazy", Lazy, []string{"", "好的", "a < b <tool", "<<tool_call", search, "I look.\n" + search, "x<" + add, add + "\n" + now}, []string{"\xe5", mixed, "x" + mixed, "<tool_call>", "<tool_call> hm", search + "thanks"}},
	} {
		g, err := ToolCalls(tools, hermes, c.mode)
		if err != nil {
			t.Fatal(err)
		}
		check(t, g, c.why, c.accept, c.reject)
	}
	for _, bad := range [][]Tool{nil, {{"", nil}}, {{"a", nil}, {"a", nil}}, {{"a", json.RawMessage(`{"type":"string"}`)}}, {{"a", json.RawMessage(`{"nto":{}}`)}}} {
		if _, err := ToolCalls(bad, hermes, Lazy); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

func TestSchemaVectors(t *testing.T) {
	f, err := os.Open(shared.Path(t, "testdata", "golden", "eval", "jsonschema_cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	var refused []string
	compiled := 0
	for lines.Scan() {
		var c struct {
			Name           string
			Schema         json.RawMessage
			Accept, Reject []string
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		g, err := CompileSchema(c.Schema)
		if err != nil {
			refused = append(refused, c.Name+": "+err.Error())
			continue
		}
		compiled++
		for _, text := range c.Accept {
			check(t, g, c.Name, []string{text}, nil)
		}
		check(t, g, c.Name, nil, c.Reject)
	}
	t.Logf("%d compiled, refused by name:\n%s", compiled, strings.Join(refused, "\n"))
	if len(refused) > 0 {
		t.Errorf("only %d schemas compiled", compiled)
	}
}

func TestLlamaCppSchemaVectors(t *testing.T) {
	data, err := os.ReadFile(shared.Path(t, "testdata", "golden", "infer", "grammar", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Schemas []struct {
			Name   string
			Schema json.RawMessage
			Cases  []struct {
				Text     string
				Accept   bool
				Expected *bool
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	// What llama.cpp refuses and JSON Schema allows: another order, a whole number with a point, a tuple cut short.
	narrower := map[string]bool{`object {"age": 3, "name": "x"}`: true, "array [1.0]": true, `tuple ["a"]`: true}
	for _, s := range file.Schemas {
		g, err := CompileSchema(s.Schema)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		for _, c := range s.Cases {
			want := c.Accept
			if c.Expected != nil {
				want = *c.Expected
			}
			if got, prefix := g.Match(c.Text); got != want && !narrower[s.Name+" "+c.Text] {
				t.Errorf("%s: %s: accepted %v (after %d bytes), want %v", s.Name, c.Text, got, prefix, want)
			}
		}
	}
}

func FuzzRegexp(f *testing.F) {
	for _, seed := range []string{`[0-9]{1,3}(\.[0-9]+)?|无`, `^(?!a)\b\w+$`, `(?i)\p{Lu}[^\d\-x]*?`, `((a{9}){9}){9}`, `(?=.*a)(?=.*b)`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := Regexp(text)
		if err != nil {
			return
		}
		g.Match("ab1 ")
	})
}
