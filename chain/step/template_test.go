package step

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"lian/verify/shared"
)

// TestTemplateOfAGGUFIsTheReference holds text and ids of conversations against transformers' renderer and llama.cpp's
// tokenizer.
func TestTemplateOfAGGUFIsTheReference(t *testing.T) {
	path := shared.Path(t, "testdata", "models", "smollm2-135m-instruct-q4_1.gguf")
	var golden struct {
		Rows []struct {
			Messages json.RawMessage `json:"messages"`
			Prompt   bool            `json:"add_generation_prompt"`
			Text     string          `json:"text"`
			IDs      []int32         `json:"ids"`
		} `json:"rows"`
	}
	readJSON(t, filepath.Join(shared.Path(t, "testdata", "golden", "infer", "smollm2"), "chat.json"), &golden)
	if len(golden.Rows) == 0 {
		t.Fatal("chat.json has no rows")
	}
	for i, row := range golden.Rows {
		r, err := RenderTemplate(path, row.Messages, nil, TemplateOptions{Messages: "chat.json", GenerationPrompt: row.Prompt})
		if err != nil {
			t.Errorf("row %d: %v", i, err)
			continue
		}
		if r.Text != row.Text {
			t.Errorf("row %d is %q, expected %q", i, r.Text, row.Text)
		}
		if bytes.Contains(row.Messages, []byte("<|im_end|>")) {
			// The reference ends the turn where a user types its mark; here that stays plain text.
			if fmt.Sprint(r.IDs) == fmt.Sprint(row.IDs) {
				t.Errorf("row %d: a special token that the user typed was obeyed", i)
			}
		} else if fmt.Sprint(r.IDs) != fmt.Sprint(row.IDs) {
			t.Errorf("row %d: ids are %v, expected %v", i, r.IDs, row.IDs)
		}
		if len(r.Mask) != len(r.IDs) || len(r.Tokens) != len(r.IDs) {
			t.Errorf("row %d: %d ids, %d in the mask, %d tokens", i, len(r.IDs), len(r.Mask), len(r.Tokens))
		}
	}
}
