package chat

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"lian/verify/shared"
	"pgregory.net/rapid"
)

// parsed is what the events of a reply come to.
type parsed struct {
	Content, Reasoning string
	Calls              []ToolCall
	Malformed          []string
	Incomplete         []string
}

// pieces parses text cut at the given places.
func pieces(d *Dialect, text string, cuts []int, o ParserOptions) (r parsed) {
	p := d.NewParser(o, func(e ReplyEvent) {
		switch e.Kind {
		case ReplyContent:
			r.Content += e.Text
		case ReplyReasoning:
			r.Reasoning += e.Text
		case ReplyCall:
			r.Calls = append(r.Calls, e.Call)
		case ReplyMalformed:
			r.Malformed = append(r.Malformed, e.Text)
		case ReplyIncomplete:
			r.Incomplete = append(r.Incomplete, e.Text)
		}
	})
	at := 0
	for _, cut := range cuts {
		p.Push(text[at:cut])
		at = cut
	}
	p.Push(text[at:])
	p.Flush()
	return r
}

func everyByte(text string) []int {
	var cuts []int
	for i := 1; i < len(text); i++ {
		cuts = append(cuts, i)
	}
	return cuts
}

func dialect(t testing.TB, name string) *Dialect {
	d, err := DialectNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type protocolCall struct {
	ID, Name  string
	Arguments any
}

type protocolCase struct {
	Protocol, Case, Raw string
	Deltas              []Delta
	Types               map[string]string
	Expected            struct {
		Content, Reasoning, Status string
		Code                       *string
		RawCall                    string `json:"raw_call"`
		Calls                      []protocolCall
		IDs                        []string
	}
	Cuts map[string][]int `json:"cuts_bytes"`
}

// tools have the parameter types that the case gives.
func (c protocolCase) tools() (tools []Tool) {
	properties := map[string]any{}
	for name, kind := range c.Types {
		if properties[name] = map[string]any{}; kind == "string" {
			properties[name] = map[string]any{"type": "string"}
		}
	}
	schema, _ := json.Marshal(map[string]any{"type": "object", "properties": properties})
	for _, call := range c.Expected.Calls {
		tools = append(tools, Tool{Name: call.Name, Parameters: schema})
	}
	return tools
}

// says compares what was parsed with what the case expects.
func (c protocolCase) says(got parsed) error {
	want := c.Expected
	var calls []protocolCall
	var code *string
	for _, call := range got.Calls {
		var arguments any
		if err := json.Unmarshal(call.Arguments, &arguments); err != nil {
			return err
		}
		if want.Code != nil && call.Name == CodeTool {
			text := arguments.(map[string]any)["code"].(string)
			code = &text
			continue
		}
		calls = append(calls, protocolCall{"", call.Name, arguments})
	}
	for i := range want.Calls {
		want.Calls[i].ID = ""
	}
	if strings.TrimSpace(got.Content) != want.Content || got.Reasoning != want.Reasoning {
		return fmt.Errorf("content %q, reasoning %q, expected %q and %q", got.Content, got.Reasoning, want.Content, want.Reasoning)
	}
	if len(calls)+len(want.Calls) > 0 && !reflect.DeepEqual(calls, want.Calls) || !reflect.DeepEqual(code, want.Code) {
		return fmt.Errorf("calls %+v, code %v, expected %+v, %v", calls, code, want.Calls, want.Code)
	}
	for i, id := range want.IDs {
		if got.Calls[i].ID != id {
			return fmt.Errorf("call %d has id %q, expected %q", i, got.Calls[i].ID, id)
		}
	}
	raw := func(list []string, status string) error {
		if (len(list) > 0) != (want.Status == status) || len(list) > 0 && want.RawCall != "" && list[0] != strings.TrimSpace(want.RawCall) {
			return fmt.Errorf("%s %q, expected status %s %q", status, list, want.Status, want.RawCall)
		}
		return nil
	}
	if err := raw(got.Malformed, "malformed"); err != nil {
		return err
	}
	return raw(got.Incomplete, "incomplete")
}

func protocolCases(t *testing.T, path string) (cases []protocolCase) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c protocolCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

func testProtocols(t *testing.T, path string) {
	seen := map[string]int{}
	for _, c := range protocolCases(t, path) {
		seen[c.Protocol]++
		if c.Deltas != nil {
			testDeltas(t, c)
			continue
		}
		name := strings.TrimSuffix(c.Protocol, "_xml")
		d, o := dialect(t, name), ParserOptions{Tools: c.tools()}
		if c.Case == "thinking opened by the template" {
			o.Prompt = "<|Assistant|><think>"
		}
		for how, cuts := range map[string][]int{"whole": nil, "awkward": c.Cuts["awkward"], "random": c.Cuts["random"], "every byte": everyByte(c.Raw)} {
			if err := c.says(pieces(d, c.Raw, cuts, o)); err != nil {
				t.Errorf("%s, %s, %s: %q: %v", c.Protocol, c.Case, how, c.Raw, err)
				break
			}
		}
	}
	if len(seen) == 0 {
		t.Error("no case was read")
	}
}

func TestRepliesParseAsTheirProtocolSays(t *testing.T) {
	testProtocols(t, shared.Path(t, "testdata", "golden", "agent", "tool_protocols.jsonl"))
}

func testDeltas(t *testing.T, c protocolCase) {
	var d Deltas
	for _, delta := range c.Deltas {
		d.Add(delta)
	}
	m, err := d.Message()
	if err != nil || m.Content != c.Expected.Content || len(m.ToolCalls) != len(c.Expected.Calls) {
		t.Errorf("%s: %+v, %v", c.Case, m, err)
		return
	}
	for i, want := range c.Expected.Calls {
		var arguments any
		json.Unmarshal(m.ToolCalls[i].Arguments, &arguments)
		if m.ToolCalls[i].ID != want.ID || m.ToolCalls[i].Name != want.Name || !reflect.DeepEqual(arguments, want.Arguments) {
			t.Errorf("%s: call %d is %+v, expected %+v", c.Case, i, m.ToolCalls[i], want)
		}
	}
}

// marksOf are texts that mean something to a dialect, and some that do not.
func marksOf(d *Dialect) []string {
	list := []string{"\n", " ", "你好，世界", "\"", "\\", "<", ">", "{", "}", "答案是四。", `{"x": "</tool_call>"}`, `{"name": "搜索", "arguments": {"query": "诗"}}`,
		`{"name": "f", "parameters": {}}`, "search", "search\n", "; "}
	add := func(texts ...string) {
		for _, text := range texts {
			if text != "" {
				list = append(list, text, text[:len(text)/2], text[len(text)/2:])
			}
		}
	}
	for _, p := range d.Parts {
		add(p.Open)
		add(p.Close...)
		for _, f := range p.forms {
			for _, e := range f {
				add(e.literal)
			}
		}
	}
	for _, e := range d.pair {
		add(e.literal)
	}
	add(d.Group...)
	add(d.Skip...)
	add(d.End...)
	add(d.Cut...)
	add(d.Between)
	return list
}

func TestRepliesParseTheSameHoweverCut(t *testing.T) {
	for _, d := range Dialects() {
		t.Run(d.Name, func(t *testing.T) {
			parts := marksOf(d)
			rapid.Check(t, func(t *rapid.T) {
				text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "parts"), "")
				whole := pieces(d, text, nil, ParserOptions{})
				if cut := pieces(d, text, everyByte(text), ParserOptions{}); !reflect.DeepEqual(cut, whole) {
					t.Fatalf("%q byte by byte: %+v, at once: %+v", text, cut, whole)
				}
			})
		})
	}
}

