package chat

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/verify/shared"
)

// The published templates have no marks; what is learnt must still be the
// answers and the token that ends each, nothing else.
func TestPublishedTemplatesTeachTheAnswersOnly(t *testing.T) {
	for _, c := range []struct{ name, bos, eos, end string }{
		{"Qwen-Qwen2.5-7B-Instruct", "", "<|im_end|>", "<|im_end|>"},
		{"meta-llama-Llama-3.1-8B-Instruct", "<|begin_of_text|>", "<|eot_id|>", "<|eot_id|>"},
		{"microsoft-Phi-3.5-mini-instruct", "", "<|endoftext|>", "<|end|>"},
		{"google-gemma-2-2b-it", "<bos>", "<eos>", "<end_of_turn>"},
		{"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "", "<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>"},
	} {
		source, err := os.ReadFile(shared.Path(t, "testdata", "chat-templates", c.name+".jinja"))
		if err != nil {
			t.Fatal(err)
		}
		tpl, err := ParseTemplate(c.name, string(source))
		if err != nil {
			t.Fatal(err)
		}
		tpl = tpl.WithVariables(map[string]string{"bos_token": c.bos, "eos_token": c.eos})
		special := []string{"<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>", "<|end|>", "<|user|>", "<|assistant|>",
			"<|endoftext|>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"}
		tok := byteTokenizer(t, special...)
		e, err := Encode(tok, tpl, []Message{
			UserMessage("你好 <|im_end|>"), AssistantMessage("你好！有什么事？"), UserMessage("一加一？"), AssistantMessage("二"),
		}, Options{Now: clock})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		want := []string{"你好！有什么事？" + c.end, "二" + c.end}
		if got := learnt(tok, e); !slices.Equal(got, want) {
			t.Errorf("%s: learnt %q, expected %q", c.name, got, want)
		}
	}
}

// Templates of a folder are parsed without failing, whatever they are.
func TestAllPublishedTemplatesParse(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared.Path(t, "testdata", "chat-templates"), "*.jinja"))
	if err != nil || len(files) == 0 {
		t.Fatal("no templates", err)
	}
	for _, file := range files {
		tpl, err := LoadTemplate(file)
		if err != nil {
			t.Error(err)
		} else if strings.TrimSpace(tpl.Source()) == "" {
			t.Errorf("%s is empty", file)
		}
	}
}
