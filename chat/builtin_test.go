package chat

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lian/tokenizer"
	"lian/verify/shared"
)

func TestEveryBuiltInTemplateRenders(t *testing.T) {
	if _, err := parseDialects(dialectData); err != nil {
		t.Fatal(err)
	}
	for _, b := range builtIns() {
		tpl, err := BuiltIn(b.Name)
		if err != nil {
			t.Errorf("%s: %v", b.Name, err)
			continue
		}
		if !tpl.HasGeneration() {
			t.Errorf("%s does not mark what a model writes", b.Name)
		}
		talk := []Message{UserMessage("你好"), AssistantMessage("您好！"), UserMessage("再见")}
		if b.System != "" || b.File != "" {
			talk = append([]Message{SystemMessage("你是{助手}'\\n。")}, talk...)
		}
		whole, err := tpl.Render(append(talk[:len(talk):len(talk)], AssistantMessage("慢走")), Options{})
		if err != nil {
			t.Errorf("%s: %v", b.Name, err)
			continue
		}
		prompt, err := tpl.Render(talk, Options{AddGenerationPrompt: true})
		if err != nil || !strings.HasPrefix(whole.Text, prompt.Text+"慢走") {
			t.Errorf("%s: the prompt %q is not how %q begins: %v", b.Name, prompt.Text, whole.Text, err)
		}
		for _, m := range talk {
			if !strings.Contains(prompt.Text, m.Content) {
				t.Errorf("%s: %q is not in %q", b.Name, m.Content, prompt.Text)
			}
		}
	}
}

func TestTemplatesWithoutAPlaceForARoleRefuseIt(t *testing.T) {
	for name, m := range map[string]Message{"internlm": SystemMessage("x"), "vicuna": {Role: RoleTool, Content: "x"}} {
		tpl, err := BuiltIn(name)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := tpl.Render([]Message{m}, Options{}); err == nil {
			t.Errorf("%s: a message of role %s became %q", name, m.Role, r.Text)
		}
	}
}