// drawMessage draws what an assistant may say.
func drawMessage(t *rapid.T, d *Dialect) (Message, []Tool) {
	word := rapid.SampledFrom([]string{"查一下", "x < y", "he said \"hi\"", "{ok}", "a\nb", "C:\\dir", "`x`", "</", "5", "1.0", "true", "null", "'", "诗。", "[1]", "<a>", "=", "#", "；"})
	text := func(label string) string {
		return strings.TrimSpace(strings.Join(rapid.SliceOfN(word, 0, 4).Draw(t, label), rapid.SampledFrom([]string{" ", "", "\n"}).Draw(t, label+" between")))
	}
	m := Message{Role: RoleAssistant, Content: text("content")}
	if d.partOf(partReasoning, false) != nil && rapid.Bool().Draw(t, "thinks") {
		m.Reasoning = text("reasoning")
	}
	var tools []Tool
	if d.Name == "llama31" || d.Name == "glm4" || d.Name == "react" { // they answer or call, not both
		if m.Content != "" {
			return m, nil
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "calls") {
		if d.writes("code") && rapid.Bool().Draw(t, "runs code") {
			code := "print(1)\n" + text("code")
			raw, _ := object("code", strings.TrimSpace(code))
			m.ToolCalls = append(m.ToolCalls, ToolCall{Name: CodeTool, Arguments: raw})
			continue
		}
		var arguments objectWriter
		properties := map[string]any{}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"q", "城市", "n_2", "flag"}), 0, 3, rapid.ID).Draw(t, "keys") {
			if rapid.Bool().Draw(t, "is text") {
				arguments.put(key, text("value"))
				properties[key] = map[string]any{"type": "string"}
			} else {
				value := rapid.SampledFrom([]string{"1", "-2.5", "true", "null", `{"a":[1,{"b":"</x>"}]}`, "[]", "12345678901234567890"}).Draw(t, "json")
				arguments.put(key, json.RawMessage(value))
				properties[key] = map[string]any{"type": "object"}
			}
		}
		raw, _ := arguments.bytes()
		name := rapid.SampledFrom([]string{"search", "Tool.api", "搜索", "brave_search", "a-b_c"}).Draw(t, "name")
		name = fmt.Sprintf("%s%d", name, len(tools))
		schema, _ := json.Marshal(map[string]any{"type": "object", "properties": properties})
		tools = append(tools, Tool{Name: name, Parameters: schema})
		m.ToolCalls = append(m.ToolCalls, ToolCall{Name: name, Arguments: raw})
	}
	return m, tools
}

