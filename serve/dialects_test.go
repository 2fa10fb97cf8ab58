package serve_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"lian/chat"
	"lian/engine/grammar"
)

// randomText writes a text of a grammar with random bytes, and ends it when it gets long.
func randomText(t *testing.T, g *grammar.Grammar, seed uint64, long int) string {
	t.Helper()
	const stop = 256
	v := grammar.NewVocabulary(func(id int32) []byte { return []byte{byte(id)} }, stop+1, []int32{stop})
	m := grammar.NewMatcher(g, v)
	bits := make([]uint64, (stop+64)/64)
	random := rand.New(rand.NewPCG(seed, 1))
	var text []byte
	for len(text) < long {
		m.Mask(bits)
		var allowed []int32
		for id := range int32(stop) {
			if bits[id/64]>>(id%64)&1 == 1 && id < 0xF8 { // a model of bytes has no control tokens
				allowed = append(allowed, id)
			}
		}
		if m.Complete() && (len(allowed) == 0 || random.IntN(8) == 0) {
			return string(text)
		}
		id := allowed[random.IntN(len(allowed))]
		if err := m.Accept(id); err != nil {
			t.Fatal(err)
		}
		text = append(text, byte(id))
	}
	return string(append(text, m.Completion()...))
}

func TestCallsAreHeldToTheToolsInEveryDialect(t *testing.T) {
	schemas := map[string]string{
		"get_weather": `{"type":"object","properties":{"city":{"type":"string","pattern":"^[A-Za-z北京]{1,9}$"},"days":{"type":"integer","minimum":1,"maximum":9},"unit":{"enum":["C","F"]}},"required":["city","days"],"additionalProperties":false}`,
		"now":         `{"type":"object","properties":{},"additionalProperties":false}`,
	}
	var offered []chat.Tool
	var tools []grammar.Tool
	for _, name := range []string{"get_weather", "now"} {
		offered = append(offered, chat.Tool{Name: name, Parameters: json.RawMessage(schemas[name])})
		tools = append(tools, grammar.Tool{Name: name, Parameters: json.RawMessage(schemas[name])})
	}
	for _, name := range chat.DialectNames() {
		d, err := chat.DialectNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		form := grammar.CallForm(d.CallForm())
		for _, mode := range []grammar.Mode{grammar.Required, grammar.Required | grammar.Single, grammar.Lazy} {
			g, err := grammar.ToolCalls(tools, form, mode)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for seed := range uint64(6) {
				text := randomText(t, g, seed, 150)
				if mode&grammar.Lazy != 0 { // what comes before is free, and what it writes of a mark is not this test's matter
					first := form.Open
					if len(form.Group) > 0 {
						first = form.Group[0]
					}
					if ok, _ := g.Match("Let me look.\n" + first); ok && first != "" {
						t.Errorf("%s: a call that is only begun is complete", name)
					}
					call, err := grammar.ToolCalls(tools, form, grammar.Required|grammar.Single)
					if err != nil {
						t.Fatal(err)
					}
					text = randomText(t, call, seed, 150)
					if first != "" {
						text = "Let me look.\n" + text
					}
					if ok, prefix := g.Match(text); !ok {
						t.Errorf("%s: %q is refused after %d bytes", name, text, prefix)
					}
				}
				m, err := d.Parse(text, chat.ParserOptions{Tools: offered})
				if err != nil {
					t.Errorf("%s: %q: %v", name, text, err)
					continue
				}
				if len(m.ToolCalls) == 0 || mode&grammar.Single != 0 && len(m.ToolCalls) > 1 {
					t.Errorf("%s: %q has %d calls", name, text, len(m.ToolCalls))
				}
				for _, call := range m.ToolCalls {
					of, err := grammar.CompileSchema([]byte(schemas[call.Name]))
					if err != nil {
						t.Fatalf("%s: %q calls %q", name, text, call.Name)
					}
					if !of.Validates(string(call.Arguments)) {
						t.Errorf("%s: %q: %s with %s", name, text, call.Name, call.Arguments)
					}
				}
			}
		}
	}
}