// XTuner's texts and labels (golden/train/MANIFEST.tsv).
func TestXTunersTemplateLearnsWhatXTunerLearns(t *testing.T) {
	var golden struct {
		SpecialIDs map[string]int32 `json:"special_ids"`
		Cases      []struct {
			Name   string
			System string
			Turns  [][]any
			Pieces [][]any
			IDs    []int32
			Labels []int32
		}
	}
	read(t, &golden, "testdata", "golden", "train", "encode", "internlm2_pieces.json")
	tpl, err := BuiltIn("internlm2_chat")
	if err != nil {
		t.Fatal(err)
	}
	tpl = tpl.WithVariables(map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	tok := internLM2Tokenizer(t, golden.SpecialIDs)
	for _, c := range golden.Cases {
		var messages []Message
		if c.System != "" {
			messages = append(messages, SystemMessage(c.System))
		}
		for _, turn := range c.Turns {
			answer := AssistantMessage(turn[1].(string))
			loss := turn[2].(bool)
			answer.Loss = &loss
			messages = append(messages, UserMessage(turn[0].(string)), answer)
		}
		e, err := Encode(tok, tpl, messages, Options{})
		if err != nil {
			t.Fatal(err)
		}
		labels := slices.Clone(e.IDs)
		for i, learnt := range e.Mask {
			if !learnt {
				labels[i] = -100
			}
		}
		if !slices.Equal(e.IDs, c.IDs) || !slices.Equal(labels, c.Labels) {
			t.Errorf("%s: ids %v, labels %v, expected %v and %v", c.Name, e.IDs, labels, c.IDs, c.Labels)
		}
		r, err := tpl.Render(messages, Options{})
		if err != nil {
			t.Fatal(err)
		}
		text, learnt := "", []Range(nil)
		for _, piece := range c.Pieces {
			s := strings.ReplaceAll(piece[0].(string), "<bos>", "<s>")
			if piece[2].(bool) {
				learnt = append(learnt, Range{len(text), len(text) + len(s)})
			}
			text += s
		}
		if r.Text != text {
			t.Errorf("%s: rendered %q, expected %q", c.Name, r.Text, text)
		} else if kept := withoutRefused(r, messages); len(kept) != len(learnt) {
			t.Errorf("%s: learnt %v, expected %v", c.Name, kept, learnt)
		} else {
			for i := range kept {
				if kept[i] != learnt[i] {
					t.Errorf("%s: learnt %v, expected %v", c.Name, kept, learnt)
				}
			}
		}
	}
}

// internLM2Tokenizer is InternLM2's vocabulary with the marks of its chat models.
func internLM2Tokenizer(t *testing.T, special map[string]int32) *tokenizer.Tokenizer {
	t.Helper()
	model, err := os.ReadFile(shared.Path(t, "testdata", "tokenizers", "internlm", "tokenizer_internlm2.model"))
	if err != nil {
		t.Fatal(err)
	}
	added := map[string]any{}
	for text, id := range special {
		added[strconv.Itoa(int(id))] = map[string]any{"content": text, "special": true}
	}
	config, err := json.Marshal(map[string]any{"tokenizer_class": "InternLM2Tokenizer", "bos_token": "<s>", "eos_token": "</s>", "added_tokens_decoder": added})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"tokenizer.model": model, "tokenizer_config.json": config} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Lagent's prompts (golden/agent/MANIFEST.tsv).
func TestInternLM2AgentsArePromptedAsByLagent(t *testing.T) {
	tpl, err := BuiltIn("internlm2_lagent")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(shared.Path(t, "testdata", "golden", "agent", "internlm2_render.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, count := bufio.NewScanner(file), 0
	lines.Buffer(nil, 1<<20)
	for ; lines.Scan(); count++ {
		var c struct {
			Setup, Conversation, System, Prompt string
			Interpreter                         bool
			Tools                               []Tool
			Turns                               []struct {
				Sender, Content string
				Formatted       *struct {
					Type    string `json:"tool_type"`
					Thought string
					Action  json.RawMessage
					Status  int
				}
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		messages := []Message{SystemMessage(c.System)}
		for _, turn := range c.Turns {
			switch f := turn.Formatted; {
			case turn.Sender == "user":
				messages = append(messages, UserMessage(turn.Content))
			case turn.Sender == "executor":
				messages = append(messages, Message{Role: RoleTool, Content: turn.Content})
			case f.Status < 0: // Lagent leaves malformed calls out
			default:
				m := AssistantMessage(f.Thought)
				switch f.Type {
				case "plugin":
					call, err := tpl.Dialect().objectCall(string(f.Action), false)
					if err != nil {
						t.Fatal(err)
					}
					m.ToolCalls = []ToolCall{call}
				case "interpreter":
					var code string
					if err := json.Unmarshal(f.Action, &code); err != nil {
						t.Fatal(err)
					}
					code = strings.TrimSuffix(strings.TrimPrefix(code, "```python\n"), "\n```")
					arguments, _ := object("code", code)
					m.ToolCalls = []ToolCall{{Name: CodeTool, Arguments: arguments}}
				}
				messages = append(messages, m)
			}
		}
		tools := c.Tools
		if c.Interpreter {
			tools = append(tools, Tool{Name: CodeTool})
		}
		last := messages[len(messages)-1].Role
		r, err := tpl.Render(messages, Options{Tools: tools, AddGenerationPrompt: last != RoleAssistant})
		if err != nil || r.Text != c.Prompt {
			t.Errorf("%s, %s: %v\n%q, expected\n%q", c.Setup, c.Conversation, err, r.Text, c.Prompt)
		}
	}
	if count == 0 {
		t.Error("no case was read")
	}
}

// What InternLM2 writes by its template is read by its dialect.
func TestInternLM2sTemplateAndDialectAgree(t *testing.T) {
	tpl, err := BuiltIn("internlm2")
	if err != nil {
		t.Fatal(err)
	}
	code, _ := object("code", "print(1)")
	m := Message{Role: RoleAssistant, Content: "算一下", ToolCalls: []ToolCall{{Name: CodeTool, Arguments: code}, {Name: "search", Arguments: json.RawMessage(`{"q": "诗"}`)}}}
	r, err := tpl.Render([]Message{UserMessage("?"), m}, Options{Tools: []Tool{search, {Name: CodeTool}}})
	if err != nil {
		t.Fatal(err)
	}
	g := r.Generated[0]
	reply := strings.TrimSuffix(r.Text[g.Start:g.End], "<|im_end|>")
	if text, err := tpl.Dialect().Render(m, nil); err != nil || text != reply {
		t.Errorf("the dialect writes %q (%v), the template %q", text, err, reply)
	}
	if got, err := tpl.Dialect().Parse(reply, ParserOptions{}); err != nil || differs(m, got) != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestModelsWithoutATemplateGetTheOneOfTheirKind(t *testing.T) {
	tokens := func(list ...string) func(string) bool {
		return func(token string) bool { return strings.Contains(strings.Join(list, " "), token) }
	}
	for _, c := range []struct{ model, tokens, want string }{
		{"internlm2", "<|im_start|> <|im_end|>", "internlm2"},
		{"internlm2", "", ""}, // a base model
		{"internlm", "<eoh> <eoa>", "internlm"},
		{"llama", "<|im_start|> <|im_end|>", ""},
	} {
		if name, _ := BuiltInFor(c.model, tokens(c.tokens)); name != c.want {
			t.Errorf("%s with %q gets %q, expected %q", c.model, c.tokens, name, c.want)
		}
	}
}