func TestWhatIsRenderedIsParsedBack(t *testing.T) {
	for _, d := range Dialects() {
		t.Run(d.Name, func(t *testing.T) {
			refused, drawn := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				m, tools := drawMessage(t, d)
				drawn++
				text, err := d.Render(m, tools)
				if err != nil {
					refused++ // what a dialect cannot say is an error, never another message
					return
				}
				o := ParserOptions{Tools: tools}
				whole := pieces(d, text, nil, o)
				read := Message{Content: whole.Content, Reasoning: whole.Reasoning, ToolCalls: whole.Calls}
				if err := differs(m, read); err != nil || whole.Malformed != nil || whole.Incomplete != nil {
					t.Fatalf("%+v as %q is read as %+v: %v", m, text, whole, err)
				}
				if cut := pieces(d, text, everyByte(text), o); !reflect.DeepEqual(cut, whole) {
					t.Fatalf("%q byte by byte: %+v, at once: %+v", text, cut, whole)
				}
			})
			if refused*3 > drawn {
				t.Errorf("%d of %d messages were refused", refused, drawn)
			}
		})
	}
}

func TestTextWithoutMarksIsKeptByteForByte(t *testing.T) {
	for _, d := range Dialects() {
		for _, text := range []string{"", " \n", "  床前明月光\n疑是地上霜 \n\n", "a < b", "<tool_", "x<thin", "\t", "[TOOL", "x\nAction", "{"} {
			if m, err := d.Parse(text, ParserOptions{}); m.Content != text || m.ToolCalls != nil || err != nil {
				t.Errorf("%s: %q: content %q, calls %v, error %v", d.Name, text, m.Content, m.ToolCalls, err)
			}
		}
	}
}

func TestMarksWithinAnswersAreRefusedByTheRenderer(t *testing.T) {
	for _, c := range []struct{ dialect, content string }{
		{"hermes", "write <tool_call> first"}, {"internlm2", "a<|action_start|><|plugin|>b"}, {"mistral", "[TOOL_CALLS]"}, {"react", "a\nAction:b"},
	} {
		if text, err := dialect(t, c.dialect).Render(AssistantMessage(c.content), nil); err == nil {
			t.Errorf("%s: rendered %q", c.dialect, text)
		}
	}
	call := Message{Role: RoleAssistant, ToolCalls: []ToolCall{{Name: "f", Arguments: json.RawMessage(`{"n":"1"}`)}}}
	if text, err := dialect(t, "glm45").Render(call, nil); err == nil {
		t.Errorf("a text that reads as a number was rendered as %q though no schema tells them apart", text)
	}
}

func TestTheDialectOfATemplateIsFoundInIt(t *testing.T) {
	for template, want := range map[string]string{
		"meta-llama-Llama-3.1-8B-Instruct": "llama31", "meta-llama-Llama-3.3-70B-Instruct": "llama31", "Qwen-Qwen2.5-7B-Instruct": "hermes",
		"NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes", "meetkai-functionary-medium-v3.1": "functionary_v31",
		"llama-cpp-deepseek-r1": "deepseek_v3", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": "deepseek_v3",
	} {
		source, err := os.ReadFile(shared.Path(t, "testdata", "chat-templates", template+".jinja"))
		if err != nil {
			t.Fatal(err)
		}
		if d := DialectOf(string(source)); d.Name != want {
			t.Errorf("%s speaks %s, expected %s", template, d.Name, want)
		}
	}
	if d := lian(t).Dialect(); d.Name != "hermes" {
		t.Errorf("our own template speaks %s", d.Name)
	}
}

func FuzzReplyParser(f *testing.F) {
	for i := range Dialects() {
		f.Add(i, "你好<tool_call>{\"name\":\"a\"}</tool_call>", 3)
		f.Add(i, "Thought:x\nAction:a\nAction Input:{}", 9)
		f.Add(i, "[TOOL_CALLS]a[ARGS]{\"x\": \"\\\"\"}</s>", 12)
	}
	f.Fuzz(func(t *testing.T, which int, text string, cut int) {
		list := Dialects()
		if cut < 0 || cut > len(text) || which < 0 || which >= len(list) {
			return
		}
		d := list[which]
		whole := pieces(d, text, nil, ParserOptions{})
		if other := pieces(d, text, []int{cut}, ParserOptions{}); !reflect.DeepEqual(whole, other) {
			t.Errorf("%s: %q cut at %d: %+v, at once: %+v", d.Name, text, cut, other, whole)
		}
		for _, call := range whole.Calls {
			if _, err := call.Object(); err != nil || call.Name == "" {
				t.Errorf("%s: %q gives the call %+v: %v", d.Name, text, call, err)
			}
		}
	})
}