// TestACallWithoutAMarkBeginsWhereTheReplyDoes: what begins as a call is held to the tools, everything else is free text.
func TestACallWithoutAMarkBeginsWhereTheReplyDoes(t *testing.T) {
	tools := []grammar.Tool{{Name: "now"}, {Name: "天气", Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"enum":["北京"]}},"required":["city"],"additionalProperties":false}`)}}
	for name, texts := range map[string]map[string]bool{
		"llama31": {`{"name": "天气", "parameters": {"city": "北京"}}`: true, `{"name": "天气", "parameters": {"city": "x"}}`: false, `{"name": "other", "parameters": {}}`: false,
			`{"name`: true, `{"name"`: false, `{"temperature": 3}`: true, `It is {"name": "other"}`: true, "": true, "晴": true},
		"glm4": {"天气\n{\"city\": \"北京\"}": true, "天气\n{}": false, "天气很好": true, "天气\n": false, "now\n{}": true, "nowhere\n{}": true, "\nnow\n3": true},
	} {
		d, err := chat.DialectNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := grammar.ToolCalls(tools, grammar.CallForm(d.CallForm()), grammar.Lazy)
		if err != nil {
			t.Fatal(err)
		}
		for text, right := range texts {
			if ok, _ := g.Match(text); ok != right {
				t.Errorf("%s: %q is allowed: %v, expected %v", name, text, ok, right)
			}
		}
	}
}

func TestControlTokensStandForTheMarksOfACall(t *testing.T) {
	d, err := chat.DialectNamed("internlm2")
	if err != nil {
		t.Fatal(err)
	}
	g, err := grammar.ToolCalls([]grammar.Tool{{Name: "now"}}, grammar.CallForm(d.CallForm()), grammar.Lazy)
	if err != nil {
		t.Fatal(err)
	}
	const action, plugin, end = 256, 257, 258
	special := map[int32]string{action: "<|action_start|>", plugin: "<|plugin|>", end: "<|action_end|>"}
	v := grammar.NewVocabulary(func(id int32) []byte {
		if text, ok := special[id]; ok {
			return grammar.Mark([]byte(text))
		}
		return []byte{byte(id)}
	}, 260, []int32{end, 259})
	m := grammar.NewMatcher(g, v)
	accept := func(ids ...int32) {
		t.Helper()
		for _, id := range ids {
			if err := m.Accept(id); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := func(s string) {
		t.Helper()
		if err := m.AcceptBytes([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if m.Accept(plugin) == nil {
		t.Error("a control token within text was taken")
	}
	text("好的 <|act")
	accept(action, plugin)
	if m.Complete() {
		t.Error("a call that is only begun is complete")
	}
	text("\n" + `{"name": "now", "parameters": {}}`)
	if !m.Complete() {
		t.Error("the mark that closes a call ends the reply, so the call is complete before it")
	}
	accept(end)
	if _, err := g.AfterThought("<think>", "</think>", true); err != nil {
		t.Fatal(err)
	}
}

func TestAnAnswerIsHeldToItsSchemaBehindTheThought(t *testing.T) {
	plain, err := grammar.CompileSchema([]byte(`{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, begun := range []bool{true, false} {
		g, err := plain.AfterThought("<think>", "</think>", begun)
		if err != nil {
			t.Fatal(err)
		}
		open := "<think>"
		if begun {
			open = ""
		}
		for text, want := range map[string]bool{
			open + "嗯, 1 < 2 </thin {\"a\":\"x\"}</think>\n\n{\"a\": 1}": true,
			open + "</think>{\"a\":1}":                                   true,
			open + "x</think>{\"a\":true}":                               false,
			open + "x</think>":                                           false,
			open + "x":                                                   false,
			"{\"a\":1}":                                                  !begun,
		} {
			if ok, prefix := g.Match(text); ok != want {
				t.Errorf("begun %v: %q: %v after %d bytes, want %v", begun, text, ok, prefix, want)
			}
		}
		for seed := range uint64(3) {
			if text := randomText(t, g, seed, 60); !strings.Contains(text, "{") {
				t.Errorf("%q has no answer", text)
			}
		}
	}
}
