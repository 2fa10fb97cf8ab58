package chat

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lian/chat/jinja"
	"lian/tokenizer"
	"lian/verify/shared"
)

var clock = func() time.Time { return time.Date(2024, 7, 26, 9, 5, 3, 0, time.UTC) }

func read(t *testing.T, into any, path ...string) {
	t.Helper()
	data, err := os.ReadFile(shared.Path(t, path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path[len(path)-1], err)
	}
}

type failed struct{ Type, Message string }

type conversation struct {
	ID       string
	Messages []Message
	Tools    []Tool
	Kwargs   map[string]any
}

// Published templates rendered by transformers 5.23 (golden/data/MANIFEST.tsv).
func TestPublishedTemplatesRenderAsInTransformers(t *testing.T) {
	var list []conversation
	read(t, &list, "testdata", "golden", "data", "inputs", "conversations.json")
	conversations := map[string]conversation{}
	for _, c := range list {
		conversations[c.ID] = c
	}
	files, err := filepath.Glob(filepath.Join(shared.Path(t, "testdata", "golden", "data", "chat"), "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden conversations", err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		t.Run(name, func(t *testing.T) {
			source, err := os.ReadFile(shared.Path(t, "testdata", "chat-templates", name+".jinja"))
			if err != nil {
				t.Fatal(err)
			}
			tpl, err := ParseTemplate(name, string(source))
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			lines, count := bufio.NewScanner(file), 0
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				var c struct {
					Meta *struct {
						Special map[string]string `json:"special_tokens"`
					}
					Conv     string
					Add      bool `json:"add_generation_prompt"`
					Continue bool `json:"continue_final_message"`
					Out      string
					Error    *failed
				}
				if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
					t.Fatal(err)
				}
				if c.Meta != nil {
					tpl = tpl.WithVariables(c.Meta.Special)
					continue
				}
				count++
				conv := conversations[c.Conv]
				r, err := tpl.Render(conv.Messages, Options{Tools: conv.Tools, AddGenerationPrompt: c.Add, ContinueFinal: c.Continue, Extra: conv.Kwargs, Verbatim: true, Now: clock})
				compare(t, c.Conv, r.Text, err, c.Out, c.Error)
				checkOrigins(t, c.Conv, r, conv.Messages)
			}
			if count == 0 {
				t.Error("no case was read")
			}
		})
	}
}

func compare(t *testing.T, name, text string, err error, expected string, refusal *failed) {
	t.Helper()
	switch {
	case refusal != nil && err == nil:
		t.Errorf("%s: rendered %q, expected %s: %s", name, text, refusal.Type, refusal.Message)
	case refusal != nil:
		var e *jinja.Error
		if !errors.As(err, &e) || e.Kind != refusal.Type || e.Kind == jinja.RaisedError && e.Message != refusal.Message {
			t.Errorf("%s: %v, expected %s: %s", name, err, refusal.Type, refusal.Message)
		}
	case err != nil:
		t.Errorf("%s: %v, expected %q", name, err, expected)
	case text != expected:
		t.Errorf("%s: rendered\n%q, expected\n%q", name, text, expected)
	}
}

// checkOrigins: every byte has an origin, and bytes said to come from a text
// field are in that field.
func checkOrigins(t *testing.T, name string, r Rendered, messages []Message) {
	t.Helper()
	at := 0
	for _, o := range r.Origins {
		if o.Start != at || o.End <= o.Start {
			t.Fatalf("%s: origin %+v starts elsewhere than at %d", name, o, at)
		}
		at = o.End
		if o.Message >= 0 && o.Field == "content" && messages[o.Message].Parts == nil && !messages[o.Message].NoContent {
			if text := r.Text[o.Start:o.End]; text[0] != '"' && !strings.Contains(messages[o.Message].Content, text) {
				t.Errorf("%s: %q is said to come from message %d, %q", name, text, o.Message, messages[o.Message].Content)
			}
		}
	}
	if at != len(r.Text) {
		t.Errorf("%s: origins end at %d of %d bytes", name, at, len(r.Text))
	}
}

func goldenTokenizer(t *testing.T) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(shared.Path(t, "testdata", "golden", "train", "encode", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Conversations encoded by transformers with TRL's marked templates
// (golden/train/MANIFEST.tsv).
func TestMarkedTemplatesEncodeAsInTransformers(t *testing.T) {
	tok := goldenTokenizer(t)
	files, err := filepath.Glob(filepath.Join(shared.Path(t, "testdata", "golden", "train", "encode"), "*_training.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden encodings", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			var golden struct {
				Template      string
				Bos           string `json:"bos_token"`
				Eos           string `json:"eos_token"`
				Conversations []struct {
					Name     string
					Messages []Message
					Tools    []Tool
					Text     string
					IDs      []int32
					Mask     []int
					Prompt   []int32 `json:"generation_prompt_ids"`
					Error    string
				}
			}
			read(t, &golden, "testdata", "golden", "train", "encode", filepath.Base(path))
			tpl, err := LoadTemplate(shared.Path(t, "testdata", "golden", "train", "encode", golden.Template))
			if err != nil {
				t.Fatal(err)
			}
			tpl = tpl.WithVariables(map[string]string{"bos_token": golden.Bos, "eos_token": golden.Eos})
			for _, c := range golden.Conversations {
				o := Options{Tools: c.Tools, Verbatim: true, Now: clock}
				e, err := Encode(tok, tpl, c.Messages, o)
				if c.Error != "" {
					if err == nil || !strings.Contains(err.Error(), c.Error) {
						t.Errorf("%s: %v, expected %s", c.Name, err, c.Error)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", c.Name, err)
					continue
				}
				if c.Name == "control_text_in_user" {
					// transformers turns a user's literal <|im_end|> into the
					// special token; Lian does not. With that allowed, all is equal.
					if id, ok := tok.Special("<|im_end|>"); ok && slices.Contains(c.IDs, id) && slices.Equal(e.IDs, c.IDs) {
						t.Errorf("%s: a user's text became a special token", c.Name)
					}
					r, _ := tpl.Render(c.Messages, o)
					tokens := tok.EncodeWith(r.Text, func(int, int) bool { return true })
					e = newEncoding(r, tokens, labels(tok, tpl, r, tokens, c.Messages, o))
				}
				if e.Text != c.Text {
					t.Errorf("%s: text\n%q, expected\n%q", c.Name, e.Text, c.Text)
				} else if !slices.Equal(e.IDs, c.IDs) {
					t.Errorf("%s: ids\n%v, expected\n%v", c.Name, e.IDs, c.IDs)
				} else {
					for i, m := range e.Mask {
						if m != (c.Mask[i] == 1) {
							t.Errorf("%s: token %d (%q) label %v", c.Name, i, tok.TokenBytes(e.IDs[i]), m)
						}
					}
				}
				if c.Prompt != nil {
					o.AddGenerationPrompt = true
					if e, err := Encode(tok, tpl, c.Messages, o); err != nil || !slices.Equal(e.IDs, c.Prompt) {
						t.Errorf("%s: prompt %v %v, expected %v", c.Name, e.IDs, err, c.Prompt)
					}
				}
			}
		})
	}
}
