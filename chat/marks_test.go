package chat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lian/verify/shared"
)

// Where the marks of TRL's templates are taken away, provenance finds what they
// had marked: all data of it and nothing else. What the template itself writes
// in a marked turn (a line end after the end token, say) may be left out.
func TestProvenanceLearnsWhatMarksMark(t *testing.T) {
	tok := goldenTokenizer(t)
	dir := shared.Path(t, "testdata", "golden", "train", "encode")
	files, err := filepath.Glob(filepath.Join(dir, "*_training.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden encodings", err)
	}
	marks := regexp.MustCompile(`\{%-?\s*(end)?generation\s*-?%\}`)
	for _, path := range files {
		var golden struct {
			Template      string
			Bos           string `json:"bos_token"`
			Eos           string `json:"eos_token"`
			Conversations []struct {
				Name     string
				Messages []Message
				Tools    []Tool
				Error    string
			}
		}
		read(t, &golden, "testdata", "golden", "train", "encode", filepath.Base(path))
		source, err := os.ReadFile(filepath.Join(dir, golden.Template))
		if err != nil {
			t.Fatal(err)
		}
		variables := map[string]string{"bos_token": golden.Bos, "eos_token": golden.Eos}
		template := func(source string) *Template {
			tpl, err := ParseTemplate(filepath.Base(path), source)
			if err != nil {
				t.Fatal(err)
			}
			return tpl.WithVariables(variables)
		}
		marked := template(string(source))
		unmarked := template(marks.ReplaceAllStringFunc(string(source), func(mark string) string { // with what it says of blanks
			return strings.NewReplacer("generation", "if true", "endgeneration", "endif").Replace(mark)
		}))
		for _, c := range golden.Conversations {
			if c.Error != "" {
				continue
			}
			o := Options{Tools: c.Tools, Verbatim: true, Now: clock}
			want, err := Encode(tok, marked, c.Messages, o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Encode(tok, unmarked, c.Messages, o)
			if err != nil || got.Text != want.Text {
				t.Errorf("%s, %s: %v, %q, expected %q", path, c.Name, err, got.Text, want.Text)
				continue
			}
			data := make([]bool, len(got.IDs)) // tokens of what a message says
			for _, s := range got.Spans {
				for i := s.Start; i < s.End; i++ {
					data[i] = s.Message >= 0 && s.Field != "role"
				}
			}
			for i := range got.Mask {
				if got.Mask[i] && !want.Mask[i] || want.Mask[i] && !got.Mask[i] && data[i] {
					t.Errorf("%s, %s: token %d (%q) has the label %v, marked %v", filepath.Base(path), c.Name, i, tok.TokenBytes(got.IDs[i]), got.Mask[i], want.Mask[i])
				}
			}
		}
	}
}

// What users, tools and templates' variables say is text, whatever it looks like,
// in every template: the tokens that end and begin turns are as many as for
// harmless words, and none stands where data stands.
func TestNoTemplateLetsDataBeTokens(t *testing.T) {
	templates := map[string]string{}
	for _, pattern := range []string{shared.Path(t, "testdata", "chat-templates") + "/*.jinja", shared.Path(t, "testdata", "golden", "train", "encode", "templates") + "/*.jinja"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			templates[filepath.Base(file)] = string(source)
		}
	}
	for _, name := range BuiltInNames() {
		tpl, err := BuiltIn(name)
		if err != nil {
			t.Fatal(err)
		}
		templates[name] = tpl.Source()
	}
	control := regexp.MustCompile(`<[|｜][^|｜<>'" ]+[|｜]>|</?s>|\[/?[A-Z_]+\]|</?[a-z_]+>|<e?o[a-z]{1,2}>`)
	tested := 0
	for name, source := range templates {
		seen := map[string]bool{"<s>": true, "</s>": true}
		special := []string{"<s>", "</s>"}
		for _, d := range Dialects() {
			for _, p := range d.Parts {
				source += p.Open + strings.Join(p.Close, "") // their marks too
			}
		}
		for _, text := range control.FindAllString(source, -1) {
			if !seen[text] {
				seen[text] = true
				special = append(special, text)
			}
		}
		tok := byteTokenizer(t, special...)
		tpl, err := ParseTemplate(name, templates[name])
		if err != nil {
			t.Fatal(err)
		}
		tpl = tpl.WithVariables(map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
		talk := func(word string) []Message {
			return []Message{UserMessage("a" + word), AssistantMessage("b" + word), UserMessage(word + "c" + word), AssistantMessage("d" + word)}
		}
		count := func(e Encoding) map[int32]int {
			n := map[int32]int{}
			for _, s := range e.Spans {
				for _, id := range e.IDs[s.Start:s.End] {
					if !tok.IsSpecial(id) {
						continue
					}
					if n[id]++; s.Message != FromTemplate {
						t.Errorf("%s: %q stands where %+v speaks", name, tok.TokenBytes(id), s)
					}
				}
			}
			return n
		}
		o := Options{Now: clock, AddGenerationPrompt: true}
		harmless, err := Encode(tok, tpl, talk("词"), o)
		if err != nil {
			continue // it refuses talk of this kind
		}
		tested++
		for _, text := range special {
			if strings.Contains(text, "think") || strings.Contains(text, "THINK") {
				continue // templates look for these and cut
			}
			evil, err := Encode(tok, tpl, talk(text), o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if a, b := fmt.Sprint(count(harmless)), fmt.Sprint(count(evil)); a != b {
				t.Errorf("%s: with %q there are the tokens %s, without %s", name, text, b, a)
			}
			if tok.Decode(evil.IDs) != evil.Text {
				t.Errorf("%s: the ids with %q do not spell the text", name, text)
			}
		}
		// in names, arguments and results of tools as well
		call := ToolCall{ID: "abcdefghi", Name: "f</s>", Arguments: json.RawMessage(`{"</s>": "<s>"}`)}
		tools := []Message{UserMessage("x"), {Role: RoleAssistant, ToolCalls: []ToolCall{call}}, ToolMessage(call, "</s><s>"), AssistantMessage("y")}
		if e, err := Encode(tok, tpl, tools, Options{Now: clock, Tools: []Tool{{Name: "f</s>", Description: "<s>"}}}); err == nil {
			count(e)
		}
	}
	if tested < 40 {
		t.Errorf("only %d templates tried", tested)
	}
}

// What a model has learnt to write by its template, the dialect found in it reads.
func TestRepliesByPublishedTemplatesAreRead(t *testing.T) {
	chats, marked := shared.Path(t, "testdata", "chat-templates"), shared.Path(t, "testdata", "golden", "train", "encode", "templates")
	call := ToolCall{ID: "abcdefghi", Name: "search", Arguments: json.RawMessage(`{"query": "x \"y\" 诗", "k": 3}`)}
	m := Message{Role: RoleAssistant, ToolCalls: []ToolCall{call}}
	for _, path := range []string{
		filepath.Join(chats, "Qwen-Qwen2.5-7B-Instruct.jinja"), filepath.Join(chats, "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use.jinja"),
		filepath.Join(chats, "NousResearch-Hermes-3-Llama-3.1-8B-tool_use.jinja"), filepath.Join(chats, "meetkai-functionary-medium-v3.1.jinja"),
		filepath.Join(chats, "meta-llama-Llama-3.1-8B-Instruct.jinja"), filepath.Join(chats, "meta-llama-Llama-3.3-70B-Instruct.jinja"),
		filepath.Join(marked, "qwen2_5_training.jinja"), filepath.Join(marked, "qwen3_training.jinja"),
		filepath.Join(marked, "glm4moe_training.jinja"), filepath.Join(marked, "deepseekv3_training.jinja"),
	} {
		tpl, err := LoadTemplate(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		tpl = tpl.WithVariables(map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
		o := Options{Tools: []Tool{search}, Now: clock}
		whole, err := tpl.Render([]Message{UserMessage("?"), m}, o)
		o.AddGenerationPrompt = true
		prompt, promptErr := tpl.Render([]Message{UserMessage("?")}, o)
		if err != nil || promptErr != nil {
			t.Errorf("%s: %v, %v", name, err, promptErr)
			continue
		}
		reply, ok := strings.CutPrefix(whole.Text, prompt.Text)
		for end := len(prompt.Text); !ok && end > 0; end-- { // the prompt opens a thought that the turn does not show
			if strings.HasPrefix(whole.Text, prompt.Text[:end]) && (strings.HasSuffix(prompt.Text[:end], ">") || strings.HasSuffix(prompt.Text[:end], "\n")) {
				reply, ok = whole.Text[end:], true
			}
		}
		got, err := tpl.Dialect().Parse(reply, ParserOptions{Tools: []Tool{search}})
		if err != nil || differs(Message{ToolCalls: got.ToolCalls}, m) != nil {
			t.Errorf("%s: %s reads %q as %+v, %v", name, tpl.Dialect().Name, reply, got, err)
		}
	}
}
