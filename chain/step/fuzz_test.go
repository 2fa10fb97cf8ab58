package step

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"lian/event"
)

// FuzzInspect looks at files of any content under every name it knows: an error or an answer, never a panic.
func FuzzInspect(f *testing.F) {
	for _, seed := range []string{"", "GGUF\x03\x00\x00\x00", "LIANSHRD\x01\x00\x00\x00", "PK\x03\x04", "\x08\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}",
		`{"peft_type":"LORA"}`, `{"architectures":["LlamaForCausalLM"]}`, `{"added_tokens":[],"model":{}}`, "{\"text\":\"从前\"}\n", "{{ messages[0].content }}"} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, name := range []string{"x.bin", "x.jsonl", "x.jinja", "config.json", "adapter_config.json"} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
			i, err := Inspect(context.Background(), path, InspectOptions{Tensors: true, Metadata: true, Verify: true, Context: 1}, event.Discard)
			if err == nil && i.What == "" {
				t.Errorf("%s: neither an error nor an answer", name)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzConversation reads messages of any content.
func FuzzConversation(f *testing.F) {
	f.Add([]byte(`[{"role":"user","content":"你好"}]`))
	f.Add([]byte(`{"messages":[{"role":"tool","content":null}],"tools":[{"name":"x"}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := parseConversation("f.json", content)
		if err == nil && len(c.Messages) == 0 {
			t.Error("a conversation without messages was taken")
		}
		if err != nil && !bytes.Contains([]byte(err.Error()), []byte("f.json")) {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}

// FuzzIDs reads lists of ids of any content.
func FuzzIDs(f *testing.F) {
	f.Add("1,2,3")
	f.Add("[ 1\n2 ]")
	f.Add("1e9,-1,99999999999")
	f.Fuzz(func(t *testing.T, text string) {
		ids, err := ParseIDs(text)
		for _, id := range ids {
			if id < 0 || err != nil {
				t.Errorf("%q gives %v, %v", text, ids, err)
			}
		}
	})
}
